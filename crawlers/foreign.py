"""Foreign WARC files -> the archive of a site, record by record, with headers and blocks unchanged."""

import gzip
import hashlib
import logging
import re
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from glob import iglob
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType
from tqdm import tqdm

from crawlers.spiders import MEDIA
from sengu import warc
from sengu.base.errors import SenguError
from sengu.base.io_errors import is_refusal
from sengu.base.tables import Failed
from sengu.base.urls import is_address

GZIP, ARC = b"\x1f\x8b", b"filedesc://"
UNDATED = "1970-01-01T00:00:00Z"
HEAD = 8192  # bytes in which the headers of a record end, as a rule
MEDIA_TYPE = re.compile(rb"^content-type:\s*+(image|video)/", re.IGNORECASE | re.MULTILINE)

logger = logging.getLogger("crawl")


@dataclass(frozen=True)
class Adoption:
    """The target of foreign records, the digests already there, SHA-1s that must not come back, and what could not be read."""

    writer: warc.Writer
    known: set[bytes]
    erased: Collection[str]
    unread: list[Failed] = field(default_factory=list)


def adopt(paths: Iterable[Path], writer: warc.Writer, known: set[bytes], erased: Collection[str]) -> tuple[int, list[Failed]]:
    """Copies every record whose digest is not `known`, and whose payload is not one of the `erased` SHA-1s.

    Returns how many, and those that could not be read. Files may be compressed as a whole, by record, or not at all, or be in a
    WACZ. Each copy is a gzip member, which a reader by offset needs. Raises SenguError for a file that is not a whole WARC.
    """
    copied, adoption = 0, Adoption(writer, known, erased)
    for path in tqdm(list(paths), desc="archives", unit="file", disable=None):
        for name, opened in _warcs(path):
            last = -1
            try:
                _check(name, opened)
                with closing(opened()) as stream:
                    for record in ArchiveIterator(stream, parse_http=False):
                        last = record.stream_pos
                        copied += _copy(record, f"{name}, byte {last}", adoption)
            except OSError as error:
                if is_refusal(error):
                    raise
                raise SenguError(
                    f"{name}: damaged or cut off after byte {max(last, 0)}: {error}: replace it with a complete copy"
                ) from error
            if last < 0:
                raise SenguError(f"{name}: not a WARC file: it is empty")
    return copied, adoption.unread


def account(name: str, folder: Path, tracking: Sequence[str], unread: Iterable[Failed]) -> list[Failed]:
    """Lists what the archives of a foreign site lack: what is `unread` or not found, and revisits whose answer no file holds."""
    archive = warc.gather(warc.files(folder, name), tracking)
    missing = [Failed(entry.url, "", MEDIA, warc.explained(entry)) for entry in archive.missing]
    if missing:
        logger.warning(
            "%s: %d revisit records refer to responses that are in none of the files, such as %s (%s): "
            "add the earlier files that hold them to sites.%s.fetch.files",
            name, len(missing), missing[0].url, missing[0].reason, name,
        )  # fmt: skip
    return list({failure.url: failure for failure in (*unread, *missing)}.values())


def check(name: str, folder: Path, tracking: Sequence[str], failures: Collection[Failed]) -> None:
    """Raises SenguError if the archive holds no answer from which a page or picture could be read."""
    if failures and not any(entry.is_good for entry in warc.gather(warc.files(folder, name), tracking)):
        first = next(iter(failures))
        raise SenguError(
            f"site {name}: none of its records can be read, {len(failures)} are listed in data/failed/{name}.csv; the first is "
            f"{first.url}: {first.reason}: add the files that hold the rest under sites.{name}.fetch.files"
        )


