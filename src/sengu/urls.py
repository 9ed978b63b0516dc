"""URLs as found -> the spelling that is fetched and archived, and the canonical form by which they are known."""

import re
from collections.abc import Sequence
from fnmatch import fnmatch
from urllib.parse import parse_qsl, unquote, urldefrag, urlsplit, urlunsplit

from w3lib.url import canonicalize_url, safe_url_string, url_query_cleaner

# names of query or path parameters that say whence or by whom a page was visited, not what it shows; * stands for any text
TRACKING = (
    "utm_*", "mtm_*", "pk_*", "fbclid", "gclid", "gbraid", "wbraid", "dclid", "gclsrc", "msclkid", "yclid", "twclid", "ttclid",
    "igshid", "igsh", "mc_cid", "mc_eid", "mkt_tok", "_ga", "_gl", "_hsenc", "_hsmi", "__hstc", "__hssc", "__hsfp", "vero_id",
    "wt_mc", "s_cid", "oly_anon_id", "oly_enc_id", "jsessionid", "phpsessid", "aspsessionid*",
)  # fmt: skip
DEFAULT_PORTS = {"http": 80, "https": 443}
PATH_PARAMETER = re.compile(r";([^=;/?]+)=[^;/?]*")


def archived_url(url: str, encoding: str = "utf-8") -> str:
    """The spelling under which a URL is fetched: percent-encoded, without its fragment.

    `encoding` is that of the page on which the URL stands; browsers send the query in it (WHATWG URL).
    """
    return str(safe_url_string(urldefrag(url).url, encoding=encoding))


def canonical_url(url: str, tracking: Sequence[str] = ()) -> str:
    """One spelling for the many of one address: w3lib's canonical form, without default port and `tracking` parameters."""
    plain = _without(url, tracking) if tracking and ("?" in url or ";" in url) else url
    canonical = str(canonicalize_url(plain))
    parts = urlsplit(canonical)
    if parts.port is None or parts.port != DEFAULT_PORTS.get(parts.scheme):
        return canonical
    return urlunsplit(parts._replace(netloc=parts.netloc.removesuffix(f":{parts.port}")))


def _without(url: str, tracking: Sequence[str]) -> str:
    def tracks(name: str) -> bool:
        return any(fnmatch(name.lower(), pattern.lower()) for pattern in tracking)

    parts = urlsplit(url)
    path = PATH_PARAMETER.sub(lambda found: "" if tracks(unquote(found[1])) else found[0], parts.path)
    query = parts.query
    names = [name for name, _ in parse_qsl(query, keep_blank_values=True, errors="surrogateescape") if tracks(name)]
    if names:
        query = urlsplit(str(url_query_cleaner(f"http://h/?{query}", names, remove=True, unique=False))).query
    return urlunsplit(parts._replace(path=path, query=query))
