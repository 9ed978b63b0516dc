"""WARC files made by others -> the archive of a site, record by record, headers and blocks as they are."""

import gzip
import re
import zlib
from collections.abc import Collection, Iterable
from glob import iglob
from io import BytesIO
from pathlib import Path

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType
from tqdm import tqdm

from sengu import warc
from sengu.base.errors import SenguError

GZIP = b"\x1f\x8b"
HEAD = 8192  # bytes in which the headers of a record end, as a rule
MEDIA_TYPE = re.compile(rb"^content-type:\s*(image|video)/", re.IGNORECASE | re.MULTILINE)


def adopt(paths: Iterable[Path], writer: warc.Writer, known: set[str], erased: Collection[str]) -> int:
    """Copies every record whose id is not `known`, and whose payload is not one of the `erased` SHA-1s; returns how many.

    Raises SenguError for a file that is no whole WARC. Files may be compressed in whole, by record, or not at all; copies are
    gzip members of their own, as a reader by offset needs.
    """
    copied = 0
    for path in tqdm(list(paths), desc="archives", unit="file", disable=None):
        last = -1
        try:
            _check_end(path)
            with path.open("rb") as stream:
                for record in ArchiveIterator(stream, parse_http=False):
                    last = record.stream_pos
                    name = record.record_id or ""
                    if name in known:
                        continue
                    known.add(name)
                    data = _whole(record)
                    if erased and _payload_sha1(data) in erased:
                        continue
                    # compressing a JPEG again costs time and gains nothing
                    packed = MEDIA_TYPE.search(data, 0, HEAD)
                    writer.copy(data, record.headers["WARC-Date"], deflate=not packed)
                    copied += 1
        except OSError as error:
            raise SenguError(f"{path}: not a whole WARC file, behind byte {max(last, 0)}: {error}") from error
        if last < 0:
            raise SenguError(f"{path}: not a WARC file: it is empty")
    return copied


def _check_end(path: Path) -> None:
    """Raises OSError if a compressed file is cut off; readers of WARC pass over that in silence."""
    with path.open("rb") as stream:
        if stream.read(2) != GZIP:
            return
    try:
        with gzip.open(path) as plain:
            while plain.read(1 << 20):
                pass
    except (EOFError, zlib.error) as error:
        raise OSError(str(error)) from error


def _whole(record: WarcRecord) -> bytes:
    """A record as it is. Raises OSError if the file ends before it does, which readers of WARC pass over."""
    plain = BytesIO()
    record.write(plain)
    data = plain.getvalue()
    block = len(data) - data.index(b"\r\n\r\n") - 8  # the headers end with an empty line, the block with two
    if block != int(record.headers["Content-Length"]):
        raise OSError("cut off in its last record")
    return data


def _payload_sha1(data: bytes) -> str:
    """Of the payload of a response or resource; empty text for other records."""
    kinds = WarcRecordType.response | WarcRecordType.resource
    for record in ArchiveIterator(BytesIO(data), record_types=kinds, parse_http=False):
        encoding = ""
        if record.record_type == WarcRecordType.response:
            record.parse_http(auto_decode="transfer")
            encoding = (record.http_headers.get("Content-Encoding") if record.http_headers is not None else None) or ""
        return warc.payload_sha1(record.reader.read(), encoding)
    return ""


def record_ids(paths: Iterable[Path]) -> set[str]:
    """The ids of all records of some archive files."""
    found = set()
    for path in paths:
        with path.open("rb") as stream:
            found |= {record.record_id or "" for record in ArchiveIterator(stream, parse_http=False)}
    return found


def matching(site: str, patterns: Iterable[str]) -> list[Path]:
    """The files that the patterns name. Raises SenguError for a pattern that names none."""
    found: list[Path] = []
    for pattern in patterns:
        here = sorted(Path(name) for name in iglob(pattern, recursive=True))  # noqa: PTH207 (absolute patterns)
        if not here:
            raise SenguError(
                f"params.yaml: sites.{site}.fetch.files: {pattern} is no file: mount the folder, or correct the path"
            )
        found += here
    return found
