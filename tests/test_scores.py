from functools import partial

import numpy as np
import pytest
from sklearn import metrics as reference

from sengu.params import Threshold
from sengu.scores import (
    BINS,
    METRICS,
    MOST_PROBABLE,
    OF_CLASS,
    Decision,
    Judged,
    calibration,
    decide,
    intervals,
    measure,
    measure_classes,
)

VALUES = np.array([0, 0, 0, 1, 1, 1])
SCORES = np.array([0.1, 0.6, 0.2, 0.7, 0.4, 0.9])


def two(scores: np.ndarray) -> np.ndarray:
    return np.column_stack([1 - scores, scores])


def judged(values: np.ndarray, probabilities: np.ndarray, threshold: float | None = None) -> Judged:
    return Judged(values, probabilities, Decision({"precision": 0.5}, threshold, None, None) if threshold else MOST_PROBABLE)


def once(found: Judged) -> dict[str, float]:
    return dict(zip(METRICS, measure(found, np.ones((1, len(found.values))))[0].tolist(), strict=True))


def random_case(classes: int) -> Judged:
    """60 examples whose probabilities have two decimals, so that there are ties."""
    random = np.random.default_rng(classes)
    values = random.permutation(np.arange(60) % classes)
    raw = random.random((60, classes)) + np.eye(classes)[values] * 0.6
    return judged(values, np.round(raw / raw.sum(axis=1, keepdims=True), 2))


def test_two_classes_are_measured_by_hand_counted_numbers() -> None:
    found = once(judged(VALUES, two(SCORES)))
    assert [found[name] for name in ("accuracy", "precision", "recall", "f1")] == pytest.approx([4 / 6] * 4)
    assert found["roc_auc"] == pytest.approx(8 / 9)  # of 9 pairs only (0.4, 0.6) is in the wrong order
    assert found["average_precision"] == pytest.approx((1 + 1 + 3 / 4) / 3)


def test_a_threshold_moves_the_decisions_and_leaves_the_ranking() -> None:
    found = once(judged(VALUES, two(SCORES), threshold=0.7))
    assert (found["precision"], found["recall"]) == pytest.approx((1, 2 / 3))
    assert found["roc_auc"] == pytest.approx(8 / 9)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_resamples_give_what_scikit_learn_gives_for_their_weights(classes: int) -> None:
    found = random_case(classes)
    weights = np.random.default_rng(0).multinomial(60, np.full(60, 1 / 60), 4).astype(float)
    truth = found.values if classes == 2 else np.eye(classes, dtype=int)[found.values]
    scores = found.probabilities[:, 1] if classes == 2 else found.probabilities
    for row, weight in zip(measure(found, weights), weights, strict=True):
        options = {"average": "binary" if classes == 2 else "macro", "sample_weight": weight}
        expected = {
            "accuracy": reference.accuracy_score(found.values, found.predicted, sample_weight=weight),
            "precision": reference.precision_score(found.values, found.predicted, **options),
            "recall": reference.recall_score(found.values, found.predicted, **options),
            "f1": reference.f1_score(found.values, found.predicted, **options),
            "roc_auc": reference.roc_auc_score(truth, scores, average="macro", sample_weight=weight),
            "average_precision": reference.average_precision_score(truth, scores, average="macro", sample_weight=weight),
        }
        assert dict(zip(METRICS, row, strict=True)) == pytest.approx(expected | {"calibration_error": row[-1]})
    for row, weight in zip(measure_classes(found, weights), weights, strict=True):
        scored = reference.precision_recall_fscore_support(found.values, found.predicted, sample_weight=weight)
        assert row == pytest.approx(np.stack(scored[:3], axis=1))


def test_calibration_error_by_hand() -> None:
    found = judged(np.array([0, 1, 1, 1]), two(np.array([0.1, 0.1, 0.9, 0.9])))
    assert once(found)["calibration_error"] == pytest.approx((2 * (0.5 - 0.1) + 2 * (1 - 0.9)) / 4)
    table = calibration(found)
    assert table["bin"].tolist() == [int(0.1 * BINS), int(0.9 * BINS)]
    assert table["confidence"].tolist() == pytest.approx([0.1, 0.9])
    assert table["share"].tolist() == [0.5, 1.0]
    assert table["examples"].tolist() == [2, 2]


def test_with_more_classes_the_most_probable_one_is_what_is_claimed() -> None:
    found = judged(np.array([0, 2]), np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1]]))
    assert once(found)["calibration_error"] == pytest.approx((0.2 + 0.6) / 2)


def test_what_is_undefined_is_nan() -> None:
    of_one_class = once(judged(np.zeros(3, int), two(np.array([0.1, 0.2, 0.3]))))
    assert of_one_class["accuracy"] == 1
    assert np.isnan([of_one_class[name] for name in ("precision", "recall", "f1", "roc_auc", "average_precision")]).all()
    estimates = intervals(partial(measure, judged(np.zeros(3, int), two(np.full(3, 0.1)))), np.zeros(3, int), 10, 1)
    assert np.isnan(estimates[:, METRICS.index("recall")]).all()
    never_called = measure_classes(judged(VALUES, two(np.full(6, 0.1))), np.ones((1, 6)))[0, 1]
    assert dict(zip(OF_CLASS, never_called, strict=True)) == pytest.approx(
        {"precision": np.nan, "recall": 0, "f1": 0}, nan_ok=True
    )


