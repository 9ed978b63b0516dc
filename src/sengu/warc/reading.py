"""A folder of WARC files -> captures: lists what is there, says which answer counts, reads headers and payloads back."""

import gzip
import hashlib
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urljoin

import brotli
from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType
from w3lib.url import safe_url_string

from sengu.warc import packing
from sengu.base.errors import SenguError
from sengu.base.urls import archived_url, canonical_url

# what is held in memory of each of half a million answers; the rest is read again when it is needed
KNOWN_HEADERS = (
    "content-type", "content-encoding", "location", "last-modified", "etag", "x-robots-tag", "file-modified", "file-device",
)  # fmt: skip
CAPTURES = WarcRecordType.response | WarcRecordType.resource
OPEN = ".open"  # suffix of the one file that a crawl is writing
MAX_DECODED = 1 << 29  # bytes; what is larger when decoded is a bomb, not a picture
SCHEMES = ("http", "https", "file", "s3")  # crawlers archive their DNS look-ups too
ENCODINGS = ("", "identity", "gzip", "x-gzip", "deflate", "br")
ERRORS = 400
REDIRECTS = (301, 302, 303, 307, 308)
MAX_REDIRECTS = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One captured answer: what is known of it without its body, and where it lies."""

    url: str
    file: Path
    offset: int  # of its gzip member in `file`, bytes
    fetched: str  # WARC-Date
    status: int  # HTTP status; 200 for a resource record
    headers: tuple[tuple[str, str], ...]  # those of KNOWN_HEADERS that it has; `headers_and_body` reads all
    digest: str  # WARC-Block-Digest; empty text if the record has none

    def header(self, name: str) -> str:
        """The first value of a header, without regard to case; empty text if it is absent."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


class UnreadableCapture(Exception):
    """A record whose payload cannot be decoded; the text is the reason that goes into the rejected table."""


def files(folder: Path, site: str) -> list[Path]:
    """The archive files of a site in the order in which they were written."""
    return sorted(folder.glob(f"{site}-*.warc.gz"))


def entries(path: Path) -> Iterator[Entry]:
    """Every response and resource record of one archive file, in order. Raises SenguError if the file is damaged."""
    with path.open("rb") as stream:
        last = 0
        try:
            for record in ArchiveIterator(stream, parse_http=True):
                last = record.stream_pos
                if record.record_type & (CAPTURES | WarcRecordType.revisit) and (entry := _entry(record, path)) is not None:
                    yield entry
            packing.check_end(stream, last)
        except (OSError, KeyError, UnicodeDecodeError) as error:
            raise SenguError(f"{path}: damaged archive file ({error}): restore it with `dvc checkout` or `dvc pull`") from error


def _entry(record: WarcRecord, path: Path) -> Entry | None:
    url = (record.headers["WARC-Target-URI"] or "").strip("<>")  # wget writes them
    if url.partition(":")[0].lower() not in SCHEMES:
        return None
    digest = record.headers.get("WARC-Block-Digest") or ""
    if record.record_type == WarcRecordType.revisit:
        # "the same bytes as there": of the same URL nothing new, of another one as good as a redirect
        there = (record.headers.get("WARC-Refers-To-Target-URI") or "").strip("<>")
        place = (url, path, record.stream_pos, record.headers["WARC-Date"])
        return Entry(*place, int(HTTPStatus.FOUND), (("Location", there),), digest) if there and there != url else None
    is_http = record.http_headers is not None
    headers = [(name, value) for name, value in _headers(record) if name.lower() in KNOWN_HEADERS]
    status = (record.http_headers.status_code or 0) if is_http else HTTPStatus.OK
    return Entry(url, path, record.stream_pos, record.headers["WARC-Date"], int(status), tuple(headers), digest)


def _headers(record: WarcRecord) -> list[tuple[str, str]]:
    """HTTP headers, or the WARC headers of a resource."""
    is_http = record.http_headers is not None
    charset = "latin-1" if is_http else "utf-8"
    pairs = (record.http_headers if is_http else record.headers).items_bytes()
    return [(name.decode(charset), value.decode(charset)) for name, value in pairs]


class Archive:
    """What is to be believed of every URL of a site, by canonical URL; `tracking` are the site's tracking parameters.

    That is its latest answer; but an error does not take the place of a success.
    """

    def __init__(self, tracking: Sequence[str] = ()):
        self.tracking = tuple(tracking)
        self._latest: dict[str, Entry] = {}
        self._earlier: dict[str, list[Entry]] = {}
        self._spellings: dict[str, str] = {}  # URL as archived -> canonical: w3lib takes longer over one than a stage may

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._latest.values())

    def add(self, entry: Entry, canonical: str = "") -> None:
        """Takes one more answer; `canonical` is its URL in that form, where it is known."""
        key = self._spellings[entry.url] = canonical or self.canonical(entry.url)
        known = self._latest.get(key)
        if known is not None and (entry.status >= ERRORS > known.status or entry.status == HTTPStatus.NOT_MODIFIED):
            return
        if known is not None and known.status == HTTPStatus.OK:
            self._earlier.setdefault(key, []).append(known)
        self._latest[key] = entry

    def canonical(self, url: str) -> str:
        return self._spellings.get(url) or canonical_url(url, self.tracking)

    def find(self, url: str) -> Entry | None:
        return self._latest.get(self.canonical(url))

    def versions(self, url: str) -> list[Entry]:
        """The answer that counts for a URL, which may be an error, and the successful ones before it, the latest first."""
        latest = self.find(url)
        return ([latest] if latest else []) + self._earlier.get(self.canonical(url), [])[::-1]

    def resolve(self, url: str) -> Entry | None:
        """The answer at the end of the redirects from `url`; None if the archive does not hold it."""
        for _ in range(MAX_REDIRECTS):
            entry = self.find(url)
            if entry is None or entry.status not in REDIRECTS or not entry.header("Location"):
                return entry
            url = archived_url(urljoin(entry.url, safe_url_string(entry.header("Location").encode("latin-1"))))
        return None


