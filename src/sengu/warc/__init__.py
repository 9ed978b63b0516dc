"""Archives: WARC files of one site in a folder, and what they hold. Owns data/raw; imports base."""

from sengu.warc.archive import Archive, Entry
from sengu.warc.erasing import erase, holding
from sengu.warc.index import forget, gather, indexed, read
from sengu.warc.payloads import UnreadableCapture, decode, payload_sha1
from sengu.warc.reading import OPEN, body, entries, files, headers_and_body, info, payload
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
