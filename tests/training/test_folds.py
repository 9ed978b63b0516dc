"""Heads that judge examples of other folds."""

import numpy as np
import pandas as pd

from sengu.examples import Examples
from sengu.training import folds


def test_every_example_is_judged_once_by_a_head_that_saw_nothing_of_its_group() -> None:
    values, groups = np.arange(24) % 2, np.arange(24) // 4
    vectors = np.column_stack([np.arange(24), values]).astype(np.float32)
    seen: list[set[int]] = []

    def train(examples: Examples) -> tuple[np.ndarray, np.ndarray]:
        assert set(examples.rows["type"]) == {"train"}
        seen.append({int(number) for number in examples.arrays[:, 0]})
        return np.array([[0, 0], [-9, 9]], np.float32), np.array([4, -4], np.float32)

    rows = pd.DataFrame({"objectId": [str(n) for n in range(24)], "value": values, "type": "test"})
    found = folds.probabilities(Examples(rows, vectors), groups, 3, 1, train)
    assert (found.argmax(axis=1) == values).all() and np.allclose(found.sum(axis=1), 1)
    unseen = [set(range(24)) - part for part in seen]
    assert sorted(number for part in unseen for number in part) == list(range(24))
    for part in seen:
        assert not {number // 4 for number in part} & {number // 4 for number in set(range(24)) - part}
