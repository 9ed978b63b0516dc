"""Validation values, probabilities and a goal -> the threshold above which a picture is called one of value 1."""

from dataclasses import asdict, dataclass

import numpy as np
from sklearn.metrics import precision_recall_curve

from sengu.base.params import Threshold
from sengu.evaluation.intervals import wilson

RATIOS = {"precision": "at or above it", "recall": "of the class"}  # the goal, and the pictures that it is a share of


@dataclass(frozen=True)
class Decision:
    """The probability of value 1 that makes a picture one of value 1, and its effect on the validation split.

    `missed` says why there is no `value` if one was wanted. With more than two classes value 1 is one of them against the rest.
    The intervals are Wilson's. `support` counts the validation pictures that what was wanted stands on, near-duplicates once.
    """

    wanted: dict[str, float]
    value: float | None = None
    validation_precision: float | None = None
    validation_precision_interval: tuple[float, float] | None = None
    validation_recall: float | None = None
    validation_recall_interval: tuple[float, float] | None = None
    support: int | None = None
    missed: str | None = None

    def calls(self, probabilities: np.ndarray) -> np.ndarray:
        """Marks the probabilities (n,) of value 1 that make a picture one of value 1; needs a `value`."""
        assert self.value is not None
        return np.asarray(probabilities.astype(float) >= self.value)  # NumPy would round the value to float32


def decide(values: np.ndarray, probabilities: np.ndarray, groups: np.ndarray, wanted: Threshold) -> Decision:
    """The threshold that gives the wanted precision with the highest recall, or the wanted recall with the highest precision.

    Or the one with the highest F1, if that reaches the wanted one, or with the least cost, where a picture of value 1 that is
    missed costs as much as so many false alarms. Values (n,) of 0 and 1, probabilities (n,) of value 1, groups (n,) of
    near-duplicates. It lies halfway between two
    occurring probabilities, so that rounding in another runtime seldom moves an example across it. A ratio r is reached only
    by 1 / (1 - r) pictures or more, near-duplicates counted once: on fewer, it cannot be told from a ratio of 1.
    """
    asked = {name: least for name, least in asdict(wanted).items() if least is not None}
    ((name, least),) = asked.items()
    positive = values == 1
    if missed := _impossible(positive, name, least):
        return Decision(asked, missed=missed)
    scores = probabilities.astype(float)
    precision, recall, thresholds = precision_recall_curve(positive, scores)
    precision, recall = precision[:-1], recall[:-1]  # the last pair is (1, 0), without a threshold
    called = _groups_from(scores, groups, thresholds)
    actual = len(np.unique(groups[positive]))
    support = called if name == "precision" else np.full(len(thresholds), actual)
    if name in RATIOS:
        best = _reaching(name, least, (precision, recall), support)
        if best is None:
            few = f", with at least {_needed(least)} pictures {RATIOS[name]}, near-duplicates counted once"
            few += f" (there are {actual})" if name == "recall" else ""
            return Decision(asked, missed=f"no threshold reaches it on the {len(values)} validation pictures{few}")
    elif name == "f1":
        f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
        best = int(f1.argmax())
        if f1[best] < least:
            return Decision(asked, missed=f"the highest on the {len(values)} validation pictures is {f1[best]:.3f}")
    else:
        at_or_above = len(values) - np.searchsorted(np.sort(scores), thresholds, side="left")
        hits = recall * positive.sum()
        best = int((at_or_above - hits + least * (positive.sum() - hits)).round(6).argmin())
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


def _needed(ratio: float) -> int:
    """The number of pictures that it takes to tell a ratio from 1."""
    return int(np.ceil(round(1 / (1 - ratio), 6)))  # 1 / (1 - 0.9) is a little more than 10


def _reaching(name: str, least: float, ratios: tuple[np.ndarray, np.ndarray], support: np.ndarray) -> int | None:
    """The place of the threshold that reaches the one ratio with the highest other one; None if there is none."""
    reached, other = ratios if name == "precision" else ratios[::-1]
    fitting = np.flatnonzero((reached >= least) & (support >= _needed(least)))
    return int(fitting[np.lexsort((reached[fitting], other[fitting]))[-1]]) if len(fitting) else None


def _impossible(positive: np.ndarray, name: str, least: float) -> str | None:
    if not len(positive):
        return "there are no validation pictures"
    if positive.all() or not positive.any():
        return "all validation pictures are of one class"
    return "no number of pictures can show a ratio of 1; ask for less" if name in RATIOS and least == 1 else None


def _groups_from(scores: np.ndarray, groups: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Numbers of groups that have a picture at or above each threshold (k,)."""
    best: dict[str, float] = {}
    for group, score in zip(groups.tolist(), scores.tolist(), strict=True):
        best[group] = max(score, best.get(group, score))
    ordered = np.sort(np.fromiter(best.values(), float))
    return np.asarray(len(ordered) - np.searchsorted(ordered, thresholds, side="left"))
