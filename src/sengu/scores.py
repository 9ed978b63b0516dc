"""Values and probabilities -> what is measured: predictions by a threshold, metrics with bootstrap intervals, calibration."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve
from threadpoolctl import threadpool_limits

from sengu.params import Threshold

METRICS = ("accuracy", "precision", "recall", "f1", "roc_auc", "average_precision", "calibration_error")
OF_CLASS = ("precision", "recall", "f1")
BINS = 15  # of equal width, for the calibration
PERCENTILES = (2.5, 97.5)
BATCH = 50  # resamples at a time: 40 MB for 100,000 examples


@dataclass(frozen=True)
class Decision:
    """Which probability of value 1 makes a picture one of value 1, and what that gives on the validation split.

    Without a `value` the more probable class is the prediction.
    """

    wanted: dict[str, float]
    value: float | None
    validation_precision: float | None
    validation_recall: float | None

    def predict(self, probabilities: np.ndarray) -> np.ndarray:
        """Values (n,) for probabilities (n, classes)."""
        if self.value is None:
            return np.asarray(probabilities.argmax(axis=1))
        return (probabilities[:, 1].astype(float) >= self.value).astype(np.int64)  # NumPy would round the value to float32


MOST_PROBABLE = Decision({}, None, None, None)


@dataclass(frozen=True)
class Judged:
    """What a model makes of examples: their values (n,), its probabilities (n, classes), and how it decides by them."""

    values: np.ndarray
    probabilities: np.ndarray
    decision: Decision

    def part(self, chosen: np.ndarray) -> "Judged":
        return Judged(self.values[chosen], self.probabilities[chosen], self.decision)

    @cached_property
    def predicted(self) -> np.ndarray:
        return self.decision.predict(self.probabilities)

    @property
    def claims(self) -> tuple[np.ndarray, np.ndarray]:
        """A probability per example, and whether what it claims is so: with two classes that the value is 1.

        With more classes it is the probability of the most probable class, and the claim that this class is the right one.
        """
        if self.probabilities.shape[1] == 2:
            return self.probabilities[:, 1].astype(float), self.values == 1
        return self.probabilities.max(axis=1).astype(float), self.values == self.probabilities.argmax(axis=1)


def decide(values: np.ndarray, probabilities: np.ndarray, wanted: Threshold) -> Decision:
    """The threshold that gives the wanted precision with the highest recall, or the wanted recall with the highest precision.

    Values (n,) of 0 and 1, probabilities (n,) of value 1. It lies halfway between two probabilities that occur, so that
    rounding in another runtime seldom moves an example across it. If nothing reaches what is wanted, there is no threshold.
    """
    asked = {name: least for name, least in asdict(wanted).items() if least is not None}
    ((name, least),) = asked.items()
    if len(np.unique(values)) < 2:
        return Decision(asked, None, None, None)
    scores = probabilities.astype(float)
    precision, recall, thresholds = precision_recall_curve(values, scores)
    precision, recall = precision[:-1], recall[:-1]  # the last pair is (1, 0), without a threshold
    reached, other = (precision, recall) if name == "precision" else (recall, precision)
    fitting = np.flatnonzero(reached >= least)
    if not len(fitting):
        return Decision(asked, None, None, None)
    best = fitting[np.lexsort((reached[fitting], other[fitting]))[-1]]
    below = thresholds[best - 1] if best else 0.0
    return Decision(asked, float(thresholds[best] + below) / 2, float(precision[best]), float(recall[best]))


def measure(judged: Judged, weights: np.ndarray) -> np.ndarray:
    """METRICS of examples that count `weights` (b, n) times: (b, metrics), nan where one is undefined.

    With two classes, precision, recall and F1 are those of value 1, ROC AUC and average precision those of its probability.
    With more they are means over the classes that occur, each against the rest; a class that is never predicted has precision
    0 there. The formulas are scikit-learn's (tests compare), for many resamples at once: some twenty times faster than its
    functions, which take one at a time.
    """
    binary = judged.probabilities.shape[1] == 2
    chosen = np.array([1]) if binary else np.unique(judged.values)
    of_class = measure_classes(judged, weights)[:, chosen]
    of_class = of_class[:, 0] if binary else np.nan_to_num(of_class).mean(axis=1)
    ranked = [_by_score(judged.values == value, judged.probabilities[:, value], weights) for value in chosen]
    columns = [
        _ratio(weights @ (judged.values == judged.predicted), weights.sum(axis=1)),
        *of_class.T,
        np.mean([_roc_auc(*counts) for counts in ranked], axis=0),
        np.mean([_average_precision(*counts) for counts in ranked], axis=0),
        _calibration_error(judged, weights),
    ]
    return np.stack(columns, axis=1)


def measure_classes(judged: Judged, weights: np.ndarray) -> np.ndarray:
    """OF_CLASS of every class: (b, classes, 3), nan where one is undefined."""
    classes = np.arange(judged.probabilities.shape[1])
    actual, called = (found[:, None] == classes for found in (judged.values, judged.predicted))
    hits, actuals, calls = (weights @ counted.astype(float) for counted in (actual & called, actual, called))
    f1 = _ratio(2 * hits, np.where(actuals > 0, actuals + calls, 0))
    return np.stack([_ratio(hits, calls), _ratio(hits, actuals), f1], axis=2)


def intervals(measured: Callable[[np.ndarray], np.ndarray], values: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """(3, …): what `measured` gives for the examples as they are, and the limits of its 95% bootstrap interval (percentiles).

    `measured` takes weights (b, n), each a count of how often an example was drawn, and gives (b, …). Examples are drawn
    within their class: how many test pictures a class has was set by the split, not by chance. Resamples in which a metric is
    undefined are left out of its interval. Equal seeds draw equal resamples, so that differences of models are paired.
    """
    with threadpool_limits(1):  # threads gain nothing on matrices of this size, and lose much on a busy machine
        points = measured(np.ones((1, len(values))))[0]
        drawn = np.concatenate([measured(weights) for weights in _resamples(values, resamples, seed)])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice")  # nan is then what we want
        limits = np.nanpercentile(drawn, PERCENTILES, axis=0)
    return np.stack([points, *np.where(np.isnan(points), np.nan, limits)])


def calibration(judged: Judged) -> pd.DataFrame:
    """A row per bin that has examples: mean probability claimed, share of claims that are so, number of examples."""
    claimed, so = judged.claims
    table = pd.DataFrame({"bin": _bins(claimed), "confidence": claimed, "share": so, "examples": 1})
    return table.groupby("bin").agg({"confidence": "mean", "share": "mean", "examples": "sum"}).reset_index()


def _resamples(values: np.ndarray, count: int, seed: int) -> Iterator[np.ndarray]:
    random = np.random.default_rng(seed)
    classes = [np.flatnonzero(values == value) for value in np.unique(values)]
    for start in range(0, count, BATCH):
        weights = np.empty((min(BATCH, count - start), len(values)))
        for rows in classes:
            weights[:, rows] = random.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), len(weights))
        yield weights


def _by_score(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights (b, different scores) of positive and of negative examples, from the highest score down."""
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) != 0])
    ordered = weights[:, order]
    positive = np.add.reduceat(ordered * truth[order], starts, axis=1)
    return positive, np.add.reduceat(ordered, starts, axis=1) - positive


def _roc_auc(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """The share of pairs in which the positive example has the higher score; equal scores count half."""
    above = positive.cumsum(axis=1) - positive / 2
    return _ratio((negative * above).sum(axis=1), positive.sum(axis=1) * negative.sum(axis=1))


def _average_precision(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    precision = np.nan_to_num(_ratio(positive.cumsum(axis=1), (positive + negative).cumsum(axis=1)))
    return _ratio((positive * precision).sum(axis=1), positive.sum(axis=1))


def _calibration_error(judged: Judged, weights: np.ndarray) -> np.ndarray:
    """Expected calibration error: what the claims of a bin are off, in its mean, averaged over the examples."""
    claimed, so = judged.claims
    gaps = (so - claimed)[:, None] * (_bins(claimed)[:, None] == np.arange(BINS))
    return _ratio(np.abs(weights @ gaps).sum(axis=1), weights.sum(axis=1))


def _bins(claimed: np.ndarray) -> np.ndarray:
    return np.asarray(np.minimum((claimed * BINS).astype(int), BINS - 1))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    found = np.full(np.broadcast(part, whole).shape, np.nan)
    return np.asarray(np.divide(part, whole, out=found, where=whole > 0))
