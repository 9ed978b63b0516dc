"""Decisions of several annotators on the same pictures -> their agreement: raw, Krippendorff's alpha and Gwet's AC1."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ROUNDS, SEED = 1000, 20
LIMITS = (2.5, 97.5)  # percentiles
MEASURES = ("raw", "alpha", "ac1")


@dataclass(frozen=True)
class Estimate:
    """A number with its 95% interval; if it is undefined, all three are nan, and `why` gives the reason."""

    value: float
    low: float
    high: float
    why: str = ""

    def __str__(self) -> str:
        return f"undefined ({self.why})" if self.why else f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Agreement:
    """The number of `pictures` that two or more annotators labelled, and three measures of agreement."""

    pictures: int
    raw: Estimate
    alpha: Estimate
    ac1: Estimate


def counts(ratings: np.ndarray, classes: int) -> np.ndarray:
    """Counts of each class for each picture, int64 (pictures, classes), from ratings (pictures, annotators), -1 if none."""
    return np.stack([(ratings == value).sum(axis=1) for value in range(classes)], axis=1).astype(np.int64)


def agree(said: np.ndarray, rounds: int = ROUNDS, seed: int = SEED) -> Agreement:
    """The measures of `counts` (pictures, classes), with 95% intervals by a bootstrap over pictures (percentiles).

    raw: the share of pairs of annotators who say the same, averaged over pictures. alpha: Krippendorff's for nominal data, any
    number of observers and missing words (Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011). AC1: Gwet's
    (Computing inter-rater reliability and its variance in the presence of high agreement, 2008), with missing words as in his
    Handbook of Inter-Rater Reliability, 4th edition, 2014: the mean share of a class counts pictures with one word, too.
    alpha asks how much better than the annotators' own shares of classes chance would have to be; with one class only it is
    undefined. AC1 stays near the raw share where one class is rare.
    """
    pairable = said.sum(axis=1) >= 2
    if not pairable.any():
        undefined = Estimate(np.nan, np.nan, np.nan, "no picture was labelled by two annotators")
        return Agreement(0, undefined, undefined, undefined)
    one_class = said[pairable].any(axis=0).sum() < 2
    said, pictures = np.unique(said, axis=0, return_counts=True)  # a hundred thousand pictures are a handful of different rows
    weights = np.vstack([pictures, np.random.default_rng(seed).multinomial(pictures.sum(), pictures / pictures.sum(), rounds)])
    raw, alpha, ac1 = _measures(said, weights)
    explained = Estimate(np.nan, np.nan, np.nan, "all labels name one class, so chance explains them")
    return Agreement(int(pairable.sum()), _estimate(raw), explained if one_class else _estimate(alpha), _estimate(ac1))


def of_class(said: np.ndarray, value: int, rounds: int = ROUNDS) -> Agreement:
    """The agreement on whether a picture is of a class or of any other."""
    return agree(np.stack([said[:, value], said.sum(axis=1) - said[:, value]], axis=1), rounds)


def _measures(said: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Raw, alpha and AC1 of rows of `counts`, each counted `weights` (rounds, rows) times: float64 (rounds,) each."""
    number = said.sum(axis=1).astype(float)
    pairable = number >= 2
    pairs = (said * (said - 1)).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(pairable, pairs / (number * (number - 1)), 0.0)
        raw = (weights @ share) / (weights @ pairable)

        coincident = weights @ np.where(pairable, pairs / np.maximum(number - 1, 1), 0.0)
        each = weights @ (said * pairable[:, None])
        total = each.sum(axis=1)
        expected = 1 - (each * (each - 1)).sum(axis=1) / (total * (total - 1))
        alpha = np.where(expected > 0, 1 - (1 - coincident / total) / expected, np.nan)

        prevalence = weights @ np.where(number[:, None] > 0, said / np.maximum(number, 1)[:, None], 0.0)
        prevalence = prevalence / (weights @ (number > 0))[:, None]
        chance = (prevalence * (1 - prevalence)).sum(axis=1) / (said.shape[1] - 1)
        ac1 = (raw - chance) / (1 - chance)
    return raw, alpha, ac1


def _estimate(values: np.ndarray) -> Estimate:
    """An estimate from the value itself and those of the resamples, some of which may be undefined."""
    defined = values[1:][~np.isnan(values[1:])]
    if np.isnan(values[0]):
        return Estimate(np.nan, np.nan, np.nan, "chance alone would agree as well")
    low, high = np.percentile(defined, LIMITS) if len(defined) else (np.nan, np.nan)
    return Estimate(float(values[0]), float(low), float(high))


def ratings(objects: Sequence[int], annotators: Sequence[int], values: Sequence[int]) -> np.ndarray:
    """Words, by the numbers of object and annotator, as int64 (objects, annotators), -1 where there is none."""
    shape = (max(objects, default=-1) + 1, max(annotators, default=-1) + 1)
    table = np.full(shape, -1, dtype=np.int64)
    table[list(objects), list(annotators)] = values
    return table
