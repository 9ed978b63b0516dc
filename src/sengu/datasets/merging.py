"""Tables of labels and a recipe -> the labels of a version, and how many rows each step left; or an error."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sengu.base import tables
from sengu.base.errors import SenguError
from sengu.base.names import counted
from sengu.base.tables import where

SHOWN = 10  # objects that an error lists
KEYS = ("site", "urlId", "objectId")


@dataclass(frozen=True)
class Step:
    """One step of a recipe, and how many rows there were before and after."""

    step: str
    before: int
    after: int


def merge(sources: Mapping[str, pd.DataFrame], prefer: str, classes: Sequence[str], name: str) -> pd.DataFrame:
    """The rows (objectId, value) of all sources, each object once, sorted; without objects that have a negative value: no class.

    Raises SenguError that lists, with both sides, the objects whose sources disagree, unless the preferred one has a value.
    """
    parts = [table[["objectId", "value"]].assign(source=source) for source, table in sources.items()]
    if len(parts) == 1:
        return parts[0][["objectId", "value"]].sort_values("objectId", ignore_index=True)
    rows = pd.concat(parts, ignore_index=True)
    different = rows.drop_duplicates(["objectId", "value"])
    disputed = different.loc[different["objectId"].duplicated(), "objectId"].unique()
    decided = rows[rows["objectId"].isin(disputed)]
    if prefer:
        chosen = decided[decided["source"] == prefer]
        decided = decided[~decided["objectId"].isin(chosen["objectId"])]
    if len(decided):
        raise SenguError(_conflicts(decided, list(sources), classes, name))
    if prefer:  # its rows come first, and the first row of an object stays
        rows = rows.sort_values("source", key=lambda column: column != prefer, kind="stable")
    merged = rows.drop_duplicates("objectId")[["objectId", "value"]]
    return merged[merged["value"] >= 0].sort_values("objectId", ignore_index=True)


def by_models(merged: pd.DataFrame, sources: Mapping[str, pd.DataFrame], machines: Mapping[str, Collection[str]]) -> pd.Series:
    """Marks the rows of `merged` that no person labelled, bool: every source that gives their label has it from a model.

    `machines` names, of each source, the objects whose label is a model's.
    """
    people = [table[~table["objectId"].isin(list(machines.get(name, ())))] for name, table in sources.items()]
    said = pd.concat(people)[["objectId", "value"]].drop_duplicates().assign(person=True)
    return merged.merge(said, on=["objectId", "value"], how="left")["person"].isna()


def _conflicts(rows: pd.DataFrame, sources: Sequence[str], classes: Sequence[str], name: str) -> str:
    listed = []
    objects = sorted(rows["objectId"].unique())
    for object_id in objects[:SHOWN]:
        of_object = rows[rows["objectId"] == object_id]
        sides = (
            f"{classes[value] if value >= 0 else 'without a class'} in {source}"
            for source, value in zip(of_object["source"], of_object["value"], strict=True)
        )
        listed.append(f"{object_id} is {', '.join(sides)}")
    more = f"; and {len(objects) - SHOWN} more" if len(objects) > SHOWN else ""
    return (
        f"{name}: its sources differ on {counted(len(objects), 'object')}: {'; '.join(listed)}{more}: say which counts, with "
        f"--prefer {'|'.join(sources)} (of `sengu dataset create`, and of its command in datasets/dvc.yaml), or correct the "
        "labels and run `dvc repro label`"
    )


def compose(
    labels: pd.DataFrame, steps: Sequence[tuple[str, Callable[[pd.DataFrame], np.ndarray]]]
) -> tuple[pd.DataFrame, list[Step]]:
    """The rows that are left after every step, in order; a step marks the rows (bool) that stay."""
    done = []
    for step, stays in steps:
        kept = labels[stays(labels)].reset_index(drop=True)
        done.append(Step(step, len(labels), len(kept)))
        labels = kept
    return labels, done


def meeting(text: str, index: pd.DataFrame, captures: pd.DataFrame, labels: pd.DataFrame, classes: Sequence[str]) -> list[str]:
    """The ids of the objects of which one row of index, captures and labels meets the condition, sorted."""
    condition = where.parse(text)
    table: pd.DataFrame = index[tables.among(index["objectId"], labels["objectId"])] if "value" in condition.columns else index
    named = labels.assign(label=np.array(classes, dtype=object)[labels["value"]])
    if condition.columns & (set(captures.columns) - set(index.columns)):  # a picture stands on several pages
        table = where.joined([table, captures, named], KEYS)
    else:
        table = where.joined([table, captures.iloc[:0].drop(columns=["site"]), named], KEYS)
    return sorted(set(table.loc[condition.of(table), "objectId"]))


def without(ids: Collection[str]) -> Callable[[pd.DataFrame], np.ndarray]:
    """A step that takes objects out."""
    return lambda labels: ~labels["objectId"].isin(list(ids)).to_numpy()


def only(ids: Collection[str]) -> Callable[[pd.DataFrame], np.ndarray]:
    """A step that leaves objects in."""
    return lambda labels: labels["objectId"].isin(list(ids)).to_numpy()


def largest(labels: pd.DataFrame, groups: pd.Series, sizes: pd.DataFrame) -> np.ndarray:
    """Marks the rows that stay: of each group and class, the picture with the most pixels, then bytes, then the smallest id.

    `groups` names the group of each row; `sizes` has width, height and bytes by objectId.
    """
    of_row = sizes.reindex(labels["objectId"]).reset_index(drop=True).fillna(0)
    order = pd.DataFrame(
        {
            "row": np.arange(len(labels)),
            "group": groups.to_numpy(),
            "value": labels["value"].to_numpy(),
            "pixels": -(of_row["width"] * of_row["height"]).to_numpy(),
            "bytes": -of_row["bytes"].to_numpy(),
            "objectId": labels["objectId"].to_numpy(),
        }
    ).sort_values(["pixels", "bytes", "objectId"], kind="stable")
    stays = np.zeros(len(labels), dtype=bool)
    stays[order.drop_duplicates(["group", "value"])["row"].to_numpy()] = True
    return stays


def check(labels: pd.DataFrame, classes: Sequence[str], name: str, steps: Sequence[Step]) -> None:
    """Raises SenguError for a version without rows, or with a class that has none."""
    less = "ask for less in --where, --exclude and --clean of its stage in datasets/dvc.yaml"
    done = ", ".join(f"{step.step}: {step.before} -> {step.after}" for step in steps if step.after < step.before)
    because = f" ({done})" if done else ""
    if labels.empty:
        raise SenguError(f"{name} would be empty{because}: {less}")
    missing = [names for value, names in enumerate(classes) if not (labels["value"] == value).any()]
    if missing:
        raise SenguError(f"{name} would have no picture of class {', '.join(missing)}{because}: label some, or {less}")
