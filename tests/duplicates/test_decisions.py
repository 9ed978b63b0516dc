"""Groups that people confirmed or split."""

from pathlib import Path

import pandas as pd

from sengu.duplicates import decisions

A, B, C, D, E = (f"{letter * 40}.jpg" for letter in "abcde")


def groups(decided: Path, **found: str) -> dict[str, str]:
    """The first letters of each group, of letters that stand for object ids and the group that the stage found."""
    names = [f"{letter * 40}.jpg" for letter in found]
    table = pd.DataFrame({"objectId": names, "group": [f"{letter * 40}.jpg" for letter in found.values()]}, dtype="str")
    split = decisions.split(table, decisions.read(decided))
    return {name[0]: group[0] for name, group in zip(names, split, strict=True)}


def test_without_a_decision_groups_are_what_was_found(tmp_path: Path) -> None:
    assert groups(tmp_path / "none.csv", a="a", b="a", c="c") == {"a": "a", "b": "a", "c": "c"}
    assert groups(tmp_path / "none.csv") == {}


def test_a_split_holds_until_a_new_picture_joins(tmp_path: Path) -> None:
    path = tmp_path / "duplicate_groups.csv"
    decisions.decide([[A, C], [B, D]], "anna", path)
    assert groups(path, a="a", b="a", c="a", d="a") == {"a": "a", "b": "b", "c": "a", "d": "b"}
    assert groups(path, a="a", b="a", d="a") == {"a": "a", "b": "b", "d": "b"}  # one was erased since
    assert groups(path, a="a", b="a", c="a", d="a", e="a") == dict.fromkeys("abcde", "a")
    decisions.decide([[A, B, C, D, E]], "ben", path)
    assert groups(path, a="a", b="a", c="a", d="a", e="a") == dict.fromkeys("abcde", "a")


def test_a_later_decision_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "duplicate_groups.csv"
    decisions.decide([[A, B, C]], "anna", path)
    decisions.decide([[A], [C, B]], "ben", path)
    decisions.decide([[E, D]], "anna", path)
    table = decisions.read(path)
    assert table[["objectId", "group", "annotator"]].to_numpy().tolist() == [
        [A, A, "ben"], [B, B, "ben"], [C, B, "ben"], [D, D, "anna"], [E, D, "anna"],
    ]  # fmt: skip
    assert table["decidedAt"].str.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").all()
    assert decisions.linked(["x", C, A], table) == ["x", B, A]
