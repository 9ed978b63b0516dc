"""When which object of a remote was last read and found right; kept in .sengu/remote, and safe to delete."""

import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from sengu.base.working import REMOTE

WRITTEN_AT_ONCE = 100


class Memory:
    """One small database for each remote; an object that has changed since (another stamp) counts as never read."""

    def __init__(self, name: str, root: Path = REMOTE):
        root.mkdir(parents=True, exist_ok=True)
        self.path = root / f"{name}.sqlite"
        self._fresh: list[tuple[str, str, float]] = []
        self._run("CREATE TABLE IF NOT EXISTS verified (oid TEXT PRIMARY KEY, stamp TEXT, at REAL)")

    def verified(self) -> dict[str, tuple[str, float]]:
        """oid -> stamp and time."""
        with closing(sqlite3.connect(self.path)) as database:
            return {oid: (stamp, at) for oid, stamp, at in database.execute("SELECT oid, stamp, at FROM verified")}

    def remember(self, oid: str, stamp: str) -> None:
        self._fresh.append((oid, stamp, time.time()))
        if len(self._fresh) >= WRITTEN_AT_ONCE:  # so that a stopped check has not read in vain
            self.save()

    def forget(self, oids: Iterable[str]) -> None:
        with closing(sqlite3.connect(self.path)) as database, database:
            database.executemany("DELETE FROM verified WHERE oid = ?", [(oid,) for oid in oids])

    def save(self) -> None:
        with closing(sqlite3.connect(self.path)) as database, database:
            database.executemany("INSERT OR REPLACE INTO verified VALUES (?, ?, ?)", self._fresh)
        self._fresh.clear()

    def _run(self, statement: str) -> None:
        try:
            with closing(sqlite3.connect(self.path)) as database, database:
                database.execute(statement)
        except sqlite3.DatabaseError:  # damaged: what it knew was only when
            self.path.unlink()
            with closing(sqlite3.connect(self.path)) as database, database:
                database.execute(statement)
