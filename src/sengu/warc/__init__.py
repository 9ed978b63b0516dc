"""Archives: WARC files of one site in a folder, and what they hold."""

from sengu.warc.cache import indexed, read
from sengu.warc.erasing import erase
from sengu.warc.reading import (
    OPEN,
    Archive,
    Entry,
    UnreadableCapture,
    body,
    decode,
    entries,
    files,
    headers_and_body,
    info,
    payload,
)
from sengu.warc.writing import Writer

__all__ = [
    "OPEN",
    "Archive",
    "Entry",
    "UnreadableCapture",
    "Writer",
    "body",
    "decode",
    "entries",
    "erase",
    "files",
    "headers_and_body",
    "indexed",
    "info",
    "payload",
    "read",
]
