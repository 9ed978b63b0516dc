import numpy as np
import pytest
from scipy.stats import norm
from sklearn import metrics as reference

from sengu.base.measurements import METRICS, OF_CLASS
from sengu.evaluation import calibration
from sengu.evaluation.intervals import Resampling
from sengu.evaluation.metrics import COMPARED, Judged, compare, estimate, estimate_classes, measure, measure_classes
from sengu.evaluation.threshold import Decision

DRAWN = pytest.mark.slow("it draws hundreds of samples")
VALUES = np.array([0, 0, 0, 1, 1, 1])
SCORES = np.array([0.1, 0.6, 0.2, 0.7, 0.4, 0.9])


def two(scores: np.ndarray) -> np.ndarray:
    return np.column_stack([1 - scores, scores])


def judged(values: np.ndarray, probabilities: np.ndarray, threshold: float | None = None) -> Judged:
    return Judged(values, probabilities, {1: Decision({"precision": 0.5}, threshold)} if threshold else {})


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


def test_a_threshold_moves_the_decisions_at_it_and_nothing_else() -> None:
    model = judged(VALUES, two(SCORES), threshold=0.7)
    assert once(model) == once(judged(VALUES, two(SCORES)))
    assert judged(VALUES, two(SCORES)).at_threshold(1) is None
    called = model.at_threshold(1)
    assert called is not None
    found = once(called)
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
    table = calibration.curve(*found.claims)
    assert table["bin"].tolist() == [int(0.1 * calibration.BINS), int(0.9 * calibration.BINS)]
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
    estimates, _ = estimate(judged(np.zeros(3, int), two(np.full(3, 0.1))), np.arange(3), np.zeros(3), 10, 1)
    assert np.isnan(estimates[:, METRICS.index("recall")]).all()
    never_called = measure_classes(judged(VALUES, two(np.full(6, 0.1))), np.ones((1, 6)))[0, 1]
    assert dict(zip(OF_CLASS, never_called, strict=True)) == pytest.approx(
        {"precision": np.nan, "recall": 0, "f1": 0}, nan_ok=True
    )


