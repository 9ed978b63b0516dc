"""The index of a site and its archive <-> records.csv: where the archive holds the objects that have no files of their own."""

import csv
import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

import pandas as pd

from sengu import warc
from sengu.base import tables
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId

NAME = "records.csv"


class Records:
    """The table in the folder of one site; without one it is empty.

    It is searched as lines, which are sorted: to make a frame of half a million takes longer than most commands.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    @property
    def path(self) -> Path:
        return self.folder / NAME

    def __bool__(self) -> bool:
        return self.path.is_file()

    def __iter__(self) -> Iterator[ObjectId]:
        return (ObjectId.parse(line.partition(",")[0]) for line in self._lines)

    def find(self, object_id: ObjectId) -> warc.Place | None:
        """The place of an object in the archive; None if the table has none. Raises SenguError for a broken line."""
        position = bisect_left(self._lines, f"{object_id},")
        if position == len(self._lines) or not self._lines[position].startswith(f"{object_id},"):
            return None
        try:
            _, file, offset, length = next(csv.reader([self._lines[position]]))
            return warc.Place(os.path.normpath(self.folder / file), int(offset), int(length))
        except ValueError as error:
            raise SenguError(f"{self.path}:{position + 2}: not a record: `sengu objects heal` writes the table again") from error

    def beginning_with(self, prefix: str) -> Iterator[ObjectId]:
        for position in range(bisect_left(self._lines, prefix), len(self._lines)):
            if not self._lines[position].startswith(prefix):
                return
            yield ObjectId.parse(self._lines[position].partition(",")[0])

    @cached_property
    def _lines(self) -> list[str]:
        return self.path.read_text(encoding="utf-8").splitlines()[1:] if self else []


def write(folder: Path, index: pd.DataFrame, urls: Mapping[str, str], archive: warc.Archive) -> None:
    """Writes the table of a site: `index` are rows of IndexRow, `urls` the URL as archived of each URL id."""
    captured = index[index["video"] == ""]  # a frame is in no archive
    pairs = zip(captured["objectId"], captured["urlId"], strict=True)
    rows = {str(object_id): place for object_id, place in _places(pairs, urls, archive)}
    # a site may be moved as a whole, and is mounted elsewhere on another machine
    files = {place.file: os.path.relpath(place.file, folder) for place in rows.values()}
    records = [tables.Record(name, files[place.file], place.offset, place.length) for name, place in rows.items()]
    tables.write(folder / NAME, tables.frame(records, tables.Record), tables.Record)


def _places(
    captured: Iterable[tuple[str, str]], urls: Mapping[str, str], archive: warc.Archive
) -> Iterator[tuple[str, warc.Place]]:
    """The place of every captured object; of what was captured several times the first in the archive comes last."""
    entries = ((object_id, archive.resolve(urls[url_id])) for object_id, url_id in captured if url_id in urls)
    places = [(object_id, archive.place(entry)) for object_id, entry in entries if entry is not None]
    return iter(sorted(places, key=lambda pair: (pair[1].file, pair[1].offset), reverse=True))
