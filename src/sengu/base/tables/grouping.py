"""Keys of objects, such as near-duplicate groups and subjects -> which objects belong together, through any chain of keys."""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sengu.base import tables


def together(*keys: pd.Series) -> np.ndarray:
    """The number of the group of each of n rows, int (n,): rows with an equal cell in a column are in one group.

    An empty cell joins nothing. The numbers mean nothing but equality.
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


def _looked_up(ids: pd.Series, table: pd.DataFrame, column: str) -> pd.Series:
    return ids.map(table.set_index("objectId")[column]).astype("str").fillna("")
