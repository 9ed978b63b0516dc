"""Captures -> the answers that count for every URL of a site."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urljoin

from w3lib.url import safe_url_string

from sengu.base.urls import archived_url, canonical_url
from sengu.warc.place import Place

ERRORS = 400
REDIRECTS = (301, 302, 303, 307, 308)
MAX_REDIRECTS = 20
PROFILE = "WARC-Profile"  # the header that every revisit record has


@dataclass(frozen=True, slots=True)
class Entry:
    """A captured answer: its facts without the body, and its place in the archive."""

    url: str
    file: Path
    offset: int  # of its gzip member in `file`, bytes
    fetched: str  # WARC-Date
    status: int  # HTTP status; 200 for a resource record
    headers: tuple[tuple[str, str], ...]  # those of KNOWN_HEADERS that it has; `headers_and_body` reads all
    digest: str  # WARC-Block-Digest; empty text if the record has none
    taken: str = ""  # when the camera took the picture, and its make and model: see sengu.warc.exif
    camera: str = ""
    whole: bool = True  # False for an answer whose body is empty or cut off
    shows: bool = False  # whether its payload begins as a picture or a video

    @property
    def is_good(self) -> bool:
        """True for an answer that gives what was asked for. 203 is one that a proxy changed; 206 counts if it is no part."""
        return self.status in (HTTPStatus.OK, HTTPStatus.NON_AUTHORITATIVE_INFORMATION) or (
            self.status == HTTPStatus.PARTIAL_CONTENT and self.whole
        )

    @property
    def refers(self) -> bool:
        """True for a revisit record, which says "the same as there" (WARC 1.1, 6.7). Its headers say where that is."""
        return self.header(PROFILE) != ""

    def header(self, name: str) -> str:
        """The first value of a header, without regard to case; empty text if it is absent."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


class Archive:
    """The answers that count for every URL of a site, by canonical URL; `tracking` are the site's tracking parameters.

    The latest answer counts. But an error does not replace a success, and a page, such as one to log in, does not replace a
    picture.
    """

    def __init__(self, tracking: Sequence[str] = ()):
        self.tracking = tuple(tracking)
        self.missing: list[Entry] = []  # revisit records whose answers are in no file of the site
        self.offsets: dict[Path, list[int]] = {}  # of every record that its files hold, in order
        self._latest: dict[str, Entry] = {}
        self._earlier: dict[str, list[Entry]] = {}
        self._spellings: dict[str, str] = {}  # URL as archived -> canonical, since w3lib is slow

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._latest.values())

    def add(self, entry: Entry, canonical: str = "") -> None:
        """Adds an answer; `canonical` is its URL in that form, if it is known."""
        key = self._spellings[entry.url] = canonical or self.canonical(entry.url)
        known = self._latest.get(key)
        if known is not None and not self._counts(entry, known, key):
            if _hides(entry, known):
                self._earlier.setdefault(key, []).append(entry)  # a page, which may show pictures of its own
            return
        if known is not None and known.is_good:
            self._earlier.setdefault(key, []).append(known)
        self._latest[key] = entry

    def _counts(self, entry: Entry, known: Entry, key: str) -> bool:
        """True if an answer takes the place of the one known for its URL."""
        if entry.status >= ERRORS > known.status or entry.status == HTTPStatus.NOT_MODIFIED:
            return False
        if known.is_good and known.whole and not entry.whole and entry.status not in REDIRECTS:
            return False  # empty, cut off, or a part
        if _hides(entry, known):
            return False
        if known.is_good and self.leads_nowhere(entry, key):
            return False
        return (entry.file, entry.offset) != (known.file, known.offset)

    def leads_nowhere(self, entry: Entry, key: str = "") -> bool:
        """True for a redirect to another spelling of its own URL, such as one with a session id."""
        if entry.status not in REDIRECTS or not entry.header("Location"):
            return False
        try:
            return self.canonical(target(entry)) == (key or self.canonical(entry.url))
        except ValueError:
            return False

    def canonical(self, url: str) -> str:
        return self._spellings.get(url) or canonical_url(url, self.tracking)

    def find(self, url: str) -> Entry | None:
        return self._latest.get(self.canonical(url))

    def versions(self, url: str) -> list[Entry]:
        """The answer that counts for a URL, which may be an error, and its other successful ones, the latest first."""
        latest = self.find(url)
        return ([latest] if latest else []) + self._earlier.get(self.canonical(url), [])[::-1]

    def place(self, entry: Entry) -> Place:
        """The place of an entry's record, and its greatest length: up to the next record, or to the end of its file."""
        offsets = self.offsets[entry.file]
        following = bisect_right(offsets, entry.offset)
        end = offsets[following] if following < len(offsets) else entry.file.stat().st_size
        return Place(str(entry.file), entry.offset, end - entry.offset, entry.url)

    def resolve(self, url: str) -> Entry | None:
        """The answer at the end of the redirects from `url`; None if the archive does not hold it.

        Where a redirect leads to no picture, such as to a page to log in, it is the picture that was there before, if one was.
        """
        start, end = self.find(url), self._end(url)
        if start is None or start.status not in REDIRECTS or (end is not None and end.is_good and end.shows):
            return end
        return next((version for version in self.versions(url)[1:] if version.whole and version.shows), end)

    def _end(self, url: str) -> Entry | None:
        for _ in range(MAX_REDIRECTS):
            entry = self.find(url)
            if entry is None or entry.status not in REDIRECTS or not entry.header("Location"):
                return entry
            try:
                url = target(entry)
            except ValueError:
                return None
        return None


def _hides(entry: Entry, known: Entry) -> bool:
    """True if a site answers with a page, such as one to log in, where a picture is known. A file is what its folder has now."""
    is_picture = known.is_good and known.whole and known.shows and known.url.startswith("http")
    return is_picture and entry.is_good and not entry.shows


def target(entry: Entry) -> str:
    """The address that a redirect leads to. Raises ValueError if it is not an address."""
    return archived_url(urljoin(entry.url, safe_url_string(entry.header("Location").encode("latin-1"))))
