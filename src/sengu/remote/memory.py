"""Objects of a remote -> when each was last read and right: in the memory that `sengu verify` keeps of this clone, too."""

import time
from collections.abc import Iterable

from sengu.remote.stored import md5_of
from sengu.repository import verified

WRITTEN_AT_ONCE = 100


class Memory:
    """The memory of one remote; an object that has changed since (another stamp) counts as never read."""

    def __init__(self, name: str):
        self._begin = f"remote {name} "
        self._fresh: list[tuple[str, str, float]] = []

    def verified(self) -> dict[str, tuple[str, float]]:
        """oid -> stamp and time."""
        with verified.opened() as memory:
            return {place.removeprefix(self._begin): seen for place, seen in memory.below(self._begin).items()}

    def remember(self, oid: str, stamp: str) -> None:
        self._fresh.append((oid, stamp, time.time()))
        if len(self._fresh) >= WRITTEN_AT_ONCE:  # so that an interrupted check keeps its results
            self.save()

    def forget(self, oids: Iterable[str]) -> None:
        with verified.opened() as memory:
            for oid in oids:
                memory.forget(self._begin + oid)

    def save(self) -> None:
        with verified.opened() as memory:
            for oid, stamp, at in self._fresh:
                memory.remember(self._begin + oid, md5_of(oid), stamp, at)
        self._fresh.clear()
