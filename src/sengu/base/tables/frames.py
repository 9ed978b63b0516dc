"""CSV files <-> pandas frames whose columns, spelling and order are checked: the only reader and writer of tables.

A row type is a frozen dataclass whose fields are the columns, in order. Errors name the file, the line and the value.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from itertools import islice
from operator import lt
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from sengu.base.atomic import replaced_file
from sengu.base.errors import SenguError
from sengu.base.ids import OBJECT_ID, SHA1_DIGITS, SHORT_ID, URL_ID, are_object_ids, are_url_ids
from sengu.base.tables import csvfile, letters
from sengu.base.tables.rows import TYPES

Row = TypeVar("Row")

OBJECT_ID_COLUMNS = ("objectId", "group", "mirrored")
REPETITIVE_COLUMNS = ("value", "type")  # of few different cells
# column name -> (pattern that every cell must match, the word for it in errors)
SPELLINGS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "objectId": (OBJECT_ID.pattern.replace("?P<sha1>", "?:").replace("?P<extension>", "?:"), "an object id"),
        "group": (OBJECT_ID.pattern.replace("?P<sha1>", "?:").replace("?P<extension>", "?:"), "an object id"),
        "mirrored": (
            f"(?:{OBJECT_ID.pattern.replace('?P<sha1>', '?:').replace('?P<extension>', '?:')})?",
            "an object id or nothing",
        ),
        "urlId": (URL_ID.pattern, "40 lower-case hex digits"),
        "value": (r"0|[1-9][0-9]{0,5}", "a class number, 0 or greater"),
        "type": ("|".join(TYPES), "one of " + ", ".join(TYPES)),
    }
)


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
    """The rows of a frame as values of its row type."""
    return [row_type(**dict(zip(table.columns, cells, strict=True))) for cells in table.itertuples(index=False, name=None)]


def read(path: Path, row_type: type, only: Sequence[str] = ()) -> pd.DataFrame:
    """Reads a table of `row_type`, or only some of its columns. Raises SenguError naming file, line and value if malformed."""
    names = columns(row_type)
    table, lines = csvfile.numbered(path)
    if list(table.columns) != names:
        later = fields(row_type)[len(table.columns) :]
        older = list(table.columns) == names[: len(table.columns)] and all(each.default is not MISSING for each in later)
        cure = "; an older Sengu wrote it: run `dvc repro`" if older else ""
        raise SenguError(f"{path}:1: columns are {','.join(table.columns)}, expected {','.join(names)}{cure}")
    table = table[list(only)] if only else table
    checked = {
        field.name: _checked(table[field.name], field.type is int, path, lines)
        for field in fields(row_type)
        if field.name in table
    }
    return table.assign(**checked)


def write(path: Path, table: pd.DataFrame, row_type: type, durable: bool = False) -> None:
    """Writes a table of `row_type`, sorted by its columns, without an index, atomically; see `replaced_file` for `durable`."""
    names = columns(row_type)
    first = table[names[0]].tolist()
    if not all(map(lt, first, islice(first, 1, None))):
        table = table.sort_values(names, kind="stable")
    with replaced_file(path, durable=durable) as partial:
        csvfile.write_frame(partial, table[names])


def read_sites(folder: Path, sites: Iterable[str], row_type: type, only: Sequence[str] = ()) -> pd.DataFrame:
    """Reads folder/<site>.csv of every site, or only some of its columns, into one frame with a leading column `site`.

    Raises SenguError for a missing table, and for the table of a site that is not listed (a leftover would be used silently).
    """
    listed = sorted(sites)
    strangers = sorted(p.name for p in folder.glob("*.csv") if p.stem not in listed)
    if strangers:
        raise SenguError(f"{folder}/{strangers[0]} belongs to no site in params.yaml: delete it, or list its site again")
    tables = [read(folder / f"{site}.csv", row_type, only).assign(site=site) for site in listed]
    return pd.concat(tables, ignore_index=True)[["site", *(only or columns(row_type))]]


def among(column: pd.Series, others: pd.Series) -> np.ndarray:
    """Marks the texts of a column that another column has, too: bool (n,). `Series.isin` takes six times as long."""
    return np.asarray(pd.Index(others.unique()).get_indexer(pd.Index(column)) >= 0)


def groups(ids: pd.Series, duplicates: pd.DataFrame) -> pd.Series:
    """The group of near-duplicates of each object id, by rows of Duplicate; an object in none is a group of its own."""
    return ids.map(duplicates.set_index("objectId")["group"]).astype("str").fillna(ids)


def _checked(cells: pd.Series, is_number: bool, path: Path, lines: Sequence[int]) -> pd.Series:
    pattern, expected = SPELLINGS.get(str(cells.name), (r"-?[0-9]{1,18}", "a whole number") if is_number else (None, ""))
    if pattern is None:
        return cells
    codes, different = pd.factorize(cells) if str(cells.name) in REPETITIVE_COLUMNS else (slice(None), cells)
    if not _are_ids(cells):
        wrong = ~pd.Series(different, dtype="str").str.fullmatch(pattern).to_numpy()[codes]
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise SenguError(f"{path}:{lines[row]}: {cells.name} is {cells.iloc[row]!r}, expected {expected}")
    return pd.Series(different.astype(np.int64)[codes], cells.index, name=cells.name) if is_number else cells


def _are_ids(cells: pd.Series) -> bool:
    """True if all cells are right, by a quick look that only columns of ids get; False proves nothing."""
    name = str(cells.name)
    if name in OBJECT_ID_COLUMNS:
        spelled = letters.of(cells, SHORT_ID)
        return spelled is not None and are_object_ids(spelled)
    spelled = letters.of(cells, SHA1_DIGITS) if name == "urlId" else None
    return spelled is not None and are_url_ids(spelled)
