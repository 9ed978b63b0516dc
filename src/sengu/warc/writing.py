"""Captures -> a folder of WARC files: appends responses, resources and whole records of other archives.

WARC 1.1 (ISO 28500). Every record is a gzip member, so that a record can be read by its offset and a cut-off
file can be repaired at the last whole record. Media are stored, not deflated: they are compressed already.
"""

import logging
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO, FileIO
from pathlib import Path

from fastwarc.warc import WarcRecord, WarcRecordType

from sengu.base.atomic import sync
from sengu.base.errors import SenguError
from sengu.base.io_errors import named
from sengu.warc import packing
from sengu.warc.archive import Entry
from sengu.warc.payloads import shows
from sengu.warc.reading import KNOWN_HEADERS, OPEN, files, info, is_whole

CONTINUES = "continues"  # field of a warcinfo record: the file before this one of the same crawl
# the most that a power cut may take from an open file, as docs/reliability.md promises
SYNC_SECONDS, SYNC_BYTES = 10.0, 64 << 20

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """An HTTP response as received: its URL, when, with which status, headers and body."""

    url: str
    date: str
    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


class Writer:
    """Appends records to the archive of a site: one new file per crawl, and another each time one outgrows `roll_over` bytes.

    The file is named <site>-<serial>.warc.gz.open until it is closed; from then on it is immutable. A file that a killed
    crawl left open is cut at its last whole record and continued. No file is made until there is a record to write.
    """

    def __init__(self, folder: Path, site: str, fields: Mapping[str, str], compress: bool = True, roll_over: int = 1 << 30):
        """`fields` are those of the warcinfo record that begins each file."""
        self.folder, self.site, self.fields, self.compress, self.roll_over = folder, site, dict(fields), compress, roll_over
        folder.mkdir(parents=True, exist_ok=True)
        left_open = sorted(folder.glob(f"{site}-*.warc.gz{OPEN}"))
        self.path: Path | None = left_open[0] if left_open else None
        self._stream: FileIO | None = None
        self._synced, self._unsynced = time.monotonic(), 0
        if self.path is not None:
            lost = packing.mend(self.path)
            if lost:
                logger.warning("%s: cut off %d bytes of a record that a killed crawl did not finish", self.path, lost)
            if not self.path.stat().st_size:  # killed in its first record
                self.path.unlink()
                self.path = None

    def of_this_crawl(self) -> list[Path]:
        """The files that a killed crawl wrote and this one continues, in order."""
        left_open: list[Path] = []
        path = self.path
        while path is not None and path.is_file():
            left_open.insert(0, path)
            before = info(path).get(CONTINUES)
            path = self.folder / before if before else None
        return left_open

    def response(self, url: str, date: str, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Entry:
        """Appends an HTTP response exactly as received, except the reason phrase, which Twisted discards."""
        return self._answer(Answer(url, date, status, headers, body), deflate=False)

    def page(self, url: str, date: str, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Entry:
        """Appends, deflated, an HTTP response that is not a picture or video, exactly as received except the reason phrase."""
        return self._answer(Answer(url, date, status, headers, body), deflate=True)

    def _answer(self, answer: Answer, deflate: bool) -> Entry:
        url, date, status, headers, body = answer.url, answer.date, answer.status, answer.headers, answer.body
        reason = HTTPStatus(status).phrase if status in list(HTTPStatus) else ""
        lines = [f"HTTP/1.1 {status} {reason}".encode(), *(name + b": " + value for name, value in headers)]
        block = b"\r\n".join([*lines, b"", body])
        kind = {"Content-Type": "application/http; msgtype=response"}
        record = _record(WarcRecordType.response, date, block, {"WARC-Target-URI": url, **kind})
        offset, digest = self._append(record, deflate)
        texts = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        known = tuple(pair for pair in texts if pair[0].lower() in KNOWN_HEADERS)
        return Entry(
            url, self._file(), offset, date, status, known, digest, whole=is_whole(status, texts, body), shows=shows(body)
        )

    def resource(self, url: str, date: str, headers: Mapping[str, str], body: bytes) -> Entry:
        """Appends the bytes of a file; `headers` are WARC headers such as its device and modification time."""
        record = _record(WarcRecordType.resource, date, body, {"WARC-Target-URI": url, **headers})
        offset, digest = self._append(record, deflate=False)
        known = tuple(pair for pair in headers.items() if pair[0].lower() in KNOWN_HEADERS)
        return Entry(url, self._file(), offset, date, HTTPStatus.OK, known, digest, shows=shows(body))

    def copy(self, record: bytes, date: str, deflate: bool) -> None:
        """Appends a record of another archive unchanged, with headers and block."""
        self._write(self._open(date), record, deflate)

    def close(self) -> None:
        """Closes the open file, if there is one. When it has its final name, it is on the disk."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        if self.path is not None:
            sync(self.path)
            closed = self.path.with_name(self.path.name.removesuffix(OPEN))
            if not self.path.stat().st_size:  # the disk was full from the start
                self.path.unlink()
            elif closed.exists():
                raise SenguError(f"{closed} already exists, and {self.path} would replace it: move one of them away")
            else:
                self.path.rename(closed)
            sync(self.folder)
            self.path = None

    def _serial(self) -> int:
        """The next serial number, one more than the highest: if a file is missing, the others keep their names."""
        serials = [path.name.removeprefix(f"{self.site}-").partition(".")[0] for path in files(self.folder, self.site)]
        return max((int(serial) for serial in serials if serial.isdigit()), default=-1) + 1

    def _file(self) -> Path:
        assert self.path is not None
        return self.path

    def _append(self, record: WarcRecord, deflate: bool) -> tuple[int, str]:
        """Appends a record; returns its offset and digest."""
        stream = self._open(record.headers["WARC-Date"])
        offset = stream.tell()
        self._write(stream, self._identified(record, offset), deflate)
        return offset, str(record.headers["WARC-Block-Digest"])

    def _open(self, date: str) -> FileIO:
        """The file to append to, at its end; a full one is closed first, a new one begins with its warcinfo."""
        previous = ""
        if self._stream is None and self.path is not None:
            self._stream = FileIO(self.path, "ab")
        if self._stream is not None and self._stream.tell() >= self.roll_over:
            previous = self._file().name.removesuffix(OPEN)
            self.close()
        if self._stream is not None:
            return self._stream
        self.path = self.folder / f"{self.site}-{self._serial():05}.warc.gz{OPEN}"
        self._stream = FileIO(self.path, "ab")
        fields = self.fields | ({CONTINUES: previous} if previous else {})
        text = "".join(f"{key}: {value}\r\n" for key, value in fields.items()).encode()
        named = {"WARC-Filename": self.path.name.removesuffix(OPEN), "Content-Type": "application/warc-fields"}
        record = _record(WarcRecordType.warcinfo, date, text, named)
        self._write(self._stream, self._identified(record, 0), deflate=False)
        sync(self.folder)
        sync(self.folder.parent)
        return self._stream

    def _identified(self, record: WarcRecord, offset: int) -> bytes:
        # derived from its place, not random: the same crawl gives the same bytes
        name = uuid.uuid5(uuid.NAMESPACE_URL, f"{self._file().name.removesuffix(OPEN)}#{offset}")
        record.headers["WARC-Record-ID"] = f"<urn:uuid:{name}>"
        plain = BytesIO()
        record.write(plain, checksum_data=True)
        return plain.getvalue()

    def _write(self, stream: FileIO, record: bytes, deflate: bool) -> None:
        offset = stream.tell()
        data = memoryview(packing.pack(record, deflate and self.compress))
        with named(self._file()):
            try:
                while data:  # unbuffered: what is written here survives a kill
                    data = data[stream.write(data) :]
            except OSError:
                os.truncate(self._file(), offset)  # the disk is full: nothing may follow half a record
                stream.seek(offset)
                raise
            self._unsynced += stream.tell() - offset
            if self._unsynced >= SYNC_BYTES or time.monotonic() - self._synced >= SYNC_SECONDS:
                os.fsync(stream.fileno())
                self._synced, self._unsynced = time.monotonic(), 0


def _record(kind: WarcRecordType, date: str, block: bytes, headers: Mapping[str, str]) -> WarcRecord:
    record = WarcRecord()
    record.init_headers(kind, record_urn=uuid.UUID(int=0).urn.removeprefix("urn:").encode(), content_length=len(block))
    record.headers["WARC-Date"] = date
    for key, value in headers.items():
        record.headers[key] = value
    record.set_bytes_content(block)
    if kind == WarcRecordType.response:
        record.is_http = True
        record.parse_http()
    return record
