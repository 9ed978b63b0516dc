from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sengu.base.errors import SenguError
from sengu.labels import label_errors


def ids(count: int) -> list[str]:
    return [f"{number:040x}.jpg" for number in range(count)]


def clusters(values: list[int], wrong: list[int] | None = None) -> tuple[pd.DataFrame, np.ndarray]:
    """An example per value, its features around a corner of its own; the labels of those in `wrong` are exchanged."""
    random = np.random.default_rng(0)
    labels = np.array(values)
    features = np.eye(max(values) + 1)[labels] * 8 + random.normal(size=(len(values), max(values) + 1))
    classes = np.unique(labels)
    for row in wrong or []:
        labels[row] = classes[(np.searchsorted(classes, labels[row]) + 1) % len(classes)]
    return pd.DataFrame({"objectId": ids(len(values)), "value": labels}), features.astype(np.float32)


@pytest.mark.parametrize("values", [[0, 1] * 30, [0, 2, 5] * 20], ids=["two classes", "three, numbers left out"])
def test_wrong_labels_are_the_first_suspects_and_their_own_class_is_named(values: list[int]) -> None:
    examples, features = clusters(values, wrong=[7, 20, 41])
    ranked = label_errors.rank(examples, features, folds=5, seed=1)
    assert sorted(ranked["objectId"]) == ids(60)
    assert set(ranked["objectId"][:3]) == {ids(60)[row] for row in (7, 20, 41)}
    assert list(ranked["suspect"]) == ["yes"] * 3 + ["no"] * 57
    assert all(row.predicted == values[int(row.objectId[:40], 16)] for row in ranked.itertuples())
    assert list(ranked["quality"].astype(float)) == sorted(ranked["quality"].astype(float))


def test_equal_doubts_are_ordered_by_id() -> None:
    examples, _ = clusters([0, 1] * 10)
    shuffled = examples.iloc[::-1].reset_index(drop=True)
    ranked = label_errors.rank(shuffled, np.zeros((20, 3)), folds=2, seed=1)
    assert set(ranked["quality"]) == {"0.500000"}
    assert list(ranked["objectId"]) == ids(20)


def test_a_class_smaller_than_the_folds_makes_them_fewer(caplog: pytest.LogCaptureFixture) -> None:
    examples, features = clusters([0] * 9 + [3] * 4)
    assert len(label_errors.rank(examples, features, folds=5, seed=1)) == 13
    assert "class 3 is in 4 groups of near-duplicates or subjects, fewer than label_errors.folds (5)" in caplog.text


def test_a_class_of_one_example_is_named() -> None:
    with pytest.raises(SenguError, match="class 3 has one example only"):
        label_errors.rank(*clusters([0] * 9 + [3]), folds=5, seed=1)


def test_what_belongs_together_shares_a_fold_and_classes_are_spread() -> None:
    labels = np.repeat([0, 1], 60)
    groups = np.arange(120) // 3
    folds = label_errors.folds_of(labels, groups, 5, seed=1)
    assert all(len(np.unique(folds[groups == group])) == 1 for group in np.unique(groups))
    assert np.array_equal(np.bincount(folds), [24] * 5)
    assert [(labels[folds == fold] == 1).sum() for fold in range(5)] == [12] * 5


def test_a_wrong_label_is_not_vouched_for_by_its_near_duplicates() -> None:
    """Three copies of one picture, all labelled wrongly: alone each is far from its class, together they are a class."""
    examples, features = clusters([0, 1] * 40, wrong=[10, 30, 50])
    features[[10, 30, 50]] = features[10] + np.array([0, 6], np.float32)  # somewhere else, where nothing else is
    groups = np.arange(80)
    groups[[10, 30, 50]] = 10
    ranked = label_errors.rank(examples, features, 5, 1, groups).set_index("objectId")
    apart = label_errors.rank(examples, features, 5, 1).set_index("objectId")
    worst = [ids(80)[row] for row in (10, 30, 50)]
    assert (ranked.loc[worst, "quality"].astype(float) < apart.loc[worst, "quality"].astype(float)).all()


@pytest.mark.parametrize(("many", "together"), [(2, True), (1, False)])
def test_a_class_of_too_few_groups_stops_nothing(many: int, together: bool, caplog: pytest.LogCaptureFixture) -> None:
    examples, features = clusters([0, 1] * 10)
    groups = np.arange(20)
    groups[1::2] %= 2 * many
    assert len(label_errors.rank(examples, features, 3, 1, groups)) == 20
    assert f"class 1 is in {many} groups of near-duplicates or subjects, fewer than label_errors.folds (3)" in caplog.text
    assert ("too few to keep them together" not in caplog.text) == together


def test_one_class_is_refused() -> None:
    with pytest.raises(SenguError, match="of 1 class: doubtful labels need two"):
        label_errors.rank(*clusters([1] * 9), folds=5, seed=1)


def test_the_file_keeps_the_order_and_is_checked_when_read(tmp_path: Path) -> None:
    examples, features = clusters([0, 1] * 20, wrong=[30])
    ranked = label_errors.rank(examples, features, folds=4, seed=3)
    path = tmp_path / "label_errors.csv"
    label_errors.write(path, ranked)
    lines = path.read_text().splitlines()
    assert lines[0] == "objectId,value,predicted,quality,suspect"
    assert lines[1].startswith(f"{ids(40)[30]},1,0,0.0") and lines[1].endswith(",yes")
    assert label_errors.read(path).equals(ranked)
    path.write_text(path.read_text().replace(f"{ids(40)[30]},1", f"{ids(40)[30]},one"))
    with pytest.raises(SenguError, match=r"label_errors.csv:2: value is 'one'"):
        label_errors.read(path)
