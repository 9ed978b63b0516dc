"""A network, examples and the settings of a phase -> trained weights, and what came of each epoch.

The order of the examples depends on seed and epoch only, so that a training can go on at any epoch as if it had not stopped.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from sengu.base.errors import SenguError
from sengu.base.params import Phase

logger = logging.getLogger("train")

Means = tuple[float, float]  # loss and accuracy


@dataclass(frozen=True)
class Epoch:
    """What came of an epoch: means over the examples, and the learning rate of its last step."""

    loss: float
    accuracy: float
    rate: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None


@dataclass
class Progress:
    """How far a phase is: its epochs, the validation loss before them, and the best weights so far if they are to be kept.

    The weights that a phase starts from are those of epoch 0.
    """

    history: list[Epoch] = field(default_factory=list)
    start: float | None = None
    best: list[np.ndarray] = field(default_factory=list)


def class_weights(kind: str, values: np.ndarray, classes: int) -> np.ndarray:
    """float32 (classes,) for the examples' values.

    Balanced: n / (k n_c) for a class with n_c of all n examples, where k classes have any; 0 for one that has none.
    """
    if kind == "none":
        return np.ones(classes, np.float32)
    counts = np.bincount(values, minlength=classes)
    present = np.count_nonzero(counts)
    weights = np.zeros(classes, np.float32)
    np.divide(len(values), present * counts, out=weights, where=counts > 0, casting="same_kind")
    return weights


def rates(phase: Phase, steps: int) -> Any:
    """The learning rate of a phase of so many steps: a number, or a Keras schedule.

    No step is wasted on a rate of 0: the first of r steps that rise has the rth part of the peak, the last of them the peak, and
    a cosine would be at 0 one step after the end.
    """
    rising = max(1, round(phase.warm_up * steps)) - 1  # steps below the peak
    schedules, first = keras.optimizers.schedules, phase.rate / (rising + 1)
    if phase.decay == "cosine" and rising:
        return schedules.CosineDecay(first, steps - rising, warmup_target=phase.rate, warmup_steps=rising)
    if phase.decay == "cosine":
        return schedules.CosineDecay(phase.rate, max(1, steps))
    return schedules.PolynomialDecay(first, rising, end_learning_rate=phase.rate) if rising else phase.rate


def order(examples: int, seed: int, epoch: int) -> np.ndarray:
    """Positions of the examples, shuffled."""
    return np.random.default_rng([seed, epoch]).permutation(examples)


def total(numbers: np.ndarray) -> np.ndarray:
    """The sum over all workers of the present strategy."""
    strategy = tf.distribute.get_strategy()
    own = tf.constant(numbers)
    return np.asarray(strategy.reduce("SUM", strategy.run(lambda: own), axis=None))


def means(sums: Iterable[tf.Tensor], examples: int) -> Means:
    """Of what the steps of an epoch gave, on all workers together."""
    loss, hits = total(np.array([part.numpy() for part in sums], np.float64).sum(axis=0))
    return float(loss / examples), float(hits / examples)


class Learner:
    """A network in training: its forward function from inputs to logits, the weights to train and their optimizer."""

    def __init__(
        self,
        forward: Callable[[tf.Tensor], tf.Tensor],
        weights: list[tf.Variable],
        phase: Phase,
        examples: int,
        penalties: Callable[[], list[tf.Tensor]] = list,
        half: bool = False,
    ):
        """`penalties` gives the terms that the network adds to the loss; with `half`, the loss is scaled for float16."""
        self.forward, self.weights, self.penalties, self.half = forward, weights, penalties, half
        self.phase, self.examples = phase, examples
        self.rates = rates(phase, phase.epochs * -(-examples // phase.batch))
        # XLA would compile the update for a GPU; TensorFlow's packages for it often lack a part that XLA looks for
        self.optimizer = keras.optimizers.Adam(self.rates, jit_compile=False)
        if half:
            self.optimizer = keras.mixed_precision.LossScaleOptimizer(self.optimizer)
        self.optimizer.build(weights)

    def step(self, inputs: tf.Tensor, values: tf.Tensor, weights: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """Learns from a batch. Gives the weighted sum of its losses and the number of hits, float32 (2,).

        `size` is the number of examples in the batch of all workers; an example of weight 0 does not count.
        """
        with tf.GradientTape() as tape:
            sums = self.measure(inputs, values, weights)
            workers = tf.cast(tf.distribute.get_replica_context().num_replicas_in_sync, tf.float32)
            loss = sums[0] / size + sum(self.penalties()) / workers
            scaled = self.optimizer.get_scaled_loss(loss) if self.half else loss
        gradients = tape.gradient(scaled, self.weights)
        if self.half:
            gradients = self.optimizer.get_unscaled_gradients(gradients)
        self.optimizer.apply_gradients(zip(gradients, self.weights, strict=True))  # adds up those of all workers
        return sums

    def measure(self, inputs: tf.Tensor, values: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """As `step`, without learning."""
        logits = self.forward(inputs)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(values, logits)
        hits = tf.where(weights > 0, tf.cast(tf.equal(tf.argmax(logits, axis=1), values), tf.float32), 0.0)
        return tf.stack([tf.reduce_sum(losses * weights), tf.reduce_sum(hits)])

    def rate(self) -> float:
        """Of the last step; before any, and where float16 has overflowed in each so far, of the first one to come."""
        return float(self.rates(max(0, int(self.optimizer.iterations.numpy()) - 1))) if callable(self.rates) else self.rates

    def values(self) -> list[np.ndarray]:
        return [weight.numpy() for weight in self.weights]

    def assign(self, values: Iterable[np.ndarray]) -> None:
        for weight, value in zip(self.weights, values, strict=True):
            weight.assign(value)


def fit(
    name: str,
    learner: Learner,
    train: Callable[[int], Means],
    validate: Callable[[], Means] | None,
    log: Callable[[str, int, Epoch], None],
    progress: Progress,
    save: Callable[[Progress], None] = lambda progress: None,
) -> None:
    """The epochs of the phase `name` that are still to come; the learner ends with the weights of the last or of the best one.

    With patience, the weights at the start compete as those of epoch 0. `log` hears of every epoch by phase and number, from 1,
    and also of those before a resume; `save` after each. Warns if the phase has done harm. Raises SenguError if the loss is not,
    or no longer, a number.
    """
    phase = learner.phase
    for number, record in enumerate(progress.history, 1):
        log(name, number, record)
    if validate and phase.epochs and progress.start is None:
        progress.start = _start(name, validate)
        if phase.patience:
            progress.best = learner.values()
    while not finished(progress, phase):
        number, start = len(progress.history) + 1, time.perf_counter()
        loss, accuracy = train(number - 1)
        seconds = time.perf_counter() - start
        validated = validate() if validate else (None, None)
        if not np.isfinite([loss, validated[0] or 0]).all():
            raise SenguError(f"the loss of {name} is no number after epoch {number}: lower train.{name}.rate in params.yaml")
        record = Epoch(loss, accuracy, learner.rate(), *validated)
        progress.history.append(record)
        if phase.patience and best(progress) == number:
            progress.best = learner.values()
        log(name, number, record)
        logger.info("%s, epoch %d of %d: %s", name, number, phase.epochs, _text(record, learner.examples / seconds))
        save(progress)
    if progress.best:
        learner.assign(progress.best)
        if best(progress):
            logger.info("%s: the weights are those after epoch %d", name, best(progress))
    _warn(name, progress)


def losses(progress: Progress) -> list[float]:
    """Of validation: at the start and after each epoch, or none at all."""
    found = (progress.start, *(epoch.validation_loss for epoch in progress.history))
    return [loss for loss in found if loss is not None]


def best(progress: Progress) -> int:
    """The number of the first epoch with the lowest validation loss; 0 is the start."""
    found = losses(progress)
    return found.index(min(found))


def finished(progress: Progress, phase: Phase) -> bool:
    """Is the last epoch reached, or was there no better one for `patience` epochs?"""
    done = len(progress.history)
    return done >= phase.epochs or bool(phase.patience and done - best(progress) >= phase.patience)


def _start(name: str, validate: Callable[[], Means]) -> float:
    loss, accuracy = validate()
    if not np.isfinite(loss):
        raise SenguError(
            f"the validation loss of {name} is no number before its first epoch: look into data/features "
            "for values that are no numbers, or set train.mixed_precision in params.yaml to never"
        )
    logger.info("%s, before epoch 1: validation loss %.4g, validation accuracy %.4g", name, loss, accuracy)
    return loss


def _warn(name: str, progress: Progress) -> None:
    """Says so if the phase would better not have been."""
    start, *later = losses(progress) or [0.0]
    if not later:
        return
    cure = f"lower train.{name}.rate in params.yaml"
    if progress.best and best(progress) == 0:
        logger.warning("%s: no epoch was better than the weights it started from, which are kept: %s", name, cure)
    elif not progress.best and later[-1] > start:
        logger.warning("%s: the validation loss has grown from %.4g to %.4g: %s, or set patience", name, start, later[-1], cure)


def _text(record: Epoch, speed: float) -> str:
    numbers = ((name.replace("_", " "), value) for name, value in vars(record).items() if value is not None)
    return ", ".join(f"{name} {value:.4g}" for name, value in (*numbers, ("examples per second", speed)))
