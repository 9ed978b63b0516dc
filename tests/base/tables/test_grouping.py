import pandas as pd

from sengu.base import tables
from sengu.base.tables import grouping


def test_chains_of_keys_join_rows_and_empty_cells_join_nothing() -> None:
    one = pd.Series(["a", "a", "b", "c", "", ""])
    other = pd.Series(["", "x", "x", "y", "", "y"])
    found = grouping.together(one, other)
    assert (found == found[:, None]).astype(int).tolist() == [
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [0, 0, 0, 1, 0, 1],
        [0, 0, 0, 0, 1, 0],
        [0, 0, 0, 1, 0, 1],
    ]


def test_nothing_belongs_to_nothing() -> None:
    none = tables.empty(tables.Duplicate)
    subjects = pd.DataFrame({"objectId": [], "subject": []}, dtype="str")
    assert grouping.kin(pd.Series([], dtype="str"), none, subjects).tolist() == []
