"""People's decisions on groups of near-duplicates -> duplicate_groups.csv, which Git tracks and the stage `duplicates` heeds.

A person confirms that a group shows one picture, or splits it into parts. The pictures of a part stay together whatever the
stage finds; a split holds until a picture joins the group that nobody decided on: then the group is whole again, since it is not
known which part the new picture is like, and a near-duplicate in training and test is the worse error.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from sengu.base import tables

FILE = Path("duplicate_groups.csv")


def read(path: Path = FILE) -> pd.DataFrame:
    """Rows of GroupDecision; none if there is no such file."""
    return tables.read(path, tables.GroupDecision) if path.is_file() else tables.empty(tables.GroupDecision)


def decide(parts: Iterable[Sequence[str]], annotator: str, path: Path = FILE) -> None:
    """Records that the object ids of each part are one group, apart from the other parts; this replaces earlier decisions."""
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    new = [tables.GroupDecision(name, min(part), annotator, at) for part in parts for name in part]
    table, before = tables.frame(new, tables.GroupDecision), read(path)
    before = before[~before["objectId"].isin(table["objectId"])]
    tables.write(path, pd.concat([before, table], ignore_index=True), tables.GroupDecision, durable=True)


def linked(ids: Iterable[str], decided: pd.DataFrame) -> list[str]:
    """The part that people assigned each object to, or the object itself."""
    part_of = dict(zip(decided["objectId"], decided["group"], strict=True))
    return [part_of.get(name, name) for name in ids]


def split(table: pd.DataFrame, decided: pd.DataFrame) -> pd.Series:
    """The column `group` of a table that also has objectId, with people's splits applied."""
    groups = table["group"]
    parts = table["objectId"].map(decided.set_index("objectId")["group"])
    has_new = parts.isna().groupby(groups).transform("any")
    names: pd.Series = table.groupby([groups, parts.where(~has_new, groups)])["objectId"].transform("min")
    return names
