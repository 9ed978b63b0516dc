"""URLs as found -> the spelling that is fetched and archived, and the canonical form that identifies them."""

import re
from collections.abc import Sequence
from fnmatch import fnmatch
from urllib.parse import SplitResult, unquote, urldefrag, urlsplit, urlunsplit

from w3lib.url import canonicalize_url, safe_url_string

# query or path parameters that say how or by whom a page was visited, not what it shows; * stands for any text
TRACKING = (
    "utm_*", "mtm_*", "pk_*", "fbclid", "gclid", "gbraid", "wbraid", "dclid", "gclsrc", "msclkid", "yclid", "twclid", "ttclid",
    "igshid", "igsh", "mc_cid", "mc_eid", "mkt_tok", "_ga", "_gl", "_hsenc", "_hsmi", "__hstc", "__hssc", "__hsfp", "vero_id",
    "wt_mc", "s_cid", "oly_anon_id", "oly_enc_id", "jsessionid", "phpsessid", "aspsessionid*",
)  # fmt: skip
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*+://", re.IGNORECASE)
LOCAL = (".example", ".localhost", ".test")  # RFC 2606: names that are never public
DEFAULT_PORTS = {"http": 80, "https": 443}
PATH_PARAMETER = re.compile(r";([^=;/?]++)=[^;/?]*+")


def start_url(text: str) -> str:
    """A URL as people type it, as it is fetched: with a scheme, and its host in lower case and in the letters of DNS.

    Without a scheme it is https, or http for an address of digits, a port, or a name that is not public. Raises ValueError, which
    does not repeat the text, if it is no such URL, or holds a user name or password.
    """
    text = text.strip()
    if not SCHEME.match(text):
        host = text.partition("/")[0]
        local = ":" in host or host == "localhost" or host.endswith(LOCAL) or host.replace(".", "").isdigit()
        text = f"{'http' if local else 'https'}://{text}"
    if "@" in re.split(r"[/?#]", text.partition("://")[2], maxsplit=1)[0]:
        raise ValueError("it holds a user name or password, which would stand in tables and archives: take it out")
    try:
        parts = urlsplit(text)
        if parts.scheme in DEFAULT_PORTS and parts.hostname and parts.port != 0:
            return archived_url(urlunsplit(parts._replace(netloc=parts.netloc.lower())))
    except ValueError:
        pass
    raise ValueError("not an http or https URL")


def host_name(text: str) -> str:
    """A typed domain in lower case and in the letters of DNS. Raises ValueError if it is not a domain."""
    text = text.strip()
    if text.count(":") > 1 and "/" not in text:  # an IPv6 address
        return text.strip("[]").lower()
    return urlsplit(start_url(text)).hostname or ""


def without_user(url: str) -> str:
    """A URL without its user name and password; other text is returned unchanged."""
    head, slashes, rest = url.partition("//")
    netloc, slash, path = rest.partition("/")
    return f"{head}{slashes}{netloc.rpartition('@')[2]}{slash}{path}" if slashes and "@" in netloc else url


def is_address(url: str) -> bool:
    """True if it can be taken apart, which a host in half a bracket or a port that is none cannot."""
    try:
        parts = urlsplit(url)
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def archived_url(url: str, encoding: str = "utf-8") -> str:
    """The spelling under which a URL is fetched: percent-encoded, without its fragment.

    `encoding` is that of the page on which the URL stands; browsers send the query in it (WHATWG URL).
    """
    return str(safe_url_string(urldefrag(url).url, encoding=encoding))


def canonical_url(url: str, tracking: Sequence[str] = ()) -> str:
    """The canonical spelling of an address: w3lib's form, without default port and `tracking` parameters."""
    parts = urlsplit(str(canonicalize_url(url)))
    if tracking and (parts.query or ";" in parts.path):
        parts = _without(parts, tracking)
    if parts.port is not None and parts.port == DEFAULT_PORTS.get(parts.scheme):
        parts = parts._replace(netloc=parts.netloc.removesuffix(f":{parts.port}"))
    return urlunsplit(parts)


def _without(parts: SplitResult, tracking: Sequence[str]) -> SplitResult:
    def tracks(name: str) -> bool:
        return any(fnmatch(unquote(name).lower(), pattern.lower()) for pattern in tracking)

    path = PATH_PARAMETER.sub(lambda match: "" if tracks(match[1]) else match[0], parts.path)
    query = "&".join(pair for pair in parts.query.split("&") if not tracks(pair.partition("=")[0]))
    return parts._replace(path=path, query=query)
