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
from sengu.labels.words import BEFORE_ALL, MODEL, NO_CLASS, NO_CLASS_CELL, NONE

LEAVE_OUT, MAJORITY, LATEST = "leave_out", "majority", "latest"
RANKS = ("sheet", "model", "tag", "device")  # the highest first
BITS = 62  # of an int64 that stands for a set
BLANK = {"annotator": "", "labelledAt": "", "rule": "", "how": "", "subject": ""}  # what no tag or device says
COLUMNS = ("object", "objectId", "value", "time", "source", "line", *BLANK)  # of ranks


class _Word(NamedTuple):
    """One word of a disputed object: there may be many. `line` is 0 unless `source` is a sheet."""

    objectId: str
    value: int
    time: int
    rank: str
    source: str
    line: int
    annotator: str
    labelledAt: str
    rule: str


@dataclass(frozen=True)
class Merged:
    """Frames of Label, LabelDetail and Conflict; and the ids of the objects of which people say that no class fits."""

    labels: pd.DataFrame
    details: pd.DataFrame
    conflicts: pd.DataFrame
    classless: list[str]


def latest(words: pd.DataFrame) -> pd.DataFrame:
    """The latest word of each annotator on each object, those that take a label back among them.

    labelledAt decides what is later, and a word without one comes before all others; then the order of `words`, which is that of
    sheets and lines. The words of a quiz are left out: they test the annotator, not the picture.
    """
    words = _where(words, words["how"] != "quiz")
    annotators, _ = pd.factorize(words["annotator"])
    pair, _ = pd.factorize(words["object"].to_numpy() * (annotators.max(initial=0) + 1) + annotators)
    stays = np.bincount(pair, minlength=1)[pair] == 1
    again = np.flatnonzero(~stays)  # of which few pairs consist
    order = again[np.lexsort((words["time"].to_numpy()[again], pair[again]))]  # a stable sort
    ordered = pair[order]
    stays[order[np.append(ordered[1:] != ordered[:-1], True)] if len(order) else order] = True
    standing: pd.DataFrame = words[stays]
    return standing


def ranks(words: pd.DataFrame, tags: pd.DataFrame, devices: pd.DataFrame) -> list[pd.DataFrame]:
    """The words that stand, as frames of COLUMNS, of one rank each: people, models, page tags, devices."""
    standing = latest(words.drop(columns="note")).rename(columns={"sheet": "source"})
    standing = _where(standing, standing["value"] != NONE)
    is_model = standing["how"] == MODEL
    hints = [frame.assign(line=0, time=BEFORE_ALL, **BLANK) for frame in (tags, devices)]
    parts = [_where(standing, ~is_model), standing[is_model], *hints]
    if len(tags) or len(devices):  # hints have no numbers of objects yet
        numbers, _ = pd.factorize(pd.concat([part["objectId"] for part in parts]))
        ends = np.cumsum([len(part) for part in parts])[:-1]
        parts = [part.assign(object=numbers_of) for part, numbers_of in zip(parts, np.split(numbers, ends), strict=True)]
    else:
        parts[2:] = [hint.assign(object=np.array([], dtype=np.int64)) for hint in hints]
    return [part[list(COLUMNS)] for part in parts]


def _where(table: pd.DataFrame, wanted: pd.Series) -> pd.DataFrame:
    """The wanted rows; the table itself, which spares a copy, if that is all of them."""
    return table if wanted.all() else table[wanted]


def merge(words: Iterable[pd.DataFrame], disagreement: str = LEAVE_OUT) -> Merged:
    """One label per object, from `ranks` of words, the highest first.

    A rank counts for an object only if no higher one does. If all words of the rank agree, they are the label; there is none if
    they are NO_CLASS. If they differ, the object is listed, and labelled only if people or models differ: by their `majority`,
    or by the `latest`, unless there is a draw.
    """
    best: list[pd.DataFrame] = []
    for name, rank in zip(RANKS, words, strict=True):
        rank = rank.assign(rank=name)
        for higher in best:
            if len(higher) and len(rank):
                rank = rank[~rank["object"].isin(higher["object"])]
        best.append(rank)
    filled = [rank for rank in best if len(rank)] or best[:1]
    table = pd.concat(filled, ignore_index=True) if len(filled) > 1 else filled[0]
    codes = _in_order(table)
    rows = np.argsort(codes, kind="stable")
    starts = _changes(codes[rows])
    values = table["value"].to_numpy()[rows]
    chosen = values[starts].copy()
    disputed = np.flatnonzero(_different(values, starts))
    ends = np.append(starts[1:], len(table))
    conflicts = []
    for group, words_of in zip(disputed.tolist(), _groups(table, rows, starts[disputed], ends[disputed]), strict=True):
        chosen[group] = _decided(words_of, disagreement)
        conflicts.append(_conflict(words_of, int(chosen[group])))
    supports = (values == np.repeat(chosen, ends - starts)) & (values >= 0)
    details = _details(table, rows[supports], codes[rows][supports])
    listed = tables.frame(conflicts, tables.Conflict)
    classless = table["objectId"].iloc[rows[starts[chosen == NO_CLASS]]].tolist()
    return Merged(details[["objectId", "value"]], details, listed, classless)


def classless(words: pd.DataFrame, disagreement: str) -> list[str]:
    """The ids of the objects of which people say that no class fits, whatever tags and devices say."""
    hints = pd.DataFrame({"objectId": [], "value": [], "source": []}).astype(
        {"value": "int64", "objectId": "str", "source": "str"}
    )
    return merge(ranks(words, hints, hints), disagreement).classless


