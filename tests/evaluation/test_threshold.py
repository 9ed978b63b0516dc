"""The threshold that validation gives, and how many pictures it takes."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics as reference

from sengu.base.params import Threshold
from sengu.evaluation.threshold import Decision, decide

# ten pictures of each step
LADDER = np.repeat([0, 0, 1, 0, 1, 1], 10), np.repeat([0.1, 0.2, 0.3, 0.5, 0.7, 0.9], 10)
APART = np.arange(60)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Threshold(precision=0.9), (0.6, 1, 2 / 3)),
        (Threshold(precision=0.75), (0.25, 3 / 4, 1)),
        (Threshold(precision=0.76), (0.6, 1, 2 / 3)),
        (Threshold(precision=0.5), (0.25, 3 / 4, 1)),  # recall cannot be higher, so precision is
        (Threshold(recall=0.9), (0.25, 3 / 4, 1)),
        (Threshold(recall=0.6), (0.6, 1, 2 / 3)),
        (Threshold(recall=0.3), (0.6, 1, 2 / 3)),  # precision cannot be higher, so recall is
    ],
    ids=str,
)
def test_the_threshold_lies_halfway_below_the_last_picture_that_it_takes(wanted: Threshold, expected: tuple[float]) -> None:
    found = decide(*LADDER, APART, wanted)
    assert (found.value, found.validation_precision, found.validation_recall) == pytest.approx(expected)
    predicted = found.calls(LADDER[1])
    assert reference.precision_score(LADDER[0], predicted) == pytest.approx(found.validation_precision)
    assert reference.recall_score(LADDER[0], predicted) == pytest.approx(found.validation_recall)


def test_a_threshold_below_every_picture_lies_halfway_to_zero() -> None:
    assert decide(np.array([1, 1, 0]), np.array([0.4, 0.5, 0.6]), np.arange(3), Threshold(recall=0.5)).value == pytest.approx(0.2)


def test_what_supports_a_threshold_and_its_intervals() -> None:
    found = decide(*LADDER, APART, Threshold(precision=0.75))
    for hits, count, interval in (
        (30, 40, found.validation_precision_interval),
        (30, 30, found.validation_recall_interval),
    ):
        expected = binomtest(hits, count).proportion_ci(method="wilson")
        assert interval == pytest.approx((expected.low, expected.high), abs=1e-6)
    assert found.support == 40
    assert decide(*LADDER, APART, Threshold(recall=0.6)).support == 30
    of_pairs = decide(*LADDER, APART // 2, Threshold(precision=0.75))
    assert (of_pairs.value, of_pairs.support) == (found.value, 20)


@pytest.mark.parametrize(
    ("name", "least", "pictures", "reached"),
    [("precision", 0.95, 19, False), ("precision", 0.95, 20, True), ("recall", 0.9, 9, False), ("recall", 0.9, 10, True)],
)
def test_a_ratio_is_reached_by_enough_pictures_only(name: str, least: float, pictures: int, reached: bool) -> None:
    values = np.repeat([0, 1], [40, pictures])
    groups, wanted = np.arange(len(values)), Threshold(**{name: least})
    assert (decide(values, values / 2, groups, wanted).value is not None) == reached
    of_one_video = np.where(values == 1, -1, groups)
    assert decide(values, values / 2, of_one_video, wanted).value is None


@pytest.mark.parametrize("pictures", [50, 500])
def test_a_coin_flip_does_not_reach_a_precision(pictures: int) -> None:
    rng, values = np.random.default_rng(1), np.repeat([0, 1], pictures)
    groups = np.arange(2 * pictures)
    found = [decide(values, rng.random(2 * pictures), groups, Threshold(precision=0.95)) for _ in range(300)]
    assert sum(one.value is not None for one in found) <= 3


@pytest.mark.parametrize(
    ("values", "scores", "least", "missed"),
    [
        ([0, 1, 0] * 9, [0.1, 0.2, 0.3] * 9, 0.9, "no threshold reaches it on the 27 validation pictures, with at least 10"),
        ([1, 1, 1], [0.1, 0.2, 0.3], 0.9, "all validation pictures are of one class"),
        ([0, 0], [0.1, 0.2], 0.9, "all validation pictures are of one class"),
        ([], [], 0.9, "there are no validation pictures"),
        ([0, 1], [0.1, 0.9], 1.0, "no number of pictures can show a ratio of 1; ask for less"),
    ],
    ids=["precision out of reach", "one class", "the other class", "no example", "all"],
)
def test_why_there_is_no_threshold_is_said(values: list[int], scores: list[float], least: float, missed: str) -> None:
    found = decide(np.array(values), np.array(scores), np.arange(len(values)), Threshold(precision=least))
    assert found.missed is not None and found.missed.startswith(missed)
    assert found == Decision({"precision": least}, missed=found.missed)


def test_a_picture_on_the_threshold_is_taken() -> None:
    assert Decision({}, 0.75).calls(np.array([0.7499, 0.75])).tolist() == [False, True]


def test_a_threshold_between_two_float32_is_not_rounded_to_one_of_them() -> None:
    below, above = np.float32(0.75), np.nextafter(np.float32(0.75), np.float32(1))
    threshold = float(below) + (float(above) - float(below)) / 4
    assert np.float32(threshold) == below
    assert Decision({}, threshold).calls(np.array([below, above])).tolist() == [False, True]


def test_the_highest_f1_is_taken_if_it_reaches_the_wanted_one() -> None:
    found = decide(*LADDER, APART, Threshold(f1=0.8))
    every = {t: reference.f1_score(LADDER[0], LADDER[1] >= t) for t in np.unique(LADDER[1])}
    best = max(every, key=lambda threshold: every[threshold])
    assert np.array_equal(found.calls(LADDER[1]), LADDER[1] >= best)
    missed = decide(*LADDER, APART, Threshold(f1=0.9))
    assert missed.value is None and missed.missed == "the highest on the 60 validation pictures is 0.857"


@pytest.mark.parametrize("cost", [0.1, 0.9, 1.1, 5.0])
def test_the_threshold_of_a_cost_is_the_cheapest_of_all(cost: float) -> None:
    values, scores = LADDER
    found = decide(values, scores, APART, Threshold(cost=cost)).calls(scores)

    def price(called: np.ndarray) -> float:
        return float((called & (values == 0)).sum() + cost * (~called & (values == 1)).sum())

    assert price(found) == pytest.approx(min(price(scores >= threshold) for threshold in np.unique(scores)))
