"""An archive file and the SHA-1s of payloads -> the file without the records that hold them; every other byte stays."""

from collections.abc import Collection
from pathlib import Path

from fastwarc.warc import ArchiveIterator

from sengu.base.atomic import replaced_file
from sengu.warc.archive import Entry
from sengu.warc.payloads import payload_sha1
from sengu.warc.reading import body, entries


def holding(path: Path, sha1s: Collection[str]) -> list[Entry]:
    """The records of an archive file with these payloads; every record is read and hashed, independent of the tables."""
    answers = (entry for entry in entries(path) if not entry.refers)
    return [entry for entry in answers if payload_sha1(body(entry), entry.header("Content-Encoding")) in sha1s]


def erase(path: Path, unwanted: Collection[Entry]) -> None:
    """Rewrites an archive file without some of its records."""
    offsets = {entry.offset for entry in unwanted}
    with path.open("rb") as stream:
        starts = [record.stream_pos for record in ArchiveIterator(stream, parse_http=False)]
    with path.open("rb") as old, replaced_file(path, durable=True) as partial, partial.open("wb") as new:
        ends = [*starts[1:], path.stat().st_size]
        for start, end in zip(starts, ends, strict=True):
            if start not in offsets:
                old.seek(start)
                new.write(old.read(end - start))
