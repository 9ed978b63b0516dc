"""tombstones.csv, which Git tracks -> the objects that were erased for good, and must not come back."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from sengu.base import tables
from sengu.base.ids import ObjectId, sha1_of

TOMBSTONES = Path("tombstones.csv")


def erased(path: Path = TOMBSTONES) -> frozenset[str]:
    """The SHA-1s of the erased objects; none if there is no such table."""
    if not path.is_file():
        return frozenset()
    return frozenset(sha1_of(name) for name in tables.read(path, tables.Tombstone)["objectId"])


def add(objects: Iterable[ObjectId], reason: str, date: str, path: Path = TOMBSTONES) -> None:
    """Lists objects as erased; what is listed already keeps its reason and date."""
    before = tables.read(path, tables.Tombstone) if path.is_file() else tables.empty(tables.Tombstone)
    new = tables.frame([tables.Tombstone(str(object_id), reason, date) for object_id in objects], tables.Tombstone)
    tables.write(path, pd.concat([before, new]).drop_duplicates("objectId"), tables.Tombstone, durable=True)
