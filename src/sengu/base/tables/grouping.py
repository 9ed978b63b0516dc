"""Keys of objects, such as near-duplicate groups and subjects -> groups of objects that any chain of keys joins."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sengu.base import tables

LARGE, FEW = 0.1, 5  # share of a class in one group that is implausible, and the fewest pictures for that


def together(*keys: pd.Series) -> np.ndarray:
    """The number of the group of each of n rows, int (n,): rows with an equal cell in a column are in one group.

    An empty cell joins nothing. The numbers only say which are equal.
    """
    count = len(keys[0])
    rows, nodes, first = [], [], count
    for key in keys:
        known = np.flatnonzero((key != "").to_numpy(dtype=bool))
        codes, names = pd.factorize(key.iloc[known])
        rows.append(known)
        nodes.append(codes + first)
        first += len(names)
    ends = np.concatenate(rows), np.concatenate(nodes)
    graph = coo_array((np.ones(len(ends[0]), bool), ends), shape=(first, first))
    return np.asarray(connected_components(graph, directed=False)[1][:count])


def kin(ids: pd.Series, duplicates: pd.DataFrame, subjects: pd.DataFrame, mirrored: bool = False) -> np.ndarray:
    """The number of the group of each object id: near-duplicates and pictures of one subject are in one, int (n,).

    `duplicates` has rows of Duplicate, `subjects` the columns objectId and subject. With `mirrored`, mirror images count, too.
    """
    keys = [tables.groups(ids, duplicates), _looked_up(ids, subjects, "subject")]
    if mirrored:
        keys.append(_looked_up(ids, duplicates, "mirrored"))
    return together(*keys)


def doubts(labels: pd.DataFrame, duplicates: pd.DataFrame, classes: Sequence[str]) -> list[str]:
    """Sentences about groups of near-duplicates that hold several labels, or more than LARGE of a class: of one scene, perhaps.

    `labels` are rows of Label, `duplicates` of Duplicate; the class named at position i has value i.
    """
    table = labels.assign(group=tables.groups(labels["objectId"], duplicates))
    table = table[table.duplicated("group", keep=False)]
    counts = table.groupby(["group", "value"]).size().unstack(fill_value=0)
    totals = {int(str(value)): int(count) for value, count in labels["value"].value_counts().items()}
    sentences = []
    for group, row in counts.iterrows():
        held = {int(str(value)): int(count) for value, count in row.items() if count}
        large = [value for value, count in held.items() if count >= FEW and count > LARGE * totals[value]]
        if len(held) > 1 or large:
            inside = ", ".join(f"{count} of {totals[value]} {classes[value]}" for value, count in held.items())
            cure = "correct the labels" if len(held) > 1 else "keep one of them"
            sentences.append(
                f"near-duplicate group {group} holds {inside}: view them with `sengu similar {str(group)[:12]} --html page.html`"
                f"; if they show the same thing, {cure}; if they are different pictures of one scene, set split.leaks to keep, "
                "or photograph it from other angles"
            )
    return sentences


def _looked_up(ids: pd.Series, table: pd.DataFrame, column: str) -> pd.Series:
    return ids.map(table.set_index("objectId")[column]).astype("str").fillna("")
