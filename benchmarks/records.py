"""The record files of .sengu against sqlite3: seconds to append 100,000 records and to load them, bytes, and what a kill leaves.

    python benchmarks/records.py [--records 100000] [--rounds 3]

Outcomes holds lines of text, Prepared and Journal hold arrays (here 3 KB and 4 KB). sqlite3 keeps the same names and values in
one table, commits after each batch of 32 as they write after each, and asks for no fsync, since neither do they: both survive
the kill of a program, not of the machine. Once with the rollback journal, and once with the write-ahead log, which does not work
on NFS (https://sqlite.org/wal.html). Seconds are those of the processor, which other programs change less than the clock. For
the kill, a program appends until SIGKILL ends it, and says each batch that it has written; then it is counted how many records of
those are there.
"""

import argparse
import json
import os
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sengu.caches import array_cache
from sengu.caches.outcomes import Outcomes
from sengu.duplicates.fingerprints import RECORD, Fingerprint, Journal, record

BATCH = 32
SHAPE = (32, 32, 3)
OUTCOME = ["0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33.jpg", "jpg", 640, 480, 61234, 0, ""]
PRINT = Fingerprint(
    *(np.zeros(RECORD[name].shape, RECORD[name].base) for name in ("pixels", "hashes", "mirrored", "thumbnail", "colours"))
)


class Way(Protocol):
    """A way to keep records: `write` appends names in batches and yields after each, `load` returns how many are there."""

    def write(self, path: Path, names: list[str]) -> Iterator[int]: ...
    def load(self, path: Path, names: list[str]) -> int: ...


class OfOutcomes:
    def write(self, path: Path, names: list[str]) -> Iterator[int]:
        outcomes = Outcomes(path / "outcomes", "key")
        for batch in batches(names):
            outcomes.append((name, OUTCOME) for name in batch)
            yield len(batch)
        outcomes.close()

    def load(self, path: Path, names: list[str]) -> int:
        outcomes = Outcomes(path / "outcomes", "key")
        return sum(outcomes.find(name) is not None for name in names)


class OfArrays:
    def write(self, path: Path, names: list[str]) -> Iterator[int]:
        arrays = np.ones((BATCH, *SHAPE), np.uint8)
        with array_cache.opened(path / "arrays", "key", names, SHAPE, "u1") as known:
            for batch in batches(names):
                known.add(batch, arrays[: len(batch)])
                yield len(batch)

    def load(self, path: Path, names: list[str]) -> int:
        with array_cache.opened(path / "arrays", "key", names, SHAPE, "u1") as known:
            return sum(bool(known[name].size) for name in names if name in known)


class OfPrints:
    def write(self, path: Path, names: list[str]) -> Iterator[int]:
        with Journal(path).appending() as file:
            for batch in batches(names):
                for name in batch:
                    file.write(record(name, PRINT).tobytes())
                file.flush()
                yield len(batch)

    def load(self, path: Path, names: list[str]) -> int:
        return int(np.count_nonzero(Journal(path).read(names)["objectId"]))


class OfSqlite:
    def __init__(self, value: bytes, mode: str, decoded: Callable[[bytes], Any]):
        self.value, self.mode, self.decoded = value, mode, decoded

    @contextmanager
    def opened(self, path: Path) -> Iterator[sqlite3.Connection]:
        base = sqlite3.connect(path / "records.sqlite")
        base.execute(f"pragma journal_mode={self.mode}")
        base.execute("pragma synchronous=off")
        base.execute("create table if not exists records (name text primary key, value blob) without rowid")
        yield base
        base.close()

    def write(self, path: Path, names: list[str]) -> Iterator[int]:
        with self.opened(path) as base:
            for batch in batches(names):
                base.executemany("insert or replace into records values (?, ?)", [(name, self.value) for name in batch])
                base.commit()
                yield len(batch)

    def load(self, path: Path, names: list[str]) -> int:
        wanted = set(names)
        with self.opened(path) as base:
            return sum(
                name in wanted and self.decoded(value) is not None
                for name, value in base.execute("select name, value from records")
            )


def batches(names: list[str]) -> Iterator[list[str]]:
    return (names[start : start + BATCH] for start in range(0, len(names), BATCH))


def as_array(value: bytes) -> np.ndarray:
    return np.frombuffer(value, np.uint8).copy()


def ways() -> dict[str, dict[str, Way]]:
    values = {
        "Outcomes": (OfOutcomes(), json.dumps(OUTCOME).encode(), json.loads),
        "Prepared": (OfArrays(), bytes(int(np.prod(SHAPE))), as_array),
        "Journal": (OfPrints(), bytes(RECORD.itemsize), as_array),
    }
    return {
        name: {"ours": way, "sqlite3": OfSqlite(value, "delete", decoded), "sqlite3, WAL": OfSqlite(value, "wal", decoded)}
        for name, (way, value, decoded) in values.items()
    }


def named(count: int) -> list[str]:
    chance = np.random.default_rng(0)
    return [f"{chance.bytes(20).hex()}.jpg" for _ in range(count)]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.process_time()
    result = work()
    return time.process_time() - begun, result


def killed(kind: str, way: str, path: Path, count: int) -> tuple[int, int]:
    """How many records a program had written when it was killed, and how many of all are there."""
    command = [sys.executable, __file__, "--records", str(count), "--append", kind, way, str(path)]
    written = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            written += int(line)
            if written >= count // 2:
                running.send_signal(signal.SIGKILL)
    return written, ways()[kind][way].load(path, named(count))


def compared(kind: str, names: list[str], rounds: int, folder: Path) -> None:
    appended: dict[str, list[float]] = {}
    loaded: dict[str, list[float]] = {}
    sizes, left = {}, {}
    for number in range(rounds + 1):
        for name, way in ways()[kind].items():
            path = folder / "records"
            path.mkdir()
            if number == rounds:
                left[name] = killed(kind, name, path, len(names))
            else:
                appended.setdefault(name, []).append(timed(lambda way=way, path=path: sum(way.write(path, names)))[0])
                sizes[name] = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
                seconds, count = timed(lambda way=way, path=path: way.load(path, names))
                assert count == len(names), (name, count)
                loaded.setdefault(name, []).append(seconds)
            shutil.rmtree(path)
    first = [statistics.median(seconds["ours"]) for seconds in (appended, loaded)]
    for name in appended:
        medians = [statistics.median(seconds[name]) for seconds in (appended, loaded)]
        ratios = " ".join(f"{median:6.2f} s {median / ours:5.2f}" for median, ours in zip(medians, first, strict=True))
        written, there = left[name]
        print(
            f"{kind:9} {name:13} {ratios}  {sizes[name] / 1e6:6.0f} MB  {written:,} written before a kill, {there:,} there",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--append", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    names = named(options.records)
    if options.append:
        kind, way, path = options.append
        for count in ways()[kind][way].write(Path(path), names):
            print(count, flush=True)
        return
    print(f"{options.records:,} records, load {os.getloadavg()[0]:.1f}; seconds and ratio: append, load")
    with tempfile.TemporaryDirectory() as folder:
        for kind in ways():
            compared(kind, names, options.rounds, Path(folder))


if __name__ == "__main__":
    main()
