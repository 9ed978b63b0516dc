"""Words of people, models, tags and devices -> one label for each object, where it comes from, and who disagrees."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sengu.base import tables
from sengu.labels.words import BEFORE_ALL, NONE

LEAVE_OUT, MAJORITY, LATEST = "leave_out", "majority", "latest"
RANKS = ("sheet", "model", "tag", "device")  # the highest first
TEXTS = ("source", "annotator", "labelledAt", "rule", "how", "subject")


@dataclass(frozen=True)
class Merged:
    """Frames of Label, LabelDetail and Conflict."""

    labels: pd.DataFrame
    details: pd.DataFrame
    conflicts: pd.DataFrame


def latest(words: pd.DataFrame) -> pd.DataFrame:
    """The latest word of each annotator on each object, those that take a label back among them.

    labelledAt decides what is later, and a word without one comes before all others; then sheet and line. The words of a quiz
    are left out: they test the annotator, not the picture.
    """
    words = words[words["how"] != "quiz"]
    keys = [pd.factorize(words[name])[0] for name in ("objectId", "annotator")]
    pair = keys[0].astype(np.int64) * (keys[1].max(initial=0) + 1) + keys[1]
    order = np.lexsort((words["line"].to_numpy(), pd.factorize(words["sheet"], sort=True)[0], words["time"].to_numpy(), pair))
    ordered = pair[order]
    is_last = np.append(ordered[1:] != ordered[:-1], True) if len(ordered) else np.array([], dtype=bool)
    standing: pd.DataFrame = words.iloc[order[is_last]]
    return standing


def ranks(words: pd.DataFrame, tags: pd.DataFrame, devices: pd.DataFrame) -> list[pd.DataFrame]:
    """The words that stand, as frames of one rank each: people, models, page tags, devices."""
    standing = latest(words)
    standing = standing[standing["value"] != NONE]
    standing = standing.assign(source=standing["sheet"].str.cat(standing["line"].astype("str"), sep=":"))
    is_model = standing["how"] == "model"
    hints = [frame.assign(time=BEFORE_ALL, annotator="", labelledAt="", rule="", how="", subject="") for frame in (tags, devices)]
    return [standing[~is_model], standing[is_model], *hints]


def merge(words: Iterable[pd.DataFrame], disagreement: str = LEAVE_OUT) -> Merged:
    """One label per object, from `ranks` of words, the highest first.

    A rank speaks of an object only where no higher one does. Where all words of the rank agree they are the label. Where they
    differ, the object is listed, and labelled only if it is people or models who differ: by the `majority` of them, or by the
    `latest`, unless there is a draw.
    """
    columns = ["objectId", "value", "time", *TEXTS]
    best: list[pd.DataFrame] = []
    for name, rank in zip(RANKS, words, strict=True):
        rank = rank[columns].assign(rank=name)
        for higher in best:
            if len(higher) and len(rank):
                rank = rank[~rank["objectId"].isin(higher["objectId"])]
        best.append(rank)
    table = pd.concat([rank for rank in best if len(rank)] or best[:1], ignore_index=True)
    codes, _ = pd.factorize(table["objectId"])
    order = np.argsort(codes, kind="stable")
    table, codes = table.iloc[order].reset_index(drop=True), codes[order]
    starts = np.flatnonzero(np.append(True, codes[1:] != codes[:-1])) if len(codes) else np.array([], dtype=np.int64)
    values = table["value"].to_numpy()
    chosen = values[starts].copy()
    if len(starts):
        disputed = np.flatnonzero(np.minimum.reduceat(values, starts) != np.maximum.reduceat(values, starts))
    else:
        disputed = starts
    ends = np.append(starts[1:], len(table))
    conflicts = []
    for group in disputed:
        part = table.iloc[starts[group] : ends[group]]
        chosen[group] = _decided(part, disagreement)
        conflicts.append(_conflict(part, int(chosen[group])))
    details = _details(table, starts, ends, chosen)
    listed = tables.frame(conflicts, tables.Conflict)
    return Merged(details[["objectId", "value"]], details, listed)


def _decided(part: pd.DataFrame, disagreement: str) -> int:
    """The value that stands where words differ, or NONE."""
    if disagreement == LEAVE_OUT or part["rank"].iloc[0] not in RANKS[:2]:
        return NONE
    if disagreement == MAJORITY:
        (first, most), (_, next_most) = Counter(part["value"]).most_common(2)
        return int(first) if most > next_most else NONE
    last = part.loc[part["time"] == part["time"].max(), "value"].unique()
    return int(last[0]) if len(last) == 1 else NONE


def _conflict(part: pd.DataFrame, value: int) -> tables.Conflict:
    part = part.sort_values(["value", "annotator", "source"]).drop_duplicates(["value", "source"])

    def cell(name: str) -> str:
        return "|".join(text.replace("|", "/") for text in part[name].astype("str"))

    return tables.Conflict(
        part["objectId"].iloc[0],
        cell("value"),
        cell("source"),
        cell("annotator"),
        cell("labelledAt"),
        cell("rule"),
        "" if value == NONE else str(value),
    )


def _details(table: pd.DataFrame, starts: np.ndarray, ends: np.ndarray, chosen: np.ndarray) -> pd.DataFrame:
    labelled = chosen != NONE
    starts, ends, chosen = starts[labelled], ends[labelled], chosen[labelled]
    first = table.iloc[starts]
    columns = {"objectId": first["objectId"].to_numpy(), "value": chosen, "source": first["rank"].to_numpy()}
    several = np.flatnonzero(ends - starts > 1)
    values = table["value"].tolist()
    groups = [
        (group, [row for row in range(start, end) if values[row] == value])
        for group, start, end, value in zip(
            several.tolist(), starts[several].tolist(), ends[several].tolist(), chosen[several].tolist(), strict=True
        )
    ]
    for name in TEXTS[1:]:
        cells = table[name].to_numpy(dtype=object)
        column, texts = cells[starts], cells.tolist()
        for group, rows in groups:
            different = {texts[row] for row in rows} - {""}
            if name == "labelledAt":
                column[group] = max(different, default="")
            else:
                column[group] = "|".join(sorted(different)) if len(different) > 1 else next(iter(different), "")
        columns[name] = column
    frame = pd.DataFrame(columns)[tables.columns(tables.LabelDetail)]
    return frame.astype({name: "int64" if name == "value" else "str" for name in frame})


def write(folder: tuple[Path, Path, Path], merged: Merged) -> None:
    """Writes labels, conflicts and details to their three paths."""
    labels, conflicts, details = folder
    tables.write(labels, merged.labels, tables.Label)
    tables.write(conflicts, merged.conflicts, tables.Conflict)
    tables.write(details, merged.details, tables.LabelDetail)
