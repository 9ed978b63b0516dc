"""Merging and cleaning of labels, on literal tables."""

import numpy as np
import pandas as pd
import pytest

from sengu.base import tables
from sengu.base.errors import SenguError
from sengu.datasets import merging

CLASSES = ["cat", "dog"]
A, B, C, D = (f"{letter * 40}.png" for letter in "abcd")


def labels(**values: int) -> pd.DataFrame:
    return pd.DataFrame({"objectId": [globals()[name] for name in values], "value": list(values.values())})


def as_dict(table: pd.DataFrame) -> dict[str, int]:
    return dict(zip(table["objectId"], table["value"], strict=True))


def test_versions_that_agree_are_merged() -> None:
    merged = merging.merge({"one": labels(B=1, A=0), "two": labels(A=0, C=1)}, "", CLASSES, "new")
    assert merged.to_dict("list") == {"objectId": [A, B, C], "value": [0, 1, 1]}


def test_a_conflict_lists_the_objects_with_both_sides() -> None:
    sources = {"one": labels(A=0, B=1), "two": labels(A=1, B=1, C=0)}
    with pytest.raises(SenguError) as error:
        merging.merge(sources, "", CLASSES, "new")
    assert f"new: its sources differ on 1 object: {A} is cat in one, dog in two: " in str(error.value)
    assert "--prefer one|two" in str(error.value)


def test_the_preferred_side_counts_where_it_has_a_label() -> None:
    sources = {"one": labels(A=0, B=1), "two": labels(A=1, C=0), "three": labels(C=1, D=0)}
    with pytest.raises(SenguError, match=f"its sources differ on 1 object: {C} is cat in two, dog in three"):
        merging.merge(sources, "one", CLASSES, "new")
    assert as_dict(merging.merge(sources, "two", CLASSES, "new")) == {A: 1, B: 1, C: 0, D: 0}


def test_steps_are_counted() -> None:
    kept, steps = merging.compose(labels(A=0, B=1, C=1), [("exclude x", merging.without([B])), ("where y", merging.only([A, B]))])
    assert as_dict(kept) == {A: 0}
    assert [(step.step, step.before, step.after) for step in steps] == [("exclude x", 3, 2), ("where y", 2, 1)]


def test_of_a_group_the_largest_picture_of_each_class_stays() -> None:
    sizes = pd.DataFrame({"width": [10, 20, 20, 5], "height": [10] * 4, "bytes": [9, 9, 10, 9]}, index=[A, B, C, D])
    rows = labels(A=0, B=0, C=0, D=1)
    assert merging.largest(rows, pd.Series(["g"] * 4), sizes).tolist() == [False, False, True, True]
    assert merging.largest(rows, pd.Series(["g", "h", "g", "i"]), sizes).tolist() == [False, True, True, True]


def test_an_object_meets_a_condition_if_one_place_where_it_was_seen_does() -> None:
    index = tables.frame(
        [tables.IndexRow(A, "u" * 40, "png", 1, 1, 1), tables.IndexRow(B, "v" * 40, "png", 5, 1, 1)], tables.IndexRow
    )
    captures = pd.concat([tables.empty(tables.Capture)] * 2)
    captures = pd.DataFrame(
        [
            dict.fromkeys(captures, "") | {"urlId": url, "tags": tags, "status": 200}
            for url, tags in (("u" * 40, "x|y"), ("u" * 40, "z"))
        ]
    )
    args = (index.assign(site="s"), captures.assign(site="s"), labels(A=0, B=1), CLASSES)
    assert list(merging.meeting("'z' in tags", *args)) == [A]
    assert list(merging.meeting("width > 3 or label == 'cat'", *args)) == [A, B]
    assert list(merging.meeting("value == 1", *args)) == [B]


def test_an_empty_version_and_a_class_without_a_picture_are_errors() -> None:
    steps = [merging.Step("where x", 5, 0)]
    with pytest.raises(SenguError, match=r"new would be empty \(where x: 5 -> 0\): ask for less"):
        merging.check(labels().astype({"value": np.int64}), CLASSES, "new", steps)
    with pytest.raises(SenguError, match="new would have no picture of class dog"):
        merging.check(labels(A=0), CLASSES, "new", [])
