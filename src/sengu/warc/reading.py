"""WARC files -> captures: a list of the records, and their headers and payloads."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from sengu.base.errors import SenguError
from sengu.base.io_errors import is_refusal
from sengu.base.urls import is_address
from sengu.warc import packing
from sengu.warc.archive import PROFILE, Entry
from sengu.warc.exif import taken_and_camera
from sengu.warc.payloads import UnreadableCapture, dechunked, decode, shows
from sengu.warc.place import Place

# headers held in memory for each of half a million answers; the others are read again when needed
KNOWN_HEADERS = (
    "content-type", "content-encoding", "location", "last-modified", "etag", "x-robots-tag", "file-modified", "file-device",
    "file-operator", "file-subject",
)  # fmt: skip
CAPTURES = WarcRecordType.response | WarcRecordType.resource
OPEN = ".open"  # suffix of the one file that a crawl is writing
# fields of a revisit record about the record that it refers to
REFERENCES = ("WARC-Refers-To-Target-URI", "WARC-Refers-To-Date", "WARC-Refers-To", "WARC-Payload-Digest")
CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
SCHEMES = ("http", "https", "file", "s3")  # crawlers archive their DNS look-ups, too


class DamagedRecord(SenguError):
    """A record that cannot be read, or has other bytes than its digest says."""


def files(folder: Path, site: str) -> list[Path]:
    """The archive files of a site in the order in which they were written."""
    return sorted(folder.glob(f"{site}-*.warc.gz"))


@dataclass(frozen=True, slots=True)
class Name:
    """The names by which a revisit record may know another record; each is empty if the record has none."""

    record: str  # WARC-Record-ID
    payload: str  # WARC-Payload-Digest, as `digest` spells it; computed if the record states none


def entries(path: Path) -> Iterator[Entry]:
    """Every response, resource and revisit record of one archive file, in order. Raises SenguError if the file is damaged.

    The entry of a revisit holds no answer of its own, see `Entry.refers`.
    """
    return (entry for entry, _ in _scanned(path, named=False))


def named_entries(path: Path) -> Iterator[tuple[Entry, Name]]:
    """The entries of an archive file with their names; reads and hashes every body. Raises SenguError if the file is damaged."""
    return _scanned(path, named=True)


def _scanned(path: Path, named: bool) -> Iterator[tuple[Entry, Name]]:
    with path.open("rb") as stream:
        last = 0
        try:
            for record in ArchiveIterator(stream, parse_http=False):
                last = record.stream_pos
                if (
                    record.record_type & (CAPTURES | WarcRecordType.revisit)
                    and (scanned := _entry(record, path, named)) is not None
                ):
                    yield scanned
            packing.check_end(stream, last)
        except (OSError, LookupError, ValueError) as error:
            if is_refusal(error):
                raise
            raise SenguError(f"{path}: damaged archive file ({error}): `sengu heal` restores what is pinned") from error


def _entry(record: WarcRecord, path: Path, named: bool) -> tuple[Entry, Name] | None:
    url = uri(record, "WARC-Target-URI")
    if url.partition(":")[0].lower() not in SCHEMES or not is_address(url):
        return None
    place = (url, path, record.stream_pos, record.headers.get("WARC-Date") or "")
    block_digest = record.headers.get("WARC-Block-Digest") or ""
    stated = digest(record.headers.get("WARC-Payload-Digest") or "")
    name = Name(record_id(record.record_id or ""), stated)
    if record.record_type == WarcRecordType.revisit:
        said = [(key, record.headers.get(key) or "") for key in (*REFERENCES, PROFILE)]
        headers = [(key, value) for key, value in said if value] + ([] if said[-1][1] else [(PROFILE, "unknown")])
        return Entry(*place, HTTPStatus.NOT_MODIFIED, tuple(headers), block_digest), name
    if record.record_type == WarcRecordType.response:
        record.parse_http()
    all_headers = _headers(record)
    headers = [(key, value) for key, value in all_headers if key.lower() in KNOWN_HEADERS]
    is_http = record.http_headers is not None
    status = int((record.http_headers.status_code or 0) if is_http else HTTPStatus.OK)
    sent = content(record)
    whole = not is_http or is_whole(status, all_headers, sent, record.headers.get("WARC-Truncated") or "")
    try:
        payload = decode(sent, _codings(headers))
    except UnreadableCapture:  # the reason for rejecting it, later
        payload = b""
    if named and not stated:
        name = replace(name, payload=f"sha1:{hashlib.sha1(sent, usedforsecurity=False).hexdigest()}")
    taken, camera = taken_and_camera(payload)
    return Entry(*place, status, tuple(headers), block_digest, taken, camera, whole, shows(payload)), name


def uri(record: WarcRecord, header: str) -> str:
    """The address in a header of a record, without the angle brackets that wget writes; empty text if it has none."""
    return str(record.headers.get(header) or "").strip("<> ")


def record_id(stated: str) -> str:
    """The id of a record in one spelling: some writers leave the angle brackets away, or write its digits in upper case."""
    return stated.strip("<> ").lower()


def digest(stated: str) -> str:
    """A digest as records state it, in one spelling: the SHA-1 in base32 of most as the hex of others.

    Without the name of an algorithm, what is as long as a SHA-1 is one.
    """
    algorithm, colon, value = stated.strip().lower().partition(":")
    if not colon and len(algorithm) in (32, 40):
        algorithm, value = "sha1", algorithm
    if algorithm == "sha1" and len(value) == 32:
        try:
            value = base64.b32decode(value.upper()).hex()
        except binascii.Error:
            return ""
    return f"{algorithm}:{value}" if value else ""


def is_whole(status: int, headers: Iterable[tuple[str, str]], body: bytes, truncated: str = "") -> bool:
    """True if an answer has all of its body: not empty, shorter than announced, a part, or `truncated` by the crawler."""
    said = {name.lower(): value.strip() for name, value in headers}
    if truncated or not body:
        return False
    if status == HTTPStatus.PARTIAL_CONTENT:  # RFC 9110, 14.4
        part = CONTENT_RANGE.fullmatch(said.get("content-range", ""))
        return part is not None and int(part[1]) == 0 and int(part[2]) + 1 == int(part[3]) == len(body)
    # a body that was decoded or dechunked is not as long as announced
    announced = said.get("content-length", "")
    coded = said.get("content-encoding") or said.get("transfer-encoding")
    return bool(coded) or not (announced.isascii() and announced.isdigit()) or len(body) >= int(announced[:18])


def content(record: WarcRecord) -> bytes:
    """The body of an answer, its chunks joined: other crawlers archive them. Or the bytes of a resource."""
    body = bytes(record.reader.read())
    if record.http_headers is not None and "chunked" in (record.http_headers.get("Transfer-Encoding") or "").lower():
        return dechunked(body)
    return body


def _headers(record: WarcRecord) -> list[tuple[str, str]]:
    """HTTP headers, or the WARC headers of a resource."""
    is_http = record.http_headers is not None
    charset = "latin-1" if is_http else "utf-8"
    pairs = (record.http_headers if is_http else record.headers).items_bytes()
    return [(name.decode(charset, "replace"), value.decode(charset, "replace")) for name, value in pairs]


def info(path: Path) -> dict[str, str]:
    """The fields of a file's warcinfo record; none if it has none."""
    with path.open("rb") as stream:
        for record in ArchiveIterator(stream, parse_http=False):
            if record.record_type != WarcRecordType.warcinfo:
                break
            lines = record.reader.read().decode("utf-8", "replace").splitlines()
            fields = (line.partition(":") for line in lines if ":" in line)
            return {name.strip(): value.strip() for name, _, value in fields} | {"date": record.headers.get("WARC-Date") or ""}
    return {}


