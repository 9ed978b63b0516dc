"""The head on small features: it is what scikit-learn comes to, bit by bit the same again, with a penalty chosen as stated."""

import logging
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sengu.base import params
from sengu.base.errors import SenguError
from sengu.examples import Examples

pytestmark = pytest.mark.slow

head_module = import_module("sengu.training.head")
PENALTY = 0.1


def examples(classes: int, train: int = 60, validation: int = 30) -> Examples:
    """Features of quite different sizes, one of them constant, with classes that overlap; the first class has most examples."""
    chance = np.random.default_rng(classes)
    values = np.minimum(chance.integers(0, classes + 2, train + validation), classes + 1) % classes
    vectors = chance.normal(size=(len(values), 12)) + np.eye(12)[values] * 1.5
    vectors = vectors * np.logspace(-2, 2, 12) + 7
    vectors[:, 5] = 3
    rows = pd.DataFrame({"value": values, "type": ["train"] * train + ["validation"] * validation})
    return Examples(rows, vectors.astype(np.float32))


def settings(penalty: Any = "auto", class_weights: Any = "balanced") -> params.Train:
    tune = params.FineTune(epochs=0, rate=1.0, batch=1)
    return params.Train(seed=1, head=params.Head(penalty=penalty), fine_tune=tune, class_weights=class_weights)


def trained(found: Examples, classes: int, how: params.Train) -> tuple[np.ndarray, np.ndarray, Any]:
    logged: list[Any] = []
    kernel, bias = head_module.train_head(found, classes, how, lambda phase, number, fit: logged.append((phase, number, fit)))
    ((phase, number, fit),) = logged
    assert (phase, number) == ("head", 1)
    return kernel, bias, fit


def reference(train: Examples, penalty: float, halves: int, class_weight: str | None) -> Any:
    """scikit-learn's; for two classes it has one weight a feature, the difference of ours, so that its C counts half."""
    model = LogisticRegression(C=halves / (penalty * len(train.rows)), class_weight=class_weight, tol=1e-8, max_iter=10_000)
    return make_pipeline(StandardScaler(), model).fit(train.arrays.astype(np.float64), train.values)


@pytest.mark.parametrize("class_weight", ["balanced", None])
@pytest.mark.parametrize(("classes", "halves"), [(2, 2), (3, 1), (5, 1)])
def test_it_is_what_scikit_learn_comes_to(classes: int, halves: int, class_weight: str | None) -> None:
    found = examples(classes)
    train, validation = found.of_type("train"), found.of_type("validation")
    kernel, bias, fit = trained(found, classes, settings(PENALTY, class_weight or "none"))
    assert kernel.dtype == bias.dtype == np.float32
    probabilities = softmax(validation.arrays @ kernel + bias, axis=1)
    expected = reference(train, PENALTY, halves, class_weight).predict_proba(validation.arrays)
    assert probabilities == pytest.approx(expected, abs=1e-4)
    assert fit.validation_loss == pytest.approx(log_loss(validation.values, expected), abs=1e-4)
    assert fit.validation_accuracy == np.mean(expected.argmax(axis=1) == validation.values)
    assert fit.penalty == PENALTY


@pytest.mark.parametrize(("classes", "halves"), [(2, 2), (3, 1)])
def test_the_penalty_is_that_with_the_least_loss_on_validation(
    classes: int, halves: int, caplog: pytest.LogCaptureFixture
) -> None:
    found = examples(classes)
    train, validation = found.of_type("train"), found.of_type("validation")
    losses = {}
    for penalty in head_module.PENALTIES:
        probabilities = reference(train, penalty, halves, "balanced").predict_proba(validation.arrays)
        losses[penalty] = log_loss(validation.values, probabilities)
    with caplog.at_level(logging.INFO):
        *_, fit = trained(found, classes, settings())
    assert fit.penalty == min(losses, key=lambda penalty: losses[penalty])
    assert fit.validation_loss == pytest.approx(min(losses.values()), abs=1e-4)
    assert 0 < head_module.PENALTIES.index(fit.penalty) < len(head_module.PENALTIES) - 1
    assert f"loss on validation by penalty: 10: {losses[10]:.4g}" in caplog.text


def test_it_is_no_worse_than_scikit_learn_with_its_defaults() -> None:
    """On held-out examples: with many features and few examples, as a backbone gives them."""
    chance = np.random.default_rng(3)
    values = chance.integers(0, 2, 900)
    vectors = chance.normal(size=(900, 200))
    vectors[:, :20] += 0.35 * (2 * values[:, None] - 1)
    types = np.repeat(["train", "validation", "test"], [200, 100, 600])
    found = Examples(pd.DataFrame({"value": values, "type": types}), vectors.astype(np.float32))
    train, test = found.of_type("train"), found.of_type("test")
    kernel, bias, _ = trained(found, 2, settings())
    own = softmax(test.arrays @ kernel + bias, axis=1)
    default = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(train.arrays, train.values)
    assert log_loss(test.values, own) < log_loss(test.values, default.predict_proba(test.arrays))
    assert np.mean(own.argmax(axis=1) == test.values) >= default.score(test.arrays, test.values)


def test_the_same_again_has_the_same_bits() -> None:
    first, second = (trained(examples(3), 3, settings()) for _ in range(2))
    assert first[0].tobytes() == second[0].tobytes()
    assert first[1].tobytes() == second[1].tobytes()
    assert first[2] == second[2]


def test_without_validation_the_penalty_is_chosen_on_parts_of_train(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        *_, fit = trained(examples(3, validation=0), 3, settings())
    assert "loss on 5 parts of train by penalty: 10: " in caplog.text
    assert fit.penalty in head_module.PENALTIES
    assert fit.validation_loss is None


@pytest.mark.parametrize("validation", [0, 30])
def test_a_class_without_training_examples_is_never_the_most_likely(validation: int) -> None:
    found = examples(3, validation=validation)
    kernel, bias, fit = trained(found, 5, settings())
    probabilities = softmax(found.arrays @ kernel + bias, axis=1)
    assert probabilities[:, 3:].max() < 1 / len(found.of_type("train").rows)
    assert np.isfinite(fit.loss)


def test_one_example_a_class_or_one_class_alone_will_do() -> None:
    found = examples(3, train=60, validation=0)
    few = found.rows.drop_duplicates("value")
    kernel, bias, _ = trained(Examples(few.reset_index(drop=True), found.arrays[few.index]), 3, settings())
    assert ((found.arrays[few.index] @ kernel + bias).argmax(axis=1) == few["value"]).all()
    alone = found.rows[found.rows["value"] == 1]
    kernel, bias, _ = trained(Examples(alone.reset_index(drop=True), found.arrays[alone.index]), 3, settings())
    assert ((found.arrays @ kernel + bias).argmax(axis=1) == 1).all()


def test_features_that_are_no_numbers_are_refused() -> None:
    found = examples(2)
    found.arrays[3, 4] = np.nan
    with pytest.raises(SenguError, match="data/features holds NaN or infinite values: run `dvc repro --force"):
        trained(found, 2, settings())


def test_a_head_that_does_not_converge_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_module, "ROUNDS", 2)
    with pytest.raises(SenguError, match=r"not converged in 2 rounds with the penalty 0.1: raise train.head.penalty"):
        trained(examples(3), 3, settings(PENALTY))
