"""Archives: the WARC files of one site in a folder, and their contents. Owns data/raw; imports base."""

from sengu.warc.archive import Archive, Entry
from sengu.warc.erasing import erase, holding
from sengu.warc.index import forget, gather, indexed, read
from sengu.warc.payloads import UnreadableCapture, decode, payload_sha1
from sengu.warc.place import MissingArchive, Place
from sengu.warc.reading import (
    OPEN,
    DamagedRecord,
    body,
    content,
    entries,
    files,
    headers_and_body,
    info,
    is_whole,
    payload,
    uri,
)
from sengu.warc.revisits import explained
from sengu.warc.writing import Writer

__all__ = [
    "OPEN",
    "Archive",
    "DamagedRecord",
    "Entry",
    "MissingArchive",
    "Place",
    "UnreadableCapture",
    "Writer",
    "body",
    "content",
    "decode",
    "entries",
    "erase",
    "explained",
    "files",
    "forget",
    "gather",
    "headers_and_body",
    "holding",
    "indexed",
    "info",
    "is_whole",
    "payload",
    "payload_sha1",
    "read",
    "uri",
]
