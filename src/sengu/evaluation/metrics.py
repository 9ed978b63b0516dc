"""Values and probabilities -> metrics of predictions, with intervals."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np

from sengu.base.measurements import METRICS
from sengu.evaluation import calibration
from sengu.evaluation.intervals import Resampling, bootstrap, envelope, independent, of_difference, of_mean, wilson
from sengu.evaluation.threshold import Decision

COMPARED = ("accuracy", "roc_auc")
CALIBRATION = METRICS.index("calibration_error")


@dataclass(frozen=True)
class Judged:
    """A model's judgement of examples: their values (n,) and its probabilities (n, classes).

    `decisions` has the threshold of value 1, or of every value if there are more than two. `predicted` is the most probable
    class, regardless of thresholds; `called` replaces it.
    """

    values: np.ndarray
    probabilities: np.ndarray
    decisions: Mapping[int, Decision] = field(default_factory=dict)
    called: np.ndarray | None = None

    def part(self, chosen: np.ndarray) -> "Judged":
        called = None if self.called is None else self.called[chosen]
        return Judged(self.values[chosen], self.probabilities[chosen], self.decisions, called)

    @cached_property
    def predicted(self) -> np.ndarray:
        return np.asarray(self.probabilities.argmax(axis=1)) if self.called is None else self.called

    def at_threshold(self, value: int) -> "Judged | None":
        """The examples as those of `value` (1) and others (0), called by its threshold; None if it has none."""
        decision = self.decisions.get(value)
        if decision is None or decision.value is None:
            return None
        claimed = self.probabilities[:, value]
        two = np.column_stack([1 - claimed, claimed])
        return Judged((self.values == value).astype(np.int64), two, {1: decision}, decision.calls(claimed).astype(np.int64))

    @property
    def binary(self) -> bool:
        return bool(self.probabilities.shape[1] == 2)

    @property
    def chosen(self) -> np.ndarray:
        """The classes over which METRICS are means: value 1 alone, or with more than two classes all that occur."""
        return np.array([1]) if self.binary else np.unique(self.values)

    @property
    def claims(self) -> tuple[np.ndarray, np.ndarray]:
        """A probability per example, and whether its claim is true: with two classes, that the value is 1.

        With more classes, it is the probability of the most probable class, and the claim is that this class is right.
        """
        if self.binary:
            return self.probabilities[:, 1].astype(float), self.values == 1
        return self.probabilities.max(axis=1).astype(float), self.values == self.probabilities.argmax(axis=1)


def measure(judged: Judged, weights: np.ndarray) -> np.ndarray:
    """METRICS of examples that count `weights` (b, n) times: (b, metrics), nan where one is undefined.

    With two classes, precision, recall and F1 are those of value 1, ROC AUC and average precision those of its probability.
    With more they are means over the classes that occur, each against the rest; a class that is never predicted has precision
    0 there. The formulas are scikit-learn's (tests compare), for many resamples at once: some twenty times faster than its
    functions, which take one at a time.
    """
    chosen = judged.chosen
    of_class, areas = measure_classes(judged, weights)[:, chosen], _areas(judged, weights)
    if judged.binary:
        means = np.concatenate([of_class, areas], axis=2)[:, 0]
    else:
        drawn = np.stack([weights[:, judged.values == value].any(axis=1) for value in chosen], axis=1)[:, :, None]
        every = np.concatenate([np.nan_to_num(of_class), areas], axis=2)
        means = np.where(drawn, every, 0).sum(axis=1) / drawn.sum(axis=1)
    right = _ratio(weights @ (judged.values == judged.predicted), weights.sum(axis=1))
    return np.column_stack([right, means, calibration.error(*judged.claims, weights)])


def measure_classes(judged: Judged, weights: np.ndarray) -> np.ndarray:
    """OF_CLASS of every class: (b, classes, 3), nan where one is undefined."""
    classes = np.arange(judged.probabilities.shape[1])
    actual, called = (numbers[:, None] == classes for numbers in (judged.values, judged.predicted))
    hits, actuals, calls = (weights @ counted.astype(float) for counted in (actual & called, actual, called))
    f1 = _ratio(2 * hits, np.where(actuals > 0, actuals + calls, 0))
    return np.stack([_ratio(hits, calls), _ratio(hits, actuals), f1], axis=2)


def estimate(judged: Judged, groups: np.ndarray, strata: np.ndarray, resamples: int, seed: int) -> tuple[np.ndarray, float]:
    """(3, metrics): METRICS and the limits of their 95% intervals; and the calibration error that chance alone would show.

    An interval holds that of `bootstrap`, which sees what the examples of a group (n,) have in common, and a score interval,
    which sees that few examples cannot show a rare mistake: each alone is too narrow where the other one matters.
    """
    estimates = bootstrap(partial(measure, judged), groups, strata, resamples, seed)
    resampled, wrong = estimates[:, CALIBRATION], calibration.mistakes(*judged.claims)
    chances = calibration.by_chance(judged.claims[0], groups, resamples, seed)
    unseen = float(wilson(np.array(wrong), np.array(independent(groups)))[1]) - wrong
    estimates = envelope(estimates, _limits(judged, groups))
    estimates[1:, CALIBRATION] = calibration.limits(resampled[0], resampled[2] - resampled[1], unseen, chances)
    return estimates, float(chances.mean())


def estimate_classes(judged: Judged, groups: np.ndarray, strata: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """(3, classes, OF_CLASS): metrics of every class by itself, with their 95% interval; nan where one is undefined."""
    estimates = bootstrap(partial(measure_classes, judged), groups, strata, resamples, seed)
    return envelope(estimates, _limits_of_classes(judged, groups))


def compare(first: Judged, second: Judged, strata: np.ndarray, by: Resampling) -> np.ndarray:
    """(3, COMPARED): by how much the first beats the second on the same examples, paired, with the limits of the interval.

    The score interval of accuracy is that of paired proportions. ROC AUC has none; its interval is no narrower than that of the
    accuracies of models that agree on all, or two without a mistake would be taken for equal on however few examples.
    """
    columns = [METRICS.index(name) for name in COMPARED]

    def difference(weights: np.ndarray) -> np.ndarray:
        return np.asarray((measure(first, weights) - measure(second, weights))[:, columns])

    estimates = bootstrap(difference, by.groups, strata, by.resamples, by.seed)
    firsts, seconds = (model.values == model.predicted for model in (first, second))
    better, worse = np.array([(firsts & ~seconds).mean(), 0]), np.array([(seconds & ~firsts).mean(), 0])
    limits = of_difference(better, worse, np.array(independent(by.groups)))
    return envelope(estimates, limits + np.array([0, estimates[0, 1]]))


def estimate_quickly(judged: Judged, groups: np.ndarray) -> np.ndarray:
    """(3, metrics): METRICS with their score intervals alone, for slices, of which there may be hundreds.

    The calibration error has no such interval.
    """
    values = measure(judged, np.ones((1, len(groups))))
    return np.concatenate([values, _limits(judged, groups)])


def _limits(judged: Judged, groups: np.ndarray) -> np.ndarray:
    """(2, metrics): score intervals of METRICS; nan for the calibration error, which is not a share.

    ROC AUC and average precision are taken for shares of the smaller class, which is on the safe side.
    """
    chosen, once = judged.chosen, np.ones((1, len(groups)))
    of_class, areas = np.nan_to_num(measure_classes(judged, once)[0, chosen]), _areas(judged, once)[0]
    counts = np.array([_smaller_class(judged.values == value, groups) for value in chosen])[:, None]
    limits = np.concatenate([_limits_of_classes(judged, groups)[:, chosen], wilson(areas, counts)], axis=2)
    right = wilson((judged.values == judged.predicted).mean(), np.array(independent(groups)))
    return np.column_stack([right, of_mean(np.concatenate([of_class, areas], axis=1), limits), np.full(2, np.nan)])


def _limits_of_classes(judged: Judged, groups: np.ndarray) -> np.ndarray:
    """(2, classes, OF_CLASS): score intervals. F1 is 2J / (1 + J), where J is the share of pictures that are of the class
    and called so among those that are either.
    """
    shares = np.nan_to_num(measure_classes(judged, np.ones((1, len(groups))))[0])
    shares[:, 2] = shares[:, 2] / (2 - shares[:, 2])
    counts = []
    for value in range(judged.probabilities.shape[1]):
        called, actual = judged.predicted == value, judged.values == value
        counts.append([independent(groups[rows]) for rows in (called, actual, called | actual)])
    limits = wilson(shares, np.array(counts))
    limits[:, :, 2] = 2 * limits[:, :, 2] / (1 + limits[:, :, 2])
    return limits


def _smaller_class(values: np.ndarray, groups: np.ndarray) -> float:
    return min(independent(groups[values == value]) for value in np.unique(values))


def _areas(judged: Judged, weights: np.ndarray) -> np.ndarray:
    """(b, chosen classes, 2): ROC AUC and average precision of each of them against the rest."""
    ranked = [_by_score(judged.values == value, judged.probabilities[:, value], weights) for value in judged.chosen]
    return np.array([[_roc_auc(*counts), _average_precision(*counts)] for counts in ranked]).transpose(2, 0, 1)


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


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    result = np.full(np.broadcast(part, whole).shape, np.nan)
    return np.asarray(np.divide(part, whole, out=result, where=whole > 0))
