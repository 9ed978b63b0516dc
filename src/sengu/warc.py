"""A folder of WARC files <-> captures: appends responses and resources, lists what is there, reads payloads back.

WARC 1.1 (ISO 28500). Every record is a gzip member of its own, so that a record can be read by its offset and a cut-off
file can be mended at the last whole record. Media are stored, not deflated: they are compressed already.
"""

import gzip
import logging
import os
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from urllib.parse import urldefrag, urljoin

import brotli
from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType
from w3lib.url import canonicalize_url, safe_url_string

from sengu import members
from sengu.errors import SenguError

CAPTURES = WarcRecordType.response | WarcRecordType.resource
ENCODINGS = ("", "identity", "gzip", "x-gzip", "deflate", "br")
OPEN = ".open"  # suffix of the one file that a crawl is writing
ERRORS = 400
REDIRECTS = (301, 302, 303, 307, 308)
MAX_REDIRECTS = 20

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """One captured answer: what is known of it without its body, and where it lies."""

    url: str
    file: Path
    offset: int  # of its gzip member in `file`, bytes
    fetched: str  # WARC-Date
    status: int  # HTTP status; 200 for a resource record
    headers: tuple[tuple[str, str], ...]  # HTTP headers, or WARC headers of a resource record

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
                if not record.record_type & CAPTURES:
                    continue
                is_http = record.http_headers is not None
                headers = record.http_headers if is_http else record.headers
                charset = "latin-1" if is_http else "utf-8"
                yield Entry(
                    url=record.headers["WARC-Target-URI"],
                    file=path,
                    offset=last,
                    fetched=record.headers["WARC-Date"],
                    status=(record.http_headers.status_code or 0) if is_http else HTTPStatus.OK,
                    headers=tuple((k.decode(charset), v.decode(charset)) for k, v in headers.items_bytes()),
                )
            members.check_end(stream, last)
        except (OSError, KeyError, UnicodeDecodeError) as error:
            raise SenguError(f"{path}: damaged archive file ({error}): restore it with `dvc checkout` or `dvc pull`") from error


def latest(folder: Path, site: str) -> dict[str, Entry]:
    """What is to be believed of every URL of a site, by canonical URL. Raises SenguError if there is no archive."""
    paths = files(folder, site)
    if not paths:
        raise SenguError(f"{folder} holds no archive of site {site}: run `dvc repro crawl@{site}`, or `dvc pull`")
    return gather(paths)


def gather(paths: Iterable[Path]) -> dict[str, Entry]:
    """The latest capture of every URL, by canonical URL; a later error does not take the place of a success."""
    found: dict[str, Entry] = {}
    for entry in (entry for path in paths for entry in entries(path)):
        key = canonicalize_url(entry.url)
        if key not in found or entry.status < ERRORS or found[key].status >= ERRORS:
            found[key] = entry
    return found


def resolve(captures: Mapping[str, Entry], url: str) -> Entry | None:
    """The capture at the end of the redirects from `url`; None if the archive does not hold it."""
    for _ in range(MAX_REDIRECTS):
        entry = captures.get(canonicalize_url(url))
        if entry is None or entry.status not in REDIRECTS or not entry.header("Location"):
            return entry
        url = archived_url(urljoin(entry.url, safe_url_string(entry.header("Location").encode("latin-1"))))
    return None


def archived_url(url: str) -> str:
    """The spelling under which a URL is fetched and archived: percent-encoded, without its fragment."""
    return str(safe_url_string(urldefrag(url).url))


def body(entry: Entry) -> bytes:
    """The HTTP body as it was sent (still encoded), or the bytes of a resource. Raises SenguError if the file is damaged."""
    with entry.file.open("rb") as stream:
        stream.seek(entry.offset)
        try:
            record = next(iter(ArchiveIterator(stream, record_types=CAPTURES, parse_http=False)))
            if "WARC-Block-Digest" in record.headers and not record.verify_block_digest():
                raise OSError("its digest is wrong")
            if record.record_type == WarcRecordType.response:
                record.parse_http()
            return bytes(record.reader.read())
        except (OSError, KeyError, StopIteration) as error:
            raise SenguError(
                f"{entry.file}: damaged record at byte {entry.offset}, {entry.url} ({error}): "
                "restore the file with `dvc checkout` or `dvc pull`"
            ) from error


