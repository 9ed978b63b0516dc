"""tombstones.csv and tombstone_files.csv, which Git tracks -> objects and files that were erased and must not come back."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from sengu.base import tables
from sengu.base.ids import ObjectId, sha1_of

TOMBSTONES = Path("tombstones.csv")
FILES = Path("tombstone_files.csv")  # archives and arrays that held erased objects, by MD5, the only name that DVC has for them


def erased(path: Path = TOMBSTONES) -> frozenset[str]:
    """The SHA-1s of the erased objects; none if there is no such table."""
    if not path.is_file():
        return frozenset()
    return frozenset(sha1_of(name) for name in tables.read(path, tables.Tombstone)["objectId"])


def add(objects: Iterable[ObjectId], reason: str, date: str, path: Path = TOMBSTONES) -> None:
    """Lists objects as erased; a listed one keeps its reason and date."""
    before = tables.read(path, tables.Tombstone) if path.is_file() else tables.empty(tables.Tombstone)
    new = tables.frame([tables.Tombstone(str(object_id), reason, date) for object_id in objects], tables.Tombstone)
    tables.write(path, pd.concat([before, new]).drop_duplicates("objectId"), tables.Tombstone, durable=True)


def erased_files(path: Path = FILES) -> frozenset[str]:
    """The MD5s of the files that held erased objects; none if there is no such table."""
    return frozenset(tables.read(path, tables.ErasedFile)["md5"]) if path.is_file() else frozenset()


def add_files(md5s: Iterable[str], date: str, path: Path = FILES) -> None:
    """Lists files as erased; a listed one keeps its date."""
    new = tables.frame([tables.ErasedFile(md5, date) for md5 in md5s], tables.ErasedFile)
    before = tables.read(path, tables.ErasedFile) if path.is_file() else tables.empty(tables.ErasedFile)
    if len(new):
        tables.write(path, pd.concat([before, new]).drop_duplicates("md5"), tables.ErasedFile, durable=True)
