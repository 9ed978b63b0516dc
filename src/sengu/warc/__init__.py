"""Archives: WARC files of one site in a folder, and what they hold."""

from sengu.warc.reading import (
    Archive,
    Entry,
    UnreadableCapture,
    body,
    entries,
    files,
    headers_and_body,
    info,
    payload,
    read,
)
from sengu.warc.writing import OPEN, Writer

__all__ = [
    "OPEN",
    "Archive",
    "Entry",
    "UnreadableCapture",
    "Writer",
    "body",
    "entries",
    "files",
    "headers_and_body",
    "info",
    "payload",
    "read",
]