def _copy(record: WarcRecord, place: str, adoption: Adoption) -> bool:
    """Copies one record. Returns False if it is not wanted, or cannot be read, which is then listed."""
    try:
        if not is_address(url := warc.uri(record, "WARC-Target-URI")):
            raise ValueError(f"{url} is not an address")
        data = _whole(record)
        # not by its id: some writers give none, or all the same
        digest = hashlib.sha1(data, usedforsecurity=False).digest()
        if digest in adoption.known:
            return False
        adoption.known.add(digest)
        if adoption.erased and _payload_sha1(data) in adoption.erased:
            return False
    except (ValueError, LookupError) as error:
        url = warc.uri(record, "WARC-Target-URI") or place
        reason = f"{place} cannot be read: {type(error).__name__}: {' '.join(str(error).split())}"
        adoption.unread.append(Failed(url, "", MEDIA, reason))
        return False
    # compressing a JPEG again takes time and gains nothing
    packed = MEDIA_TYPE.search(data, 0, HEAD)
    adoption.writer.copy(data, record.headers.get("WARC-Date") or UNDATED, deflate=not packed)
    return True


def _warcs(path: Path) -> Iterator[tuple[str, Callable[[], IO[bytes]]]]:
    """The name and an opener of each WARC file: the file itself or, if it is a WACZ, those inside."""
    if not zipfile.is_zipfile(path):
        yield str(path), partial(_opened, path)
        return
    with zipfile.ZipFile(path) as wacz:
        names = [name for name in wacz.namelist() if name.lower().endswith((".warc", ".warc.gz"))]
        if not names:
            raise SenguError(f"{path}: a zip file that holds no WARC file, and so is no WACZ: take it out of fetch.files")
        for name in names:
            yield f"{path}/{name}", partial(_member, wacz, name)


def _opened(path: Path) -> IO[bytes]:
    return path.open("rb")


def _member(wacz: zipfile.ZipFile, name: str) -> IO[bytes]:
    try:
        return wacz.open(name)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise OSError(str(error)) from error


def _check(name: str, opened: Callable[[], IO[bytes]]) -> None:
    """Raises OSError if a compressed file is cut off, which readers of WARC ignore silently, and SenguError for an ARC."""
    try:
        with closing(opened()) as stream:
            first: Any = stream.read(len(ARC))
            if first.startswith(GZIP):
                stream.seek(0)
                with gzip.open(stream) as plain:
                    first = plain.read(len(ARC))
                    while plain.read(1 << 20):
                        pass
    except (EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise OSError(str(error)) from error
    if first == ARC:
        raise SenguError(
            f"{name}: an ARC file, the format before WARC: convert it with `pip install warcio` and "
            "`warcio recompress OLD.arc.gz NEW.warc.gz`, and name the new file in fetch.files"
        )


def _whole(record: WarcRecord) -> bytes:
    """A record, unchanged. Raises OSError if the file ends before it does, which readers of WARC ignore silently."""
    plain = BytesIO()
    record.write(plain)
    data = plain.getvalue()
    block = len(data) - data.index(b"\r\n\r\n") - 8  # the headers end with an empty line, the block with two
    if block != int(record.headers["Content-Length"]):
        raise OSError("cut off in its last record")
    return data


def _payload_sha1(data: bytes) -> str:
    """The SHA-1 of the payload of a response or resource; empty text for other records."""
    kinds = WarcRecordType.response | WarcRecordType.resource
    for record in ArchiveIterator(BytesIO(data), record_types=kinds, parse_http=False):
        encoding = ""
        if record.record_type == WarcRecordType.response:
            record.parse_http()
            encoding = (record.http_headers.get("Content-Encoding") if record.http_headers is not None else None) or ""
        return warc.payload_sha1(warc.content(record), encoding)
    return ""


def digests(paths: Iterable[Path]) -> set[bytes]:
    """The SHA-1s of all records of some archive files."""
    known = set()
    for path in paths:
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream, parse_http=False):
                known.add(hashlib.sha1(_whole(record), usedforsecurity=False).digest())
    return known


def matching(site: str, patterns: Iterable[str]) -> list[Path]:
    """The files that the patterns name. Raises SenguError for a pattern that names none."""
    paths: list[Path] = []
    for pattern in patterns:
        here = sorted(Path(name) for name in iglob(pattern, recursive=True))  # noqa: PTH207 (absolute patterns)
        if not here:
            raise SenguError(
                f"params.yaml: sites.{site}.fetch.files: {pattern} is not a file: mount the folder, or correct the path"
            )
        paths += here
    return paths