def info(path: Path) -> dict[str, str]:
    """The fields of a file's warcinfo record; none if it has none."""
    with path.open("rb") as stream:
        for record in ArchiveIterator(stream, parse_http=False):
            if record.record_type != WarcRecordType.warcinfo:
                break
            lines = record.reader.read().decode("utf-8", "replace").splitlines()
            fields = (line.partition(":") for line in lines if ":" in line)
            return {name.strip(): value.strip() for name, _, value in fields} | {"date": record.headers["WARC-Date"]}
    return {}


def body(entry: Entry) -> bytes:
    """The HTTP body as it was sent (still encoded), or the bytes of a resource. Raises SenguError if the file is damaged."""
    with _record(entry) as record:
        return bytes(record.reader.read())


def headers_and_body(entry: Entry) -> tuple[list[tuple[str, str]], bytes]:
    """All headers of an answer, and its body. Raises SenguError if the file is damaged."""
    with _record(entry) as record:
        return _headers(record), bytes(record.reader.read())


@contextmanager
def _record(entry: Entry) -> Iterator[WarcRecord]:
    try:
        with _file(entry) as stream:
            stream.seek(entry.offset)
            record = next(iter(ArchiveIterator(stream, record_types=CAPTURES, parse_http=False)))
            if "WARC-Block-Digest" in record.headers and not record.verify_block_digest():
                raise OSError("its digest is wrong")
            if record.record_type == WarcRecordType.response:
                record.parse_http(auto_decode="transfer")  # other crawlers archive the chunks
            yield record
    except (OSError, KeyError, StopIteration) as error:
        raise SenguError(
            f"{entry.file}: damaged record at byte {entry.offset}, {entry.url} ({error}): "
            "restore the file with `dvc checkout` or `dvc pull`"
        ) from error


def _file(entry: Entry) -> BinaryIO:
    """The file of an entry, opened; a crawl closes, and so renames, files whose entries it still holds."""
    try:
        return entry.file.open("rb")
    except FileNotFoundError:
        return entry.file.with_name(entry.file.name.removesuffix(OPEN)).open("rb")


def payload(entry: Entry) -> bytes:
    """The decoded payload. Raises UnreadableCapture for an unknown or broken content encoding."""
    return decode(body(entry), entry.header("Content-Encoding"))


def payload_sha1(encoded: bytes, content_encoding: str) -> str:
    """Lower-case hex SHA-1 of the payload of a body; empty text if it cannot be decoded, and so is no object's."""
    try:
        return hashlib.sha1(decode(encoded, content_encoding), usedforsecurity=False).hexdigest()
    except UnreadableCapture:
        return ""


def decode(encoded: bytes, content_encoding: str) -> bytes:
    """The payload of a body. Raises UnreadableCapture for an unknown or broken content encoding."""
    encoding = content_encoding.strip().lower()
    if encoding not in ENCODINGS:
        raise UnreadableCapture(f"unknown content encoding {encoding}")
    if encoding in ("", "identity") or not encoded:
        return encoded
    try:
        if encoding.endswith("gzip"):
            with gzip.open(BytesIO(encoded)) as stream:
                decoded = stream.read(MAX_DECODED + 1)
        elif encoding == "br":
            brotli_stream = brotli.Decompressor()
            decoded = brotli_stream.process(encoded, output_buffer_limit=MAX_DECODED + 1)
            if len(decoded) <= MAX_DECODED and not brotli_stream.is_finished():
                raise EOFError
        else:
            decoded = _inflate(encoded)
    except (zlib.error, OSError, EOFError, brotli.error) as error:
        raise UnreadableCapture(f"broken {encoding} encoding") from error
    if len(decoded) > MAX_DECODED:
        raise UnreadableCapture(f"larger than {MAX_DECODED} bytes when decoded")
    return decoded


def _inflate(data: bytes) -> bytes:
    """HTTP's "deflate" is zlib's format (RFC 9110), but many servers send the bare stream."""
    try:
        return _inflated(data, zlib.MAX_WBITS)
    except zlib.error:
        return _inflated(data, -zlib.MAX_WBITS)


def _inflated(data: bytes, bits: int) -> bytes:
    stream = zlib.decompressobj(bits)
    decoded = stream.decompress(data, MAX_DECODED + 1)
    if len(decoded) <= MAX_DECODED and not stream.eof:
        raise zlib.error("cut off")
    return decoded
