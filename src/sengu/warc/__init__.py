"""Archives: WARC files of one site in a folder, and what they hold."""

from sengu.warc.index import forget, gather, indexed, read
from sengu.warc.erasing import erase, holding
from sengu.warc.reading import OPEN, Archive, Entry, UnreadableCapture, body, decode, entries, files, headers_and_body, info, payload, payload_sha1
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
    "forget",
    "gather",
    "headers_and_body",
    "holding",
    "indexed",
    "info",
    "payload",
    "payload_sha1",
    "read",
]