def test_a_class_that_is_never_called_counts_as_precision_0_in_the_mean() -> None:
    found = judged(np.array([0, 1, 2]), np.array([[0.8, 0.1, 0.1], [0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]))
    assert once(found)["precision"] == pytest.approx((1 / 2 + 0 + 1) / 3)


def test_a_class_that_a_resample_lacks_is_left_out_of_its_mean() -> None:
    found = judged(np.array([0, 1, 2, 2]), np.eye(3)[[0, 1, 2, 0]] * 0.7 + 0.1)
    without_1 = judged(np.array([0, 2, 2]), np.eye(3)[[0, 2, 0]] * 0.7 + 0.1)
    assert measure(found, np.array([[1.0, 0, 1, 1]]))[0] == pytest.approx(measure(without_1, np.ones((1, 3)))[0])


def drawn(rng: np.random.Generator, values: np.ndarray, accuracy: float, groups: np.ndarray | None = None) -> Judged:
    """A calibrated model of that accuracy on balanced classes; nine tenths of the noise are one for a whole group."""
    gap = 2 * norm.ppf(accuracy)
    noise = rng.normal(size=len(values))
    if groups is not None:
        noise = np.sqrt(0.9) * rng.normal(size=groups.max() + 1)[groups] + np.sqrt(0.1) * noise
    return judged(values, two(1 / (1 + np.exp(-gap * (np.where(values == 1, gap / 2, -gap / 2) + noise)))))


def truth(accuracy: float, share: float = 0.5) -> dict[str, float]:
    rng = np.random.default_rng(0)
    return once(drawn(rng, (rng.random(300_000) < share).astype(int), accuracy))


def holds(estimates: np.ndarray, name: str, true: float) -> bool:
    value, low, high = estimates[:, METRICS.index(name)]
    assert low <= value <= high and low < high
    return bool(low <= true <= high)


@DRAWN
@pytest.mark.parametrize("accuracy", [0.99, 0.9])
def test_intervals_of_few_pictures_hold_the_truth(accuracy: float) -> None:
    rng, values, true = np.random.default_rng(1), np.repeat([0, 1], 57), truth(accuracy)
    names = ("accuracy", "precision", "recall", "f1", "roc_auc", "average_precision")
    found = [estimate(drawn(rng, values, accuracy), np.arange(114), values, 100, seed)[0] for seed in range(200)]
    held = {name: np.mean([holds(one, name, true[name]) for one in found]) for name in names}
    assert all(share >= 0.92 for share in held.values()), held


@DRAWN
def test_intervals_of_the_mean_of_three_classes_hold_the_truth() -> None:
    def model(count: int) -> Judged:
        raw = np.exp(4.5 * np.eye(3)[np.arange(count) % 3] + rng.gumbel(size=(count, 3)))
        return judged(np.arange(count) % 3, raw / raw.sum(axis=1, keepdims=True))

    rng = np.random.default_rng(2)
    true, found = once(model(300_000)), [model(60) for _ in range(200)]
    of_all = [estimate(one, np.arange(60), one.values, 100, 1)[0] for one in found]
    for name in ("accuracy", "precision", "recall", "f1"):
        assert np.mean([holds(one, name, true[name]) for one in of_all]) >= 0.92
    of_class = [estimate_classes(one, np.arange(60), one.values, 100, 1)[:, 0, 1] for one in found]
    assert np.mean([low <= true["recall"] <= high for _, low, high in of_class]) >= 0.92


@DRAWN
def test_intervals_of_pictures_that_come_in_groups_hold_the_truth() -> None:
    groups = np.repeat(np.arange(40), 10)
    rng, values = np.random.default_rng(3), np.repeat([0, 1], 200)
    found = [estimate(drawn(rng, values, 0.9, groups), groups, values, 100, seed)[0] for seed in range(200)]
    assert np.mean([holds(one, "accuracy", 0.9) for one in found]) >= 0.9


@DRAWN
def test_intervals_of_a_site_allow_for_how_many_of_a_class_it_happens_to_have() -> None:
    rng, true, found = np.random.default_rng(4), truth(0.85, share=0.9), []
    for seed in range(200):
        values = (rng.random(40) < 0.9).astype(int)
        found.append(estimate(drawn(rng, values, 0.85), np.arange(40), np.zeros(40), 100, seed)[0])
    defined = [one for one in found if not np.isnan(one).any()]
    assert len(defined) > 150
    held = {name: np.mean([holds(one, name, true[name]) for one in defined]) for name in ("precision", "recall")}
    assert all(share >= 0.92 for share in held.values()), held


@DRAWN
def test_the_interval_of_the_calibration_error_and_its_chance_are_told() -> None:
    rng, values = np.random.default_rng(5), np.repeat([0, 1], 57)
    found = [estimate(drawn(rng, values, 0.95), np.arange(114), values, 100, seed) for seed in range(100)]
    true = truth(0.95)["calibration_error"]
    assert np.mean([holds(estimates, "calibration_error", true) for estimates, _ in found]) >= 0.92
    shown = np.mean([estimates[0, METRICS.index("calibration_error")] for estimates, _ in found])
    assert shown > 10 * true
    assert np.mean([chance for _, chance in found]) == pytest.approx(shown, rel=0.1)


@DRAWN
def test_the_calibration_of_a_sure_model_that_hardly_errs_is_not_taken_for_good() -> None:
    rng, values = np.random.default_rng(7), np.repeat([0, 1], 57)

    def sure(values: np.ndarray) -> Judged:
        found = drawn(rng, values, 0.99)
        raw = found.probabilities**4
        return judged(values, raw / raw.sum(axis=1, keepdims=True))

    true = once(sure(rng.integers(0, 2, 300_000)))["calibration_error"]
    found = [estimate(sure(values), np.arange(114), values, 100, seed)[0] for seed in range(100)]
    assert np.mean([holds(estimates, "calibration_error", true) for estimates in found]) >= 0.92


@DRAWN
def test_the_difference_of_models_that_rank_nearly_all_right_holds_the_truth() -> None:
    rng, values = np.random.default_rng(8), np.repeat([0, 1], 57)
    by = Resampling(np.arange(114), 50, 1)
    found = [compare(drawn(rng, values, 0.995), drawn(rng, values, 0.99), values, by) for _ in range(100)]
    true = truth(0.995)["roc_auc"] - truth(0.99)["roc_auc"]
    assert np.mean([low <= true <= high for _, low, high in (estimates[:, 1] for estimates in found)]) >= 0.92


def test_a_difference_of_models_that_agree_on_all_is_no_point() -> None:
    values = np.repeat([0, 1], 20)
    found = judged(values, two(np.where(values == 1, 0.9, 0.1)))
    estimates = compare(found, found, values, Resampling(np.arange(40), 20, 1))
    assert estimates[0].tolist() == [0] * len(COMPARED)
    assert (estimates[2] == -estimates[1]).all() and (estimates[2] > 0.05).all()


def test_differences_are_paired() -> None:
    rng, values = np.random.default_rng(6), np.repeat([0, 1], 100)
    one = drawn(rng, values, 0.8)
    scores = one.probabilities[:, 1].copy()
    scores[:6] = 0.99  # pictures of class 0, some of which the other model gets right
    other = judged(values, two(scores))
    value, low, high = compare(one, other, values, Resampling(np.arange(200), 200, 1))[:, 0]
    assert value == pytest.approx(once(one)["accuracy"] - once(other)["accuracy"])
    wide = float(np.ptp(estimate(one, np.arange(200), values, 200, 1)[0][1:, 0]))
    assert low < value < high and high - low < 0.75 * wide