def _in_order(table: pd.DataFrame) -> np.ndarray:
    """The place of each row's object among the different ones, which are in the order of the tables, int64 (rows,)."""
    objects = table["object"].to_numpy()
    first = np.full(objects.max(initial=-1) + 1, -1)
    first[objects[::-1]] = np.arange(len(objects))[::-1]
    present = np.flatnonzero(first >= 0)
    places = np.empty(len(first), dtype=np.int64)
    places[present[table["objectId"].iloc[first[present]].argsort().to_numpy()]] = np.arange(len(present))
    ordered: np.ndarray = places[objects]
    return ordered


def _changes(ordered: np.ndarray) -> np.ndarray:
    """The places where a run of equal values begins, int64 (runs,)."""
    return np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(ordered) else np.array([], dtype=np.int64)


def _different(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Groups of values, each of which begins at one of `starts`, that have several values: bool (groups,)."""
    if not len(starts):
        return np.array([], dtype=bool)
    different: np.ndarray = np.minimum.reduceat(values, starts) != np.maximum.reduceat(values, starts)
    return different


def _groups(table: pd.DataFrame, rows: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> Iterator[list[_Word]]:
    """The words of some groups, whose rows stand in `rows` from starts to ends, group by group."""
    is_wanted = np.zeros(len(rows) + 1, dtype=np.int64)
    is_wanted[starts] += 1
    is_wanted[ends] -= 1
    part = table[list(_Word._fields)].iloc[rows[is_wanted.cumsum()[:-1] > 0]]
    words = map(_Word._make, zip(*(part[name].tolist() for name in part), strict=True))
    for length in (ends - starts).tolist():
        yield list(islice(words, length))


def _decided(words: list[_Word], disagreement: str) -> int:
    """The value that counts if words differ; NONE if there is no such value."""
    if disagreement == LEAVE_OUT or words[0].rank not in RANKS[:2]:
        return NONE
    if disagreement == MAJORITY:
        (first, most), (_, next_most) = Counter(word.value for word in words).most_common(2)
        return first if most > next_most else NONE
    last = max(word.time for word in words)
    values = {word.value for word in words if word.time == last}
    return values.pop() if len(values) == 1 else NONE


def _conflict(words: list[_Word], value: int) -> tables.Conflict:
    sides = set()
    for word in words:
        source = f"{word.source}:{word.line}" if word.line else word.source
        sides.add((word.value, word.annotator, source, word.labelledAt, word.rule))
    numbers, *columns = zip(*sorted(sides), strict=True)
    values = "|".join(map(_written, numbers))
    annotators, sources, times, rules = ("|".join(cell.replace("|", "/") for cell in column) for column in columns)
    label = "" if value == NONE else _written(value)
    return tables.Conflict(words[0].objectId, values, sources, annotators, times, rules, label)


def _written(value: int) -> str:
    return NO_CLASS_CELL if value == NO_CLASS else str(value)


def _details(table: pd.DataFrame, rows: np.ndarray, groups: np.ndarray) -> pd.DataFrame:
    """Rows of LabelDetail, from the rows of the words that gave the label that was chosen, which are ordered by `groups`."""
    starts = _changes(groups)
    first = table[["objectId", "value", "rank"]].iloc[rows[starts]]
    times = table["time"].to_numpy()[rows]
    if len(starts):
        is_last = times == np.repeat(np.maximum.reduceat(times, starts), np.diff(np.append(starts, len(rows))))
        rows_last = rows[is_last][_changes(groups[is_last])]
    else:
        rows_last = rows
    columns = {
        "objectId": first["objectId"].array, "value": first["value"].array, "source": first["rank"].array,
        "labelledAt": table["labelledAt"].array.take(rows_last),
    }  # fmt: skip
    for name in ("annotator", "rule", "how", "subject"):
        columns[name] = _joined(table[name], rows, starts)
    frame = pd.DataFrame(columns)[tables.columns(tables.LabelDetail)]
    return frame.astype({name: "int64" if name == "value" else "str" for name in frame})


def _joined(cells: pd.Series, rows: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The different texts of each group of rows but empty ones, joined by "|": object (groups,)."""
    codes, different = pd.factorize(cells, sort=True)
    if not len(starts):
        return np.array([], dtype=object)
    codes, texts = codes[rows], np.array(different.tolist(), dtype=object)
    joined: np.ndarray = texts[codes[starts]]
    if len(texts) == 1:
        return joined
    several = np.flatnonzero(_different(codes, starts))
    if len(texts) <= BITS:
        sets = np.bitwise_or.reduceat(np.int64(1) << codes, starts)[several]
        numbers, known = pd.factorize(sets)
        names = ["|".join(text for bit, text in enumerate(texts) if text and group >> bit & 1) for group in known.tolist()]
        joined[several] = np.array(names, dtype=object)[numbers] if names else []
    else:
        ends = np.append(starts[1:], len(codes))
        for group, start, end in zip(several.tolist(), starts[several].tolist(), ends[several].tolist(), strict=True):
            joined[group] = "|".join(filter(None, texts[np.unique(codes[start:end])]))
    return joined


def write(folder: tuple[Path, Path, Path], merged: Merged) -> None:
    """Writes labels, conflicts and details to their three paths."""
    labels, conflicts, details = folder
    tables.write(labels, merged.labels, tables.Label)
    tables.write(conflicts, merged.conflicts, tables.Conflict)
    tables.write(details, merged.details, tables.LabelDetail)
