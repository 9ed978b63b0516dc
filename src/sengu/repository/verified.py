"""A file -> when it was last whole, and its stamp then: the memory of `verify`, `heal`, crawls and `remote check`.

It is kept in .sengu/. If it is lost or damaged, some files are hashed unnecessarily.
"""

import sqlite3
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sengu.base import working

WAIT = 60.0  # seconds for another process that writes
ROUND = "round"  # when the verification began that is not finished yet
SCHEMA = """
CREATE TABLE IF NOT EXISTS verified (place TEXT PRIMARY KEY, digest TEXT, stamp TEXT, at REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS noted (name TEXT PRIMARY KEY, value REAL) WITHOUT ROWID;
"""


def stamp(path: Path) -> str:
    """A stamp that changes when a file is written, replaced or touched, or its time is set back. Raises OSError for no file."""
    state = path.stat()
    return f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns} {state.st_ino}"


class Memory:
    """The memory of files, by place: a path in the repository, or another name of a copy."""

    def __init__(self, path: Path | str):
        self._connection = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
        self._connection.execute("PRAGMA synchronous = OFF")  # a kill takes nothing; after a power cut it may be damaged
        if self._connection.execute("PRAGMA quick_check").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("damaged")
        self._connection.executescript(SCHEMA)

    def close(self) -> None:
        self._connection.close()

    def times(self) -> dict[str, float]:
        """The time when each place was last whole, in seconds since 1970."""
        return dict(self._rows("SELECT place, at FROM verified"))

    def below(self, begin: str) -> dict[str, tuple[str, float]]:
        """Stamp and time of every place whose name begins so."""
        rows = self._rows("SELECT place, stamp, at FROM verified WHERE substr(place, 1, ?) = ?", len(begin), begin)
        return {place: (mark, at) for place, mark, at in rows}

    def holds(self, place: str, digest: str, mark: str, since: float = 0) -> bool:
        """True if a file with this digest and stamp was whole at `since` or later."""
        query = "SELECT 1 FROM verified WHERE place = ? AND digest = ? AND stamp = ? AND at >= ?"
        return bool(self._rows(query, place, digest, mark, since))

    def digest(self, place: str, mark: str) -> str | None:
        """The digest of a file that was found whole, if it has this stamp still."""
        rows = self._rows("SELECT digest FROM verified WHERE place = ? AND stamp = ?", place, mark)
        return str(rows[0][0]) if rows else None

    def remember(self, place: str, digest: str, mark: str, at: float | None = None) -> None:
        self._change("INSERT OR REPLACE INTO verified VALUES (?, ?, ?, ?)", place, digest, mark, at or time.time())

    def forget(self, place: str) -> None:
        self._change("DELETE FROM verified WHERE place = ?", place)

    def keep_only(self, places: Collection[str], is_meant: Callable[[str], bool]) -> None:
        """Forgets the places that are not among `places`."""
        for place in [place for place in self.times() if place not in places and is_meant(place)]:
            self.forget(place)

    def noted(self, name: str) -> float | None:
        rows = self._rows("SELECT value FROM noted WHERE name = ?", name)
        return rows[0][0] if rows else None

    def note(self, name: str, value: float | None) -> None:
        """Keeps a number under a name; None takes it out."""
        if value is None:
            self._change("DELETE FROM noted WHERE name = ?", name)
        else:
            self._change("INSERT OR REPLACE INTO noted VALUES (?, ?)", name, value)

    def _rows(self, query: str, *values: Any) -> list[Any]:
        return self._connection.execute(query, values).fetchall()

    def _change(self, query: str, *values: Any) -> None:
        with suppress(sqlite3.OperationalError):  # a full or read-only disk costs only time
            self._connection.execute(query, values)


@contextmanager
def opened(path: Path | None = None) -> Iterator[Memory]:
    """The memory of this clone. A damaged one is begun anew; on a full disk, it lasts only as long as this process."""
    path = path or working.VERIFIED
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        memory = Memory(path)
    except (OSError, sqlite3.DatabaseError):
        with suppress(OSError):
            path.unlink(missing_ok=True)
            Path(f"{path}-journal").unlink(missing_ok=True)
        try:
            memory = Memory(path)
        except sqlite3.OperationalError:
            memory = Memory(":memory:")
    try:
        yield memory
    finally:
        memory.close()
