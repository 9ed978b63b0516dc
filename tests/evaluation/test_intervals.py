"""Score intervals against published numbers, and resamples of groups within strata."""

import numpy as np
import pytest
from scipy.stats import binomtest

from sengu.evaluation.intervals import bootstrap, envelope, independent, of_difference, of_mean, wilson


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (57, 57), (8, 9), (81, 263)])
def test_wilson_is_scipys(hits: int, count: int) -> None:
    expected = binomtest(hits, count).proportion_ci(method="wilson")
    assert wilson(np.array(hits / count), np.array(count)).tolist() == pytest.approx([expected.low, expected.high])


def test_a_share_of_nothing_may_be_any() -> None:
    assert wilson(np.array([0.0]), np.array([0.0])).tolist() == [[0], [1]]


def test_the_mean_of_one_share_has_its_interval_and_of_two_alike_a_narrower_one() -> None:
    shares, limits = np.array([0.9, 0.9]), np.array([[0.8, 0.8], [0.95, 0.95]])
    assert of_mean(shares[:1], limits[:, :1]).tolist() == pytest.approx([0.8, 0.95])
    assert of_mean(shares, limits).tolist() == pytest.approx([0.9 - 0.1 / np.sqrt(2), 0.9 + 0.05 / np.sqrt(2)])


@pytest.mark.parametrize(("better", "worse", "count"), [(0.02, 0.02, 60), (0.08, 0.01, 60), (0.0, 0.01, 114), (0.1, 0.2, 30)])
def test_the_interval_of_a_paired_difference_holds_the_true_one(better: float, worse: float, count: int) -> None:
    drawn = np.random.default_rng(1).multinomial(count, [better, worse, 1 - better - worse], 2000) / count
    low, high = of_difference(drawn[:, 0], drawn[:, 1], np.array(count))
    assert np.mean((low <= better - worse) & (better - worse <= high)) >= 0.94


def test_models_that_agree_on_all_may_differ_by_what_few_pictures_do_not_show() -> None:
    low, high = of_difference(np.array(0.0), np.array(0.0), np.array(114))
    assert (low, high) == pytest.approx((-0.0239, 0.0239), abs=1e-4)


def test_pictures_of_a_group_count_less() -> None:
    assert independent(np.arange(7)) == 7
    assert independent(np.repeat(np.arange(7), 3)) == pytest.approx(7)
    assert independent(np.r_[np.zeros(9), 1]) == pytest.approx(100 / 82)
    assert independent(np.arange(0)) == 0


def test_the_envelope_holds_the_value_and_both_intervals() -> None:
    found = np.array([[0.5, 0.5, np.nan, 0.5], [0.4, 0.6, np.nan, np.nan], [0.6, 0.7, np.nan, np.nan]])
    limits = np.array([[0.45, 0.55, 0.1, 0.3], [0.65, 0.6, 0.9, 0.7]])
    expected = np.array([[0.4, 0.65], [0.5, 0.7], [np.nan, np.nan], [0.3, 0.7]])
    np.testing.assert_allclose(envelope(found, limits)[1:].T, expected)


def test_the_interval_is_the_one_of_theory_and_every_class_keeps_its_size() -> None:
    values = np.repeat([0, 1], [300, 100])
    right = np.tile([1, 1, 1, 1, 0], 80)
    sizes = []

    def share(weights: np.ndarray) -> np.ndarray:
        sizes.append(np.stack([weights[:, values == value].sum(axis=1) for value in (0, 1)]))
        return (weights @ right / 400)[:, None]

    value, low, high = bootstrap(share, np.arange(400), values, 2000, seed=3)[:, 0]
    assert value == pytest.approx(0.8)
    margin = 1.96 * np.sqrt(0.8 * 0.2 / 400)
    assert (low, high) == pytest.approx((0.8 - margin, 0.8 + margin), abs=0.004)
    assert all((found == [[300], [100]]).all() for found in sizes)
    assert sum(found.shape[1] for found in sizes) == 2000 + 1
    assert bootstrap(share, np.arange(400), values, 2000, seed=3)[:, 0].tolist() == [value, low, high]
    assert bootstrap(share, np.arange(400), values, 2000, seed=4)[:, 0].tolist() != [value, low, high]


def test_equal_seeds_draw_pairs() -> None:
    def drawn(seed: int) -> np.ndarray:
        parts: list[np.ndarray] = []

        def noting(weights: np.ndarray) -> np.ndarray:
            parts.append(weights)
            return weights[:, :1]

        bootstrap(noting, np.arange(40), np.arange(40) % 2, 60, seed)
        return np.concatenate(parts[1:])  # the first are no draw

    assert np.array_equal(drawn(1), drawn(1))
    assert not np.array_equal(drawn(1), drawn(2))


def test_groups_are_drawn_whole_and_apart_in_two_strata() -> None:
    groups, strata = np.array([0, 0, 1, 2, 2, 1]), np.array([0, 0, 0, 1, 1, 1])
    drawn: list[np.ndarray] = []

    def noting(weights: np.ndarray) -> np.ndarray:
        drawn.append(weights)
        return weights[:, :1]

    bootstrap(noting, groups, strata, 200, 1)
    weights = np.concatenate(drawn[1:])
    assert (weights[:, 0] == weights[:, 1]).all() and (weights[:, 3] == weights[:, 4]).all()
    assert (weights[:, [0, 2]].sum(axis=1) == 2).all() and (weights[:, [3, 5]].sum(axis=1) == 2).all()
    assert (weights[:, 2] != weights[:, 5]).any()
