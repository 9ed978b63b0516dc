"""Shares, and the independent pictures behind them -> 95% intervals: by score, by resampling, and the envelope of both."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

Z = 1.959963984540054  # of the normal distribution, for 95%
PERCENTILES = (2.5, 97.5)
BATCH = 50  # resamples at a time: 40 MB for 100,000 examples


@dataclass(frozen=True)
class Resampling:
    """The bootstrap: which test pictures are near-duplicates, groups (n,), how many resamples, and their seed."""

    groups: np.ndarray
    resamples: int
    seed: int

    def part(self, held: np.ndarray) -> "Resampling":
        return Resampling(self.groups[held], self.resamples, self.seed)


def independent(groups: np.ndarray) -> float:
    """The number of independent pictures that `groups` (n,) are worth: n without near-duplicates, else fewer.

    Kish's effective sample size for groups whose pictures share their fate: for groups of one size their number, else less.
    """
    sizes = np.unique(groups, return_counts=True)[1].astype(float)
    return float(sizes.sum() ** 2 / (sizes**2).sum()) if len(sizes) else 0.0


def wilson(share: np.ndarray, count: np.ndarray) -> np.ndarray:
    """(2, …): Wilson's score interval of shares that stand on `count` pictures; 0 to 1 where that is none."""
    middle, spread = count * share + Z**2 / 2, Z * np.sqrt(count * share * (1 - share) + Z**2 / 4)
    return np.asarray(np.clip(np.stack([middle - spread, middle + spread]) / (count + Z**2), 0, 1))  # rounding can leave it


def of_mean(shares: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """(2, …): the interval of the mean of shares (k, …) with limits (2, k, …), by square-and-add (MOVER, Zou & Donner 2008)."""
    spread = np.sqrt(((limits - shares) ** 2).sum(axis=1)) / len(shares)
    return np.asarray(shares.mean(axis=0) + np.stack([-spread[0], spread[1]]))


def of_difference(better: np.ndarray, worse: np.ndarray, count: np.ndarray) -> np.ndarray:
    """(2, …): the interval of better - worse: the shares of pictures that one model alone gets right, and the other alone.

    The adjusted Wald interval of Bonett & Price (2012) for paired proportions, which keeps a width if the models agree on all.
    """
    gained, lost = ((count * share + 1) / (count + 2) for share in (better, worse))
    spread = Z * np.sqrt((gained + lost - (gained - lost) ** 2) / (count + 2))
    return np.asarray(np.clip(np.stack([gained - lost - spread, gained - lost + spread]), -1, 1))


def bootstrap(
    measured: Callable[[np.ndarray], np.ndarray], groups: np.ndarray, strata: np.ndarray, resamples: int, seed: int
) -> np.ndarray:
    """(3, …): what `measured` gives for the examples as they are, and the 2.5th and 97.5th percentile over resamples.

    `measured` takes weights (b, n), each a count of how often an example was drawn, and gives (b, …). What is drawn are groups
    (n,) of examples, whole, within their stratum (n,); a group in two strata is two. Resamples in which a metric is undefined
    are left out of its percentiles. Equal seeds draw equal resamples, so that differences of models are paired.
    """
    with threadpool_limits(1):  # threads gain nothing on matrices of this size, and lose much on a busy machine
        points = measured(np.ones((1, len(groups))))[0]
        drawn = np.concatenate([measured(weights) for weights in _resamples(groups, strata, resamples, seed)])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice")  # nan is the right result
        limits = np.nanpercentile(drawn, PERCENTILES, axis=0)
    return np.stack([points, *np.where(np.isnan(points), np.nan, limits)])


def envelope(estimates: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """`estimates` (3, …) of `bootstrap`, widened to hold the value itself and `limits` (2, …); nan where the value is."""
    low, high = np.fmin(estimates[:2].min(axis=0), limits[0]), np.fmax(estimates[::2].max(axis=0), limits[1])
    return np.stack([estimates[0], *np.where(np.isnan(estimates[0]), np.nan, [low, high])])


def _resamples(groups: np.ndarray, strata: np.ndarray, count: int, seed: int) -> Iterator[np.ndarray]:
    random = np.random.default_rng(seed)
    parts = []
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        drawn, group = np.unique(groups[rows], return_inverse=True)
        parts.append((rows, group, len(drawn)))
    for start in range(0, count, BATCH):
        weights = np.empty((min(BATCH, count - start), len(groups)))
        for rows, group, size in parts:
            weights[:, rows] = random.multinomial(size, np.full(size, 1 / size), len(weights))[:, group]
        yield weights
