"""Predicted probabilities and outcomes -> the calibration error, the part of it due to chance, and a curve in bins."""

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

BINS = 15  # of equal width
BATCH = 50  # draws at a time
SURE = 99  # percentile of the errors of perfectly calibrated models; a model below it may be one


def error(claimed: np.ndarray, correct: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Expected calibration error (b,): what the claims of a bin are off, in its mean, averaged over the examples.

    Claims (n,) are probabilities; `correct`, (n,) or (b, n), says which of them are correct; weights (b, n) count the examples.
    """
    off = weights * (correct - claimed) if correct.ndim == 2 else weights
    gaps = (_bins(claimed)[:, None] == np.arange(BINS)) * (1.0 if correct.ndim == 2 else (correct - claimed)[:, None])
    return np.asarray(np.abs(off @ gaps).sum(axis=1) / weights.sum(axis=1))


def by_chance(claimed: np.ndarray, groups: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """(draws,): the errors that perfectly calibrated models with these claims show on these pictures.

    Consistency resampling (Bröcker & Smith 2007): a claim is true with the probability that it states. The pictures of a
    group (n,) are drawn together, as near-duplicates share their label.
    """
    random = np.random.default_rng([seed, 1])  # not the draws of the resamples
    members, group = np.unique(groups, return_inverse=True)
    errors = []
    with threadpool_limits(1):
        for start in range(0, draws, BATCH):
            correct = random.random((min(BATCH, draws - start), len(members)))[:, group] < claimed
            errors.append(error(claimed, correct, np.ones(correct.shape)))
    return np.concatenate(errors)


def limits(value: float, spread: float, unseen: float, chances: np.ndarray) -> tuple[float, float]:
    """The 95% interval of the error behind the measured `value`, which is too high on average; `value` lies within.

    `spread` is the distance of the 2.5th to the 97.5th percentile of resamples, `chances` is of `by_chance`. What chance adds is
    taken off the lower limit as independent errors are: in squares. Percentiles of resamples cannot be the limits, because a
    resample adds chance once more. `unseen` is what share of mistakes may be missing among so few examples: the surest of models
    looks calibrated until its first one. docs/evaluation.md has the coverage of this interval, by simulation.
    """
    high = min(value + max(spread / 2, unseen), 1.0)
    if value <= np.percentile(chances, SURE):
        return 0.0, high
    return max(0.0, float(np.sqrt(max(value**2 - chances.mean() ** 2, 0.0))) - spread / 2), high


def mistakes(claimed: np.ndarray, correct: np.ndarray) -> float:
    """The share of claims (n,) above one half that are not correct, and of others that are."""
    return float(((claimed >= 0.5) != correct).mean())


def curve(claimed: np.ndarray, correct: np.ndarray) -> pd.DataFrame:
    """A row per bin that has examples: mean probability claimed, share of claims that are correct, number of examples."""
    table = pd.DataFrame({"bin": _bins(claimed), "confidence": claimed, "share": correct, "examples": 1})
    return table.groupby("bin").agg({"confidence": "mean", "share": "mean", "examples": "sum"}).reset_index()


def _bins(claimed: np.ndarray) -> np.ndarray:
    return np.asarray(np.minimum((claimed * BINS).astype(int), BINS - 1))
