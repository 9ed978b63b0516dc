"""CSV files <-> pandas frames whose columns, spelling and order are checked: the only reader and writer of tables.

A row type is a frozen dataclass whose fields are the columns, in order. Errors name the file, the line and the value.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from operator import lt
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from sengu import csvfile
from sengu.atomic import replaced_file
from sengu.errors import SenguError
from sengu.ids import OBJECT_ID, URL_ID

Row = TypeVar("Row")

TYPES = ("train", "validation", "test", "excluded")

HEX, LETTERS = b"0123456789abcdef", b"0123456789abcdefghijklmnopqrstuvwxyz"
NAMES = ("objectId", "group")  # columns of object ids
FEW = ("value", "type")  # columns of few different cells
# column name -> (pattern that every cell must match, what the user is told was expected)
SPELLINGS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "objectId": (OBJECT_ID.pattern.replace("?P<sha1>", "?:").replace("?P<extension>", "?:"), "an object id"),
        "group": (OBJECT_ID.pattern.replace("?P<sha1>", "?:").replace("?P<extension>", "?:"), "an object id"),
        "urlId": (URL_ID.pattern, "40 lower-case hex digits"),
        "value": (r"0|[1-9][0-9]{0,5}", "a class number, 0 or greater"),
        "type": ("|".join(TYPES), "one of " + ", ".join(TYPES)),
    }
)


@dataclass(frozen=True)
class Capture:
    """One picture or video found on one page (data/captures/<site>.csv); `tags` are joined by "|".

    `url` is the address as archived; `urlId` names its canonical form. `fetched` and `modified` are ISO 8601 in UTC.
    `status` is the HTTP status after redirects, 0 if the archive holds no answer.
    """

    urlId: str
    url: str
    page: str
    tags: str
    device: str
    filename: str
    fetched: str
    modified: str
    status: int


@dataclass(frozen=True)
class Failed:
    """One URL that a crawl could not fetch or was not to take (data/failed/<site>.csv); the next crawl asks again.

    `page` is where it was found; `steps` counts the links from the start, and is -1 for a picture or video.
    """

    url: str
    page: str
    steps: int
    reason: str


@dataclass(frozen=True)
class IndexRow:
    """One captured URL that became an object (data/index/<site>.csv), or a frame of a video that did.

    Width and height in pixels as stored in the file. `milliseconds` is the duration of a video, or the time of a frame in
    it, and 0 for a picture; `video` is the object id of a frame's video, and empty otherwise.
    """

    objectId: str
    urlId: str
    format: str
    width: int
    height: int
    bytes: int
    milliseconds: int = 0
    video: str = ""


@dataclass(frozen=True)
class Rejected:
    """One captured URL that did not become an object (data/rejected/<site>.csv)."""

    urlId: str
    reason: str


@dataclass(frozen=True)
class Tombstone:
    """One object that was erased for good (tombstones.csv, which Git tracks); `date` is ISO 8601."""

    objectId: str
    reason: str
    date: str


@dataclass(frozen=True)
class Label:
    """One labelled object (data/label.csv and every dataset version)."""

    objectId: str
    value: int


@dataclass(frozen=True)
class Conflict:
    """One object left out because its sources disagree (data/label_conflicts.csv); lists are joined by "|"."""

    objectId: str
    values: str
    sources: str


@dataclass(frozen=True)
class Duplicate:
    """One object that has duplicates (data/duplicates.csv); `group` is the smallest object id among them."""

    objectId: str
    group: str


@dataclass(frozen=True)
class SplitLabel:
    """One example of the split (data/split_label.csv)."""

    objectId: str
    value: int
    type: str


def columns(row_type: type) -> list[str]:
    return [field.name for field in fields(row_type)]


def empty(row_type: type) -> pd.DataFrame:
    return frame([], row_type)


def frame(rows: Iterable[Any], row_type: type) -> pd.DataFrame:
    """Rows of `row_type` as a frame with its columns and dtypes (int64 for int, str otherwise)."""
    names = columns(row_type)
    table = pd.DataFrame([[getattr(row, name) for name in names] for row in rows], columns=names)
    return table.astype({f.name: np.int64 if f.type is int else "str" for f in fields(row_type)})


def rows(table: pd.DataFrame, row_type: type[Row]) -> list[Row]:
    """A frame as values of its row type."""
    return [row_type(**dict(zip(table.columns, cells, strict=True))) for cells in table.itertuples(index=False, name=None)]


def read(path: Path, row_type: type) -> pd.DataFrame:
    """Reads a table of `row_type`. Raises SenguError naming file, line and value for anything malformed."""
    names = columns(row_type)
    table, lines = csvfile.numbered(path)
    if list(table.columns) != names:
        raise SenguError(f"{path}:1: columns are {','.join(table.columns)}, expected {','.join(names)}")
    for field in fields(row_type):
        table[field.name] = _checked(table[field.name], field.type is int, path, lines)
    return table


def write(path: Path, table: pd.DataFrame, row_type: type) -> None:
    """Writes a table of `row_type`, sorted by its columns, without an index, atomically."""
    names = columns(row_type)
    first = table[names[0]].tolist()
    if not all(map(lt, first, islice(first, 1, None))):
        table = table.sort_values(names, kind="stable")
    with replaced_file(path) as partial:
        csvfile.write(partial, names, [table[name].tolist() for name in names])


def read_sites(folder: Path, sites: Iterable[str], row_type: type) -> pd.DataFrame:
    """Reads folder/<site>.csv of every site into one frame with a leading column `site`.

    Raises SenguError for a missing table, and for the table of a site that is not listed (a leftover would be used silently).
    """
    listed = sorted(sites)
    strangers = sorted(p.name for p in folder.glob("*.csv") if p.stem not in listed)
    if strangers:
        raise SenguError(f"{folder}/{strangers[0]} belongs to no site in params.yaml: delete it, or list its site again")
    tables = [read(folder / f"{site}.csv", row_type).assign(site=site) for site in listed]
    return pd.concat(tables, ignore_index=True)[["site", *columns(row_type)]]


def groups(ids: pd.Series, duplicates: pd.DataFrame) -> pd.Series:
    """The group of near-duplicates of each object id, by rows of Duplicate; an object in none is a group of its own."""
    return ids.map(duplicates.set_index("objectId")["group"]).astype("str").fillna(ids)


def _checked(cells: pd.Series, is_number: bool, path: Path, lines: Sequence[int]) -> pd.Series:
    pattern, expected = SPELLINGS.get(str(cells.name), (r"-?[0-9]{1,18}", "a whole number") if is_number else (None, ""))
    if pattern is None:
        return cells
    codes, different = pd.factorize(cells) if str(cells.name) in FEW else (slice(None), cells)
    if not (str(cells.name) in NAMES and _are_object_ids(cells)):
        wrong = ~pd.Series(different, dtype="str").str.fullmatch(pattern).to_numpy()[codes]
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise SenguError(f"{path}:{lines[row]}: {cells.name} is {cells.iloc[row]!r}, expected {expected}")
    return pd.Series(different.astype(np.int64)[codes], cells.index, name=cells.name) if is_number else cells


def _are_object_ids(cells: pd.Series) -> bool:
    """Is every cell an object id? A quick look at a million; what it does not pass is looked at one by one."""
    texts = cells.tolist()
    if set(map(len, texts)) != {44}:  # extensions of three letters, which nearly all have
        return False
    return all(map(_are_short_ids, (texts[start : start + csvfile.ROWS] for start in range(0, len(texts), csvfile.ROWS))))


def _are_short_ids(texts: list[str]) -> bool:
    try:
        letters = np.frombuffer("".join(texts).encode("ascii"), np.uint8).reshape(len(texts), 44)
    except UnicodeEncodeError:
        return False
    parts = ((letters[:, :40], HEX), (letters[:, 40:41], b"."), (letters[:, 41:], LETTERS))
    return not any(part.tobytes().translate(None, allowed) for part, allowed in parts)
