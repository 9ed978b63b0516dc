"""An archive file and the SHA-1s of payloads -> the file without the records that hold them; every other byte stays."""

import hashlib
from collections.abc import Collection
from pathlib import Path

from fastwarc.warc import ArchiveIterator

from sengu.atomic import replaced_file
from sengu.warc.reading import Entry, UnreadableCapture, entries, payload


def erase(path: Path, sha1s: Collection[str]) -> list[str]:
    """Rewrites one archive file if it holds such payloads; returns the URLs of the records that went.

    Every record is read and hashed, whatever the tables know of it.
    """
    unwanted = {entry.offset: entry.url for entry in entries(path) if _sha1(entry) in sha1s}
    if not unwanted:
        return []
    with path.open("rb") as stream:
        starts = [record.stream_pos for record in ArchiveIterator(stream, parse_http=False)]
    with path.open("rb") as old, replaced_file(path) as partial, partial.open("wb") as new:
        ends = [*starts[1:], path.stat().st_size]
        for start, end in zip(starts, ends, strict=True):
            if start not in unwanted:
                old.seek(start)
                new.write(old.read(end - start))
    return list(unwanted.values())


def _sha1(entry: Entry) -> str:
    try:
        return hashlib.sha1(payload(entry), usedforsecurity=False).hexdigest()
    except UnreadableCapture:  # it never became an object
        return ""
