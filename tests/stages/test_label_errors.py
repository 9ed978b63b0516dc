"""The promise of the list of doubtful labels, on the demo's own features."""

from pathlib import Path

import numpy as np
import pytest

from sengu.examples import read_features
from sengu.labels import label_errors


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_labels_flipped_on_purpose_are_in_the_top_tenth(rebuilt: Path, seed: int) -> None:
    examples = read_features(rebuilt / "data/pixels", rebuilt / "data/features")
    rows = examples.rows.copy()
    flipped = np.random.default_rng(seed).choice(len(rows), round(0.05 * len(rows)), replace=False)
    rows.loc[flipped, "value"] = 1 - rows.loc[flipped, "value"]
    ranked = label_errors.rank(rows, examples.arrays, folds=5, seed=20)
    top = set(ranked["objectId"][: len(rows) // 10])
    assert np.mean([name in top for name in rows.loc[flipped, "objectId"]]) >= 0.8


@pytest.mark.slow
def test_the_stage_lists_every_example(rebuilt: Path) -> None:
    listed = label_errors.read(rebuilt / "reports/label_errors.csv")
    examples = read_features(rebuilt / "data/pixels", rebuilt / "data/features").rows
    assert sorted(zip(listed["objectId"], listed["value"], strict=True)) == list(
        zip(examples["objectId"], examples["value"], strict=True)
    )
    assert "excluded" not in set(examples["type"])
