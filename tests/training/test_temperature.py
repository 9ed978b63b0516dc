"""The temperature of a network that is too sure, of one that is as sure as it should be, and of one without a mistake."""

import numpy as np
import pytest
from scipy.special import log_softmax

from sengu.training import temperature


def drawn(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits (count, 3), and values that come true as often as the logits say."""
    chance = np.random.default_rng(seed)
    logits = chance.normal(size=(count, 3)) * 2
    gumbel = -np.log(-np.log(chance.random((count, 3))))
    return logits, (logits + gumbel).argmax(axis=1)


@pytest.mark.parametrize("factor", [3.0, 0.5])
def test_logits_that_are_too_large_or_small_are_brought_back(factor: float) -> None:
    logits, values = drawn(2000, 1)
    assert temperature.choose(log_softmax(factor * logits, axis=1), values) == pytest.approx(factor, rel=0.1)


def test_probabilities_that_no_temperature_betters_stay() -> None:
    kept = [temperature.choose(log_softmax(logits, axis=1), values) for logits, values in (drawn(40, seed) for seed in range(20))]
    assert kept.count(1.0) >= 10  # what helps by chance alone on the pictures it was chosen on, does not on others


def test_without_a_mistake_or_without_pictures_it_stays() -> None:
    sure = log_softmax(np.array([[5.0, 0.0], [0.0, 5.0]]), axis=1)
    assert temperature.choose(sure, np.array([0, 1])) == 1
    assert temperature.choose(sure[:0], np.array([], int)) == 1