def test_a_class_that_is_never_called_counts_as_precision_0_in_the_mean() -> None:
    found = judged(np.array([0, 1, 2]), np.array([[0.8, 0.1, 0.1], [0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]))
    assert once(found)["precision"] == pytest.approx((1 / 2 + 0 + 1) / 3)


def test_the_interval_is_the_one_of_theory_and_every_class_keeps_its_size() -> None:
    values = np.repeat([0, 1], [300, 100])
    right = np.tile([1, 1, 1, 1, 0], 80)
    sizes = []

    def share(weights: np.ndarray) -> np.ndarray:
        sizes.append(np.stack([weights[:, values == value].sum(axis=1) for value in (0, 1)]))
        return (weights @ right / 400)[:, None]

    value, low, high = intervals(share, values, 2000, seed=3)[:, 0]
    assert value == pytest.approx(0.8)
    margin = 1.96 * np.sqrt(0.8 * 0.2 / 400)
    assert (low, high) == pytest.approx((0.8 - margin, 0.8 + margin), abs=0.004)
    assert all((found == [[300], [100]]).all() for found in sizes)
    assert sum(found.shape[1] for found in sizes) == 2000 + 1
    assert intervals(share, values, 2000, seed=3)[:, 0].tolist() == [value, low, high]
    assert intervals(share, values, 2000, seed=4)[:, 0].tolist() != [value, low, high]


def test_equal_seeds_draw_pairs() -> None:
    def drawn(seed: int) -> np.ndarray:
        parts: list[np.ndarray] = []

        def noting(weights: np.ndarray) -> np.ndarray:
            parts.append(weights)
            return weights[:, :1]

        intervals(noting, np.arange(40) % 2, 60, seed)
        return np.concatenate(parts[1:])  # the first are no draw

    assert np.array_equal(drawn(1), drawn(1))
    assert not np.array_equal(drawn(1), drawn(2))


LADDER = np.array([0, 0, 1, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.5, 0.7, 0.9])


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Threshold(precision=1.0), (0.6, 1, 2 / 3)),
        (Threshold(precision=0.75), (0.25, 3 / 4, 1)),
        (Threshold(precision=0.76), (0.6, 1, 2 / 3)),
        (Threshold(precision=0.5), (0.25, 3 / 4, 1)),  # recall cannot be higher, so precision is
        (Threshold(recall=1.0), (0.25, 3 / 4, 1)),
        (Threshold(recall=0.6), (0.6, 1, 2 / 3)),
        (Threshold(recall=0.3), (0.6, 1, 2 / 3)),  # precision cannot be higher, so recall is
    ],
    ids=str,
)
def test_the_threshold_lies_halfway_below_the_last_picture_that_it_takes(wanted: Threshold, expected: tuple[float]) -> None:
    found = decide(*LADDER, wanted)
    assert (found.value, found.validation_precision, found.validation_recall) == pytest.approx(expected)
    predicted = found.predict(two(LADDER[1]))
    assert reference.precision_score(LADDER[0], predicted) == pytest.approx(found.validation_precision)
    assert reference.recall_score(LADDER[0], predicted) == pytest.approx(found.validation_recall)


def test_a_threshold_below_every_picture_lies_halfway_to_zero() -> None:
    assert decide(np.array([1, 0]), np.array([0.4, 0.6]), Threshold(recall=1.0)).value == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("values", "scores"),
    [([0, 1, 0], [0.1, 0.2, 0.3]), ([1, 1, 1], [0.1, 0.2, 0.3]), ([0, 0], [0.1, 0.2]), ([], [])],
    ids=["precision out of reach", "one class", "the other class", "no example"],
)
def test_without_a_threshold_that_reaches_it_the_most_probable_class_is_taken(values: list[int], scores: list[float]) -> None:
    found = decide(np.array(values), np.array(scores), Threshold(precision=0.9))
    assert found == Decision({"precision": 0.9}, None, None, None)
    assert found.predict(two(np.array([0.4, 0.6]))).tolist() == [0, 1]


def test_a_picture_on_the_threshold_is_taken() -> None:
    assert Decision({}, 0.75, None, None).predict(two(np.array([0.7499, 0.75]))).tolist() == [0, 1]


def test_a_threshold_between_two_float32_is_not_rounded_to_one_of_them() -> None:
    below, above = np.float32(0.75), np.nextafter(np.float32(0.75), np.float32(1))
    threshold = float(below) + (float(above) - float(below)) / 4
    assert np.float32(threshold) == below
    assert Decision({}, threshold, None, None).predict(two(np.array([below, above]))).tolist() == [0, 1]
