"""Features and labels -> the head: standardised multinomial logistic regression, fitted to convergence, as one dense layer."""

import logging
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from sengu.base import params
from sengu.base.errors import SenguError
from sengu.examples import Examples
from sengu.training.learner import class_weights

logger = logging.getLogger("train")

# the choice of penalties, the strongest first; on photographs the best is between 1 and 0.01
PENALTIES = tuple(float(f"{10**exponent:.2g}") for exponent in np.arange(1, -4.5, -0.5))
FOLDS = 5  # of the training examples, where there are none for validation
WORSE = 2  # penalties in a row that make validation worse, after which no weaker one is tried
ROUNDS = 10_000  # of the solver, which needs some hundreds
TOLERANCE = 1e-6  # largest part of the gradient of the mean loss at which the solver has converged

Layer = tuple[np.ndarray, np.ndarray]  # kernel (d, classes) and bias (classes,)


@dataclass(frozen=True)
class Fit:
    """The result of fitting the head: mean losses over the examples, and the penalty. Validation is never weighted."""

    loss: float
    accuracy: float
    penalty: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None


def train_head(features: Examples, classes: int, settings: params.Train, log: Callable[[str, int, Fit], None]) -> Layer:
    """Fits a dense layer from features to one logit per class, float32: the same bits for the same features and settings.

    It has the least mean loss, weighted by class, plus penalty / 2 times the sum of the squared weights of standardised features.
    Without a penalty in the settings, it takes the one whose head has the least loss on validation or, without validation
    examples, on parts of train. Raises SenguError if the features hold values that are no numbers.
    """
    train, validation = features.of_type("train"), features.of_type("validation")
    if not (np.isfinite(train.arrays).all() and np.isfinite(validation.arrays).all()):
        raise SenguError("data/features holds NaN or infinite values: run `dvc repro --force --single-item features`")
    by_class = class_weights(settings.class_weights, train.values, classes)
    weights = by_class[train.values]
    # one thread: sums do not depend on the number of cores
    with threadpool_limits(1):
        penalty = settings.head.penalty
        if penalty == "auto":
            penalty = _choose(train, validation, weights, classes)
        head = next(_heads(train.arrays, train.values, weights, classes, [penalty]))
    loss, accuracy = _measure(head, train, weights)
    held_out = _measure(head, validation) if len(validation.rows) else (None, None)
    fit = Fit(loss, accuracy, penalty, *held_out)
    log("head", 1, fit)
    numbers = {name.replace("_", " "): value for name, value in vars(fit).items() if value is not None}
    logger.info("head: %s", ", ".join(f"{name} {value:.4g}" for name, value in numbers.items()))
    kernel, bias = head
    return kernel.astype(np.float32), bias.astype(np.float32)


def _choose(train: Examples, validation: Examples, weights: np.ndarray, classes: int) -> float:
    """The penalty with the least loss on examples that its heads have not seen."""
    losses = np.zeros(len(PENALTIES))
    parts = list(_parts(train, validation, weights))
    if not parts:
        return 1.0
    rivals = [_heads(seen.arrays, seen.values, chosen, classes, PENALTIES) for seen, chosen, _ in parts]
    tried = 0
    for number, heads in enumerate(zip(*rivals, strict=True)):
        tried = number + 1
        losses[number] = np.mean([_measure(head, unseen)[0] for head, (_, _, unseen) in zip(heads, parts, strict=True)])
        if number - losses[:tried].argmin() >= WORSE:
            break
    best = int(losses[:tried].argmin())
    where = "validation" if len(validation.rows) else f"{len(parts)} parts of train"
    table = ", ".join(f"{penalty:g}: {loss:.4g}" for penalty, loss in zip(PENALTIES, losses[:tried], strict=False))
    logger.info("head: loss on %s by penalty: %s", where, table)
    return PENALTIES[best]


def _parts(train: Examples, validation: Examples, weights: np.ndarray) -> Iterator[tuple[Examples, np.ndarray, Examples]]:
    """Examples, with weights, to fit and to measure a head of each penalty; none where a class has one example only."""
    if len(validation.rows):
        yield train, weights, validation
        return
    smallest = int(np.bincount(train.values)[np.unique(train.values)].min())
    if smallest < 2:
        return
    for seen, unseen in StratifiedKFold(min(FOLDS, smallest)).split(train.arrays, train.values):
        yield _chosen(train, seen), weights[seen], _chosen(train, unseen)


def _chosen(examples: Examples, positions: np.ndarray) -> Examples:
    return Examples(examples.rows.iloc[positions].reset_index(drop=True), examples.arrays[positions])


def _heads(
    vectors: np.ndarray, values: np.ndarray, weights: np.ndarray, classes: int, penalties: tuple[float, ...] | list[float]
) -> Iterator[Layer]:
    """The head of each penalty, float64, each found from the one before."""
    mean, deviation = vectors.mean(axis=0, dtype=np.float64), vectors.std(axis=0, dtype=np.float64)
    deviation[deviation == 0] = 1
    standardised = (vectors - mean) / deviation
    present, labels = np.unique(values, return_inverse=True)
    kernel, bias = np.zeros((vectors.shape[1], classes)), np.zeros(classes)
    model = LogisticRegression(tol=TOLERANCE, max_iter=ROUNDS, warm_start=True)
    for penalty in penalties:
        if len(present) > 1:
            halves = 2 if len(present) == 2 else 1  # scikit-learn fits two classes by the difference of their weights
            model.C = halves / (penalty * weights.sum())
            with warnings.catch_warnings():
                warnings.simplefilter("error", ConvergenceWarning)
                try:
                    model.fit(standardised, labels, sample_weight=weights)
                except ConvergenceWarning as error:
                    raise SenguError(
                        f"the head has not converged in {ROUNDS} rounds with the penalty {penalty:g}: raise train.head.penalty "
                        "in params.yaml"
                    ) from error
            coefficients, intercepts = model.coef_, model.intercept_
            if len(present) == 2:
                coefficients, intercepts = (np.concatenate([-half, half]) / 2 for half in (coefficients, intercepts))
            kernel[:, present] = coefficients.T / deviation[:, None]
            bias[present] = intercepts - mean @ kernel[:, present]
        _without_examples(vectors, kernel, bias, present)
        yield kernel.copy(), bias.copy()


def _without_examples(vectors: np.ndarray, kernel: np.ndarray, bias: np.ndarray, present: np.ndarray) -> None:
    """Makes a class without training examples less likely than one in their number, for any example."""
    absent = np.setdiff1d(np.arange(len(bias)), present)
    if len(absent):
        lowest = (vectors @ kernel[:, present] + bias[present]).max(axis=1).min()
        bias[absent] = lowest - np.log(len(vectors) + 1)


def _measure(head: Layer, examples: Examples, weights: np.ndarray | None = None) -> tuple[float, float]:
    """Mean loss, weighted if weights are given, and accuracy of a head."""
    kernel, bias = head
    logits = examples.arrays @ kernel + bias
    losses = -log_softmax(logits, axis=1)[np.arange(len(logits)), examples.values]
    accuracy = (logits.argmax(axis=1) == examples.values).mean()
    return float(np.average(losses * (1 if weights is None else weights))), float(accuracy)
