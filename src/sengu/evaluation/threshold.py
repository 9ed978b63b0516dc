"""Validation values and probabilities, what is wanted -> the threshold by which a picture is called one of value 1."""

from dataclasses import asdict, dataclass

import numpy as np
from sklearn.metrics import precision_recall_curve

from sengu.base.params import Threshold
from sengu.evaluation.intervals import wilson


@dataclass(frozen=True)
class Decision:
    """Which probability of value 1 makes a picture one of value 1, and what that gives on the validation split.

    Without a `value` the more probable class is the prediction, and `missed` says why there is none if one was wanted. The
    intervals are Wilson's. `support` counts the validation pictures that what was wanted stands on, near-duplicates once.
    """

    wanted: dict[str, float]
    value: float | None = None
    validation_precision: float | None = None
    validation_precision_interval: tuple[float, float] | None = None
    validation_recall: float | None = None
    validation_recall_interval: tuple[float, float] | None = None
    support: int | None = None
    missed: str | None = None

    def predict(self, probabilities: np.ndarray) -> np.ndarray:
        """Values (n,) for probabilities (n, classes)."""
        if self.value is None:
            return np.asarray(probabilities.argmax(axis=1))
        return (probabilities[:, 1].astype(float) >= self.value).astype(np.int64)  # NumPy would round the value to float32


MOST_PROBABLE = Decision({})


def decide(values: np.ndarray, probabilities: np.ndarray, groups: np.ndarray, wanted: Threshold) -> Decision:
    """The threshold that gives the wanted precision with the highest recall, or the wanted recall with the highest precision.

    Values (n,) of 0 and 1, probabilities (n,) of value 1, groups (n,) of near-duplicates. It lies halfway between two
    probabilities that occur, so that rounding in another runtime seldom moves an example across it. A ratio r is reached only
    by 1 / (1 - r) pictures or more, near-duplicates counted once: on fewer, it cannot be told from a ratio of 1.
    """
    asked = {name: least for name, least in asdict(wanted).items() if least is not None}
    ((name, least),) = asked.items()
    positive = values == 1
    if missed := _impossible(positive, least):
        return Decision(asked, missed=missed)
    needed = int(np.ceil(round(1 / (1 - least), 6)))  # 1 / (1 - 0.9) is a little more than 10
    scores = probabilities.astype(float)
    precision, recall, thresholds = precision_recall_curve(positive, scores)
    precision, recall = precision[:-1], recall[:-1]  # the last pair is (1, 0), without a threshold
    reached, other = (precision, recall) if name == "precision" else (recall, precision)
    called = _groups_from(scores, groups, thresholds)
    actual = len(np.unique(groups[positive]))
    support = called if name == "precision" else np.full(len(thresholds), actual)
    fitting = np.flatnonzero((reached >= least) & (support >= needed))
    if not len(fitting):
        whose = "called so" if name == "precision" else "of value 1"
        few = f" by the {needed} pictures {whose} that it takes" + (f" (there are {actual})" if name == "recall" else "")
        return Decision(asked, missed=f"no threshold reaches it on the {len(values)} validation pictures{few}")
    best = int(fitting[np.lexsort((reached[fitting], other[fitting]))[-1]])
    below = thresholds[best - 1] if best else 0.0
    ratios = np.array([precision[best], recall[best]])
    low, high = np.round(wilson(ratios, np.array([called[best], actual])), 6).tolist()
    return Decision(
        wanted=asked,
        value=float(thresholds[best] + below) / 2,
        validation_precision=float(precision[best]),
        validation_precision_interval=(low[0], high[0]),
        validation_recall=float(recall[best]),
        validation_recall_interval=(low[1], high[1]),
        support=int(support[best]),
    )


def _impossible(positive: np.ndarray, least: float) -> str | None:
    if not len(positive):
        return "there are no validation pictures"
    if positive.all() or not positive.any():
        return "all validation pictures are of one class"
    return "no number of pictures can show a ratio of 1; ask for less" if least == 1 else None


def _groups_from(scores: np.ndarray, groups: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How many groups have a picture at or above each threshold (k,)."""
    best: dict[str, float] = {}
    for group, score in zip(groups.tolist(), scores.tolist(), strict=True):
        best[group] = max(score, best.get(group, score))
    ordered = np.sort(np.fromiter(best.values(), float))
    return np.asarray(len(ordered) - np.searchsorted(ordered, thresholds, side="left"))