def body(entry: Entry) -> bytes:
    """The HTTP body as it was sent (still encoded), or the bytes of a resource. Raises DamagedRecord if the file is damaged."""
    with _record(entry) as record:
        return content(record)


def headers_and_body(entry: Entry | Place) -> tuple[list[tuple[str, str]], bytes]:
    """All headers of an answer, and its body. Raises DamagedRecord if the file is damaged."""
    with _record(entry) as record:
        return _headers(record), content(record)


@contextmanager
def _record(entry: Entry | Place) -> Iterator[WarcRecord]:
    try:
        with _opened(entry) as stream:
            record = next(iter(ArchiveIterator(stream, parse_http=False)))
            if not record.record_type & CAPTURES:
                raise OSError("it holds no answer")
            if "WARC-Block-Digest" in record.headers and not record.verify_block_digest():
                raise OSError("its digest is wrong")
            if record.record_type == WarcRecordType.response:
                record.parse_http()
            yield record
    except (OSError, KeyError, StopIteration) as error:
        if is_refusal(error):
            raise
        raise DamagedRecord(
            f"{entry.file}: damaged record at byte {entry.offset}, {entry.url} ({error}): `sengu heal` restores what is pinned"
        ) from error


@contextmanager
def _opened(entry: Entry | Place) -> Iterator[BinaryIO]:
    """A stream that begins with the record of an entry."""
    if isinstance(entry, Place):
        yield entry.open()
        return
    with _file(entry) as stream:
        stream.seek(entry.offset)
        yield stream


def _file(entry: Entry) -> BinaryIO:
    """The file of an entry, opened; a crawl closes, and so renames, files whose entries it still holds."""
    try:
        return entry.file.open("rb")
    except FileNotFoundError:
        return entry.file.with_name(entry.file.name.removesuffix(OPEN)).open("rb")


def payload(entry: Entry | Place) -> bytes:
    """The decoded payload. Raises UnreadableCapture for an unknown or broken content encoding."""
    if isinstance(entry, Place):  # what an entry knows of its headers stands in the record
        headers, encoded = headers_and_body(entry)
        return decode(encoded, _codings(headers))
    return decode(body(entry), _codings(entry.headers))


def _codings(headers: Iterable[tuple[str, str]]) -> str:
    """The content codings of an answer, which may stand in several headers."""
    return ",".join(value for name, value in headers if name.lower() == "content-encoding")
