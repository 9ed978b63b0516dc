"""Names <-> arrays of one shape: the working caches of prepare and features in .sengu/, which save a rerun from making them anew.

One file per key, which stands for all that decides the arrays beside their names. It holds records of name, CRC-32 and array,
and only of names that are wanted now: opening it drops the others, so it never outgrows the output it serves. A record counts
only if its checksum is right: what a killed run left half-written is made again.
"""

import fcntl
import logging
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import numpy as np

from sengu.base.io_errors import named

LOCK = "lock"

logger = logging.getLogger("prepared")


class Prepared:
    """Arrays of `shape` and `dtype` in an open file, under the names `wanted`, of at most 64 ASCII letters."""

    def __init__(self, stream: FileIO, wanted: Iterable[str], shape: Sequence[int], dtype: str):
        self._stream = stream
        self._record = np.dtype([("name", "S64"), ("check", "<u4"), ("array", dtype, tuple(shape))])
        self._places: dict[str, int] = {}  # counted in records
        self._load(set(wanted))

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def __getitem__(self, name: str) -> np.ndarray:
        array: np.ndarray = self._read(self._places[name])["array"][0]
        return array

    def add(self, names: Sequence[str], arrays: np.ndarray) -> None:
        """Appends arrays, (n, *shape), under new names; they survive a kill."""
        records = np.zeros(len(names), self._record)
        records["name"], records["array"] = [name.encode("ascii") for name in names], arrays
        records["check"] = [_checksum(record) for record in records]
        self._write(len(self._places), records)
        self._places.update(zip(names, range(len(self._places), len(self._places) + len(names)), strict=True))

    def _load(self, wanted: set[str]) -> None:
        gaps = []
        for place in range(os.fstat(self._stream.fileno()).st_size // self._record.itemsize):
            record = self._read(place)[0]
            name = record["name"].decode("ascii", "replace")
            if name in wanted and name not in self._places and record["check"] == _checksum(record):
                self._places[name] = place
            else:
                gaps.append(place)
        # the last records move into the gaps; a kill in between leaves a duplicate or broken record, which is a gap, too
        count = len(self._places)
        behind = [name for name, place in self._places.items() if place >= count]
        for name, gap in zip(behind, gaps, strict=False):
            self._write(gap, self._read(self._places[name]))
            self._places[name] = gap
        self._stream.truncate(count * self._record.itemsize)

    def _read(self, place: int) -> np.ndarray:
        record = np.empty(1, self._record)
        self._stream.seek(place * self._record.itemsize)
        self._stream.readinto(record.view(np.uint8).data)
        return record

    def _write(self, place: int, records: np.ndarray) -> None:
        self._stream.seek(place * self._record.itemsize)
        left = records.view(np.uint8).data
        with named(Path(str(self._stream.name))):
            while left:
                left = left[self._stream.write(left) :]


@contextmanager
def opened(folder: Path, key: str, wanted: Iterable[str], shape: Sequence[int], dtype: str) -> Iterator[Prepared]:
    """The arrays known under `key` in `folder`, where those of other keys are removed.

    One run at a time: a second one waits for the first to end, and then finds its arrays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.info("another run works with %s: waiting for it to end", folder)
            fcntl.flock(lock, fcntl.LOCK_EX)
        path = folder / key
        for other in folder.iterdir():
            if other not in (path, folder / LOCK):
                other.unlink()
        path.touch()
        with FileIO(path, "r+") as stream:
            yield Prepared(stream, wanted, shape, dtype)


def _checksum(record: np.void) -> int:
    return zlib.crc32(record["array"].tobytes(), zlib.crc32(record["name"]))
