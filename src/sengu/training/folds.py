"""Features and groups -> predictions of heads for examples that they were not trained on: cross-validation for small data."""

from collections.abc import Callable

import numpy as np
from scipy.special import softmax
from sklearn.model_selection import StratifiedGroupKFold

from sengu.base.errors import SenguError
from sengu.base.names import counted
from sengu.examples import Examples

Layer = tuple[np.ndarray, np.ndarray]
Trainer = Callable[[Examples], Layer]  # a head of examples that are all of type train


def probabilities(features: Examples, groups: np.ndarray, folds: int, seed: int, train: Trainer) -> np.ndarray:
    """Probabilities (n, classes) of all examples, each by a head that was trained on the other folds.

    The examples of a group (n,), such as those of one subject, lie in one fold. Raises SenguError where a class has too
    few groups.
    """
    values = features.values
    fewest, scarce = min((len(np.unique(groups[values == value])), int(value)) for value in np.unique(values))
    if fewest < folds:
        cure = f"{fewest} or less, or to 0" if fewest > 1 else "0"
        raise SenguError(
            f"params.yaml: evaluate.folds is {folds}, but class {scarce} has only {counted(fewest, 'group')} of pictures "
            f"(near-duplicates, and pictures of one subject, count as one group): set evaluate.folds to {cure}"
        )
    parts = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(features.arrays, values, groups)
    result = None
    for seen, unseen in parts:
        rows = features.rows.iloc[seen].assign(type="train").reset_index(drop=True)
        kernel, bias = train(Examples(rows, features.arrays[seen]))
        result = np.zeros((len(values), len(bias)), np.float32) if result is None else result
        result[unseen] = softmax(features.arrays[unseen] @ kernel + bias, axis=1)
    assert result is not None
    return result