def payload(entry: Entry) -> bytes:
    """The decoded payload. Raises UnreadableCapture for an unknown or broken content encoding."""
    encoded = body(entry)
    encoding = entry.header("Content-Encoding").strip().lower()
    if encoding not in ENCODINGS:
        raise UnreadableCapture(f"unknown content encoding {encoding}")
    if encoding in ("", "identity") or not encoded:
        return encoded
    try:
        if encoding.endswith("gzip"):
            return gzip.decompress(encoded)
        return brotli.decompress(encoded) if encoding == "br" else _inflate(encoded)
    except (zlib.error, OSError, EOFError, brotli.error) as error:
        raise UnreadableCapture(f"broken {encoding} encoding") from error


def _inflate(data: bytes) -> bytes:
    """HTTP's "deflate" is zlib's format (RFC 9110), but many servers send the bare stream."""
    try:
        return zlib.decompress(data)
    except zlib.error:
        return zlib.decompress(data, -zlib.MAX_WBITS)


class Writer:
    """Appends records to the archive of a site: one new file per crawl, and another each time one outgrows `roll_over` bytes.

    The file is named <site>-<serial>.warc.gz.open until it is closed; from then on it is immutable. A file that a killed
    crawl left open is cut at its last whole record and continued. No file is made until there is a record to write.
    """

    def __init__(self, folder: Path, site: str, info: Mapping[str, str], compress: bool = True, roll_over: int = 1 << 30):
        self.folder, self.site, self.info, self.compress, self.roll_over = folder, site, dict(info), compress, roll_over
        folder.mkdir(parents=True, exist_ok=True)
        left_open = sorted(folder.glob(f"{site}-*.warc.gz{OPEN}"))
        self.path: Path | None = left_open[0] if left_open else None
        if self.path is not None:
            lost = members.mend(self.path)
            if lost:
                logger.warning("%s: cut off %d bytes of a record that a killed crawl did not finish", self.path, lost)

    def response(
        self, url: str, date: str, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, deflate: bool = False
    ) -> Entry:
        """Appends an HTTP response exactly as received, but for the reason phrase, which Twisted discards."""
        reason = HTTPStatus(status).phrase if status in list(HTTPStatus) else ""
        lines = [f"HTTP/1.1 {status} {reason}".encode(), *(name + b": " + value for name, value in headers)]
        block = b"\r\n".join([*lines, b"", body])
        offset = self._append(
            WarcRecordType.response, url, date, block, {"Content-Type": "application/http; msgtype=response"}, deflate
        )
        texts = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)
        return Entry(url, self._file(), offset, date, status, texts)

    def resource(self, url: str, date: str, headers: Mapping[str, str], body: bytes) -> Entry:
        """Appends the bytes of a file; `headers` are WARC headers such as its device and modification time."""
        offset = self._append(WarcRecordType.resource, url, date, body, headers, deflate=False)
        return Entry(url, self._file(), offset, date, HTTPStatus.OK, tuple(headers.items()))

    def close(self) -> None:
        if self.path is not None:
            self.path.rename(self.path.with_name(self.path.name.removesuffix(OPEN)))
            self.path = None

    def _file(self) -> Path:
        assert self.path is not None
        return self.path

    def _append(self, kind: WarcRecordType, url: str, date: str, block: bytes, headers: Mapping[str, str], deflate: bool) -> int:
        if self.path is not None and self.path.stat().st_size >= self.roll_over:
            self.close()
        if self.path is None:
            self.path = self.folder / f"{self.site}-{len(files(self.folder, self.site)):05}.warc.gz{OPEN}"
            text = "".join(f"{key}: {value}\r\n" for key, value in self.info.items()).encode()
            named = {"WARC-Filename": self.path.name.removesuffix(OPEN), "Content-Type": "application/warc-fields"}
            self._write(WarcRecordType.warcinfo, date, text, named, deflate=False)
        return self._write(kind, date, block, {"WARC-Target-URI": url, **headers}, deflate)

    def _write(self, kind: WarcRecordType, date: str, block: bytes, headers: Mapping[str, str], deflate: bool) -> int:
        path = self._file()
        offset = path.stat().st_size if path.exists() else 0
        record = WarcRecord()
        # derived from its place, not random: the same crawl gives the same bytes
        name = uuid.uuid5(uuid.NAMESPACE_URL, f"{path.name.removesuffix(OPEN)}#{offset}")
        record.init_headers(kind, record_urn=f"uuid:{name}".encode(), content_length=len(block))
        record.headers["WARC-Date"] = date
        for key, value in headers.items():
            record.headers[key] = value
        record.set_bytes_content(block)
        if kind == WarcRecordType.response:
            record.is_http = True
            record.parse_http()
        plain = BytesIO()
        record.write(plain, checksum_data=True)
        try:
            with path.open("ab") as stream:
                stream.write(members.pack(plain.getvalue(), deflate and self.compress))
        except OSError:
            os.truncate(path, offset)  # the disk is full: what follows must not stand behind half a record
            raise
        return offset
