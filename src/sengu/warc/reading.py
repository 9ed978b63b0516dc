"""WARC files -> captures: lists what is there, and reads headers and payloads back."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from sengu.base.errors import SenguError
from sengu.warc import packing
from sengu.warc.archive import Entry
from sengu.warc.exif import taken_and_camera
from sengu.warc.payloads import decode

# what is held in memory of each of half a million answers; the rest is read again when it is needed
KNOWN_HEADERS = (
    "content-type", "content-encoding", "location", "last-modified", "etag", "x-robots-tag", "file-modified", "file-device",
    "file-operator", "file-subject",
)  # fmt: skip
CAPTURES = WarcRecordType.response | WarcRecordType.resource
OPEN = ".open"  # suffix of the one file that a crawl is writing
SCHEMES = ("http", "https", "file", "s3")  # crawlers archive their DNS look-ups too


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
            raise SenguError(f"{path}: damaged archive file ({error}): `sengu heal` restores what is pinned") from error


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
    taken, camera = taken_and_camera(bytes(record.reader.read()))
    return Entry(url, path, record.stream_pos, record.headers["WARC-Date"], int(status), tuple(headers), digest, taken, camera)


def _headers(record: WarcRecord) -> list[tuple[str, str]]:
    """HTTP headers, or the WARC headers of a resource."""
    is_http = record.http_headers is not None
    charset = "latin-1" if is_http else "utf-8"
    pairs = (record.http_headers if is_http else record.headers).items_bytes()
    return [(name.decode(charset), value.decode(charset)) for name, value in pairs]


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
            f"{entry.file}: damaged record at byte {entry.offset}, {entry.url} ({error}): `sengu heal` restores what is pinned"
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
