"""The interval of the calibration error holds the true one, which is known here because the pictures are drawn."""

from functools import partial

import numpy as np
import pytest
from scipy.special import expit, logit

from sengu.evaluation import calibration
from sengu.evaluation.intervals import bootstrap, independent, wilson

DRAWN = pytest.mark.slow("it draws hundreds of samples")


def case(rng: np.random.Generator, count: int, sharpness: float, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Claims, and whether they are so: with a sharpness of 1 the model is calibrated, with less it claims too little."""
    true = rng.beta(0.15, 0.15, groups.max() + 1)
    so = rng.random(len(true)) < true
    return expit(sharpness * logit(np.clip(true, 1e-9, 1 - 1e-9)))[groups], so[groups]


def limits(claimed: np.ndarray, so: np.ndarray, groups: np.ndarray, seed: int) -> tuple[float, float, float, float]:
    def measured(weights: np.ndarray) -> np.ndarray:
        return calibration.error(claimed, so, weights)[:, None]

    value, low, high = bootstrap(measured, groups, np.zeros(len(so)), 100, seed)[:, 0].tolist()
    chances, wrong = calibration.by_chance(claimed, groups, 200, seed), calibration.mistakes(claimed, so)
    unseen = float(wilson(np.array(wrong), np.array(independent(groups)))[1]) - wrong
    return value, *calibration.limits(value, high - low, unseen, chances), float(chances.mean())


# how far the claims are off in truth, by their sharpness
TRUE = {1.0: 0.0, 0.78: 0.02, 0.57: 0.05, 0.37: 0.10}


@DRAWN
@pytest.mark.parametrize("sharpness", TRUE)
@pytest.mark.parametrize("count", [114, 1000, 5000])
def test_the_interval_holds_the_true_error(count: int, sharpness: float) -> None:
    draw = partial(case, sharpness=sharpness)
    large = np.arange(400_000)
    true = float(calibration.error(*draw(np.random.default_rng(0), len(large), groups=large), np.ones((1, len(large))))[0])
    assert true == pytest.approx(TRUE[sharpness], abs=0.002)
    rng, groups, runs = np.random.default_rng(1), np.arange(count), 150 if count < 5000 else 40
    found = [limits(*draw(rng, count, groups=groups), groups, seed) for seed in range(runs)]
    assert all(low <= value <= high for value, low, high, _ in found)
    assert np.mean([low <= true <= high for _, low, high, _ in found]) >= 0.88


@DRAWN
def test_chance_is_what_a_calibrated_model_shows() -> None:
    rng, groups = np.random.default_rng(2), np.arange(200)
    found = [limits(*case(rng, 200, 1.0, groups), groups, seed) for seed in range(100)]
    values, lows, _, chances = np.array(found).T
    assert chances.mean() == pytest.approx(values.mean(), rel=0.05)
    assert (lows == 0).mean() > 0.93


@DRAWN
def test_near_duplicates_share_their_fate_in_what_chance_shows() -> None:
    rng, groups = np.random.default_rng(3), np.repeat(np.arange(40), 10)
    found = [limits(*case(rng, 400, 1.0, groups), groups, seed) for seed in range(100)]
    values, lows, _, chances = np.array(found).T
    assert chances.mean() == pytest.approx(values.mean(), rel=0.1)
    assert (lows == 0).mean() > 0.93


def test_draws_are_those_of_their_seed() -> None:
    claimed = np.linspace(0.1, 0.9, 30)
    one, again, other = (calibration.by_chance(claimed, np.arange(30), 60, seed) for seed in (1, 1, 2))
    assert np.array_equal(one, again) and not np.array_equal(one, other)
