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


def test_groups_of_several_labels_or_much_of_a_class_are_said() -> None:
    ids = [f"{number:040x}.jpg" for number in range(120)]
    labels = tables.frame([tables.Label(name, int(row >= 60)) for row, name in enumerate(ids)], tables.Label)
    of = {**dict.fromkeys(ids[:2], ids[0]), **dict.fromkeys(ids[10:17], ids[10]), **dict.fromkeys((ids[20], ids[70]), ids[20])}
    grouped = tables.frame([tables.Duplicate(name, group) for name, group in of.items()], tables.Duplicate)
    large, mixed = grouping.doubts(labels, grouped, ["cats", "dogs"])
    assert large.startswith(f"near-duplicate group {ids[10]} holds 7 of 60 cats: view them with `sengu similar ")
    assert mixed.startswith(f"near-duplicate group {ids[20]} holds 1 of 60 cats, 1 of 60 dogs: ")
    assert "correct the labels" in mixed
