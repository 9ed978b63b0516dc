"""Words of people, models, tags and devices -> one label for each object, its origin, and the disagreements."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from sengu.base import tables
from sengu.labels.words import BEFORE_ALL, NONE, written

LEAVE_OUT, MAJORITY, LATEST = "leave_out", "majority", "latest"
RANKS = ("sheet", "model", "tag", "device")  # the highest first
TEXTS = ("source", "annotator", "labelledAt", "rule", "how", "subject")


class _Word(NamedTuple):
    """One word of a disputed object: there may be many."""

    objectId: str
    value: int
    time: int
    rank: str
    source: str
    annotator: str
    labelledAt: str
    rule: str
    how: str
    subject: str


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

    A rank counts for an object only if no higher one does. If all words of the rank agree, they are the label. If they
    differ, the object is listed, and labelled only if people or models differ: by their `majority`, or by the `latest`,
    unless there is a draw.
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
    codes, _ = pd.factorize(table["objectId"], sort=True)  # in the order of the tables, which then need no sorting
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
    for group, words_of in zip(disputed.tolist(), _groups(table, starts[disputed], ends[disputed]), strict=True):
        chosen[group] = _decided(words_of, disagreement)
        conflicts.append(_conflict(words_of, int(chosen[group])))
    details = _details(table, starts, ends, chosen)
    listed = tables.frame(conflicts, tables.Conflict)
    return Merged(details[["objectId", "value"]], details, listed)


def _groups(table: pd.DataFrame, starts: np.ndarray, ends: np.ndarray) -> Iterator[list[_Word]]:
    """The words of some groups of rows, group by group."""
    is_wanted = np.zeros(len(table) + 1, dtype=np.int64)
    is_wanted[starts] += 1
    is_wanted[ends] -= 1
    part = table.loc[is_wanted.cumsum()[:-1] > 0, list(_Word._fields)]
    words = map(_Word._make, zip(*(part[name].tolist() for name in part), strict=True))
    for length in (ends - starts).tolist():
        yield list(islice(words, length))


def _decided(words: list[_Word], disagreement: str) -> int:
    """The value that counts if words differ, or NONE."""
    if disagreement == LEAVE_OUT or words[0].rank not in RANKS[:2]:
        return NONE
    if disagreement == MAJORITY:
        (first, most), (_, next_most) = Counter(word.value for word in words).most_common(2)
        return first if most > next_most else NONE
    last = max(word.time for word in words)
    values = {word.value for word in words if word.time == last}
    return values.pop() if len(values) == 1 else NONE


def _conflict(words: list[_Word], value: int) -> tables.Conflict:
    sides = {(word.value, word.annotator, word.source): word for word in words}
    ordered = [sides[key] for key in sorted(sides)]

    def cell(name: str) -> str:
        return "|".join(str(getattr(word, name)).replace("|", "/") for word in ordered)

    parts = {"sources": "source", "annotators": "annotator", "labelledAt": "labelledAt", "rules": "rule", "values": "value"}
    cells = {column: cell(name) for column, name in parts.items()}
    return tables.Conflict(objectId=words[0].objectId, **cells, label="" if value == NONE else str(value))


def _details(table: pd.DataFrame, starts: np.ndarray, ends: np.ndarray, chosen: np.ndarray) -> pd.DataFrame:
    """Rows of LabelDetail, from the words that gave the label that was chosen; `table` is grouped from `starts` to `ends`."""
    supports = table["value"].to_numpy() == np.repeat(chosen, ends - starts)
    table = table[supports]
    group = np.repeat(np.arange(len(starts)), ends - starts)[supports]
    starts = np.flatnonzero(np.append(True, group[1:] != group[:-1])) if len(group) else group
    ends = np.append(starts[1:], len(table))
    first = table.iloc[starts]
    columns = {name: first[name].to_numpy() for name in ("objectId", "value")} | {"source": first["rank"].to_numpy()}
    times = table["time"].to_numpy()
    columns["labelledAt"] = written(np.maximum.reduceat(times, starts)) if len(starts) else np.array([], dtype=object)
    for name in ("annotator", "rule", "how", "subject"):
        columns[name] = _joined(table[name], starts, ends)
    frame = pd.DataFrame(columns)[tables.columns(tables.LabelDetail)]
    return frame.astype({name: "int64" if name == "value" else "str" for name in frame})


def _joined(cells: pd.Series, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The different texts of each group but empty ones, joined by "|": object (groups,)."""
    codes, different = pd.factorize(cells, sort=True)
    if not len(starts):
        return np.array([], dtype=object)
    texts = np.array(list(different), dtype=object)
    joined: np.ndarray = texts[codes[starts]]
    several = np.flatnonzero(np.minimum.reduceat(codes, starts) != np.maximum.reduceat(codes, starts))
    known: dict[tuple[int, ...], str] = {}
    listed = codes.tolist()
    for group, start, end in zip(several.tolist(), starts[several].tolist(), ends[several].tolist(), strict=True):
        key = tuple(sorted(set(listed[start:end])))
        if key not in known:
            known[key] = "|".join(filter(None, texts[list(key)]))
        joined[group] = known[key]
    return joined


def write(folder: tuple[Path, Path, Path], merged: Merged) -> None:
    """Writes labels, conflicts and details to their three paths."""
    labels, conflicts, details = folder
    tables.write(labels, merged.labels, tables.Label)
    tables.write(conflicts, merged.conflicts, tables.Conflict)
    tables.write(details, merged.details, tables.LabelDetail)
