"""A network, examples and the settings of a phase -> trained weights, and the result of each epoch.

The order of the examples depends only on seed and epoch, so that a training can continue at any epoch as if it had not stopped.
"""

from __future__ import annotations  # those of TensorFlow would load it

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from sengu.base.params import Phase
from sengu.networks.runtime import keras, tf

Means = tuple[float, float]  # loss and accuracy


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

    No step has a rate of 0: the first of r rising steps has 1/r of the peak, the last has the peak, and a cosine reaches 0 one
    step after the end.
    """
    rising = max(1, round(phase.warm_up * steps)) - 1  # steps below the peak
    schedules, first = keras.optimizers.schedules, phase.rate / (rising + 1)
    if phase.decay == "cosine" and rising:
        return schedules.CosineDecay(first, steps - rising, warmup_target=phase.rate, warmup_steps=rising)
    if phase.decay == "cosine":
        return schedules.CosineDecay(phase.rate, max(1, steps))
    return schedules.PolynomialDecay(first, rising, end_learning_rate=phase.rate) if rising else phase.rate


def order(examples: int, seed: int, epoch: int) -> np.ndarray:
    """Shuffled positions of the examples."""
    return np.random.default_rng([seed, epoch]).permutation(examples)


def total(numbers: np.ndarray) -> np.ndarray:
    """The sum over all workers of the present strategy."""
    strategy = tf.distribute.get_strategy()
    own = tf.constant(numbers)
    return np.asarray(strategy.reduce("SUM", strategy.run(lambda: own), axis=None))


def means(sums: Iterable[tf.Tensor], examples: int) -> Means:
    """Mean loss and accuracy of an epoch, over all workers."""
    loss, hits = total(np.array([part.numpy() for part in sums], np.float64).sum(axis=0))
    return float(loss / examples), float(hits / examples)


@cache
def _adam() -> Any:
    """The optimizer, as a class. Made here, because its parent is one of Keras, which is loaded at its first use."""

    class Adam(keras.optimizers.Adam):  # type: ignore[misc]
        """Adam in which each variable may learn at a share of the rate; kernels alone decay."""

        def __init__(self, rate: Any, decay: float, shares: dict[str, float]):
            # XLA would compile the update for a GPU, but TensorFlow's packages often lack a part that XLA needs
            super().__init__(rate, jit_compile=False)
            self.kernel_decay = decay  # not Keras's own, which knows no shares
            self.shares = shares  # of the rate, by the key of a variable; 1 where nothing is said

        def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
            share = self.shares.get(self._var_key(variable), 1.0)
            before = tf.identity(variable) if share < 1 else None
            if self.kernel_decay and len(variable.shape) >= 2:
                variable.assign_sub(variable * self.kernel_decay * tf.cast(self.learning_rate, variable.dtype))
            super().update_step(gradient, variable)
            if before is not None:  # a smaller gradient would not help: Adam's steps do not depend on its size
                variable.assign(before + share * (variable - before))

    return Adam


@dataclass(frozen=True)
class Trainable:
    """A network to train: the forward function from inputs to logits, its weights, and the terms that it adds to the loss.

    `shares` are those of the rate at which each of the weights learns, 1 if none are given; 0 leaves a weight as it is.
    """

    forward: Callable[[tf.Tensor], tf.Tensor]
    weights: list[tf.Variable]
    penalties: Callable[[], list[tf.Tensor]] = list
    shares: Sequence[float] = ()


class Learner:
    """A network in training: its forward function from inputs to logits, the weights to train and their optimizer."""

    def __init__(self, trainable: Trainable, phase: Phase, examples: int, half: bool = False):
        """Sets up the optimizer. With `half`, the loss is scaled for float16."""
        every = list(trainable.shares) or [1.0] * len(trainable.weights)
        self.forward, self.penalties, self.half = trainable.forward, trainable.penalties, half
        self.weights = [weight for weight, share in zip(trainable.weights, every, strict=True) if share > 0]
        self.phase, self.examples = phase, examples
        self.rates = rates(phase, phase.epochs * -(-examples // phase.batch))
        adam = _adam()(self.rates, phase.weight_decay, {})
        adam.shares = {adam._var_key(weight): share for weight, share in zip(trainable.weights, every, strict=True)}
        self.optimizer = keras.mixed_precision.LossScaleOptimizer(adam) if half else adam
        self.optimizer.build(self.weights)

    def step(self, inputs: tf.Tensor, values: tf.Tensor, weights: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """Learns from a batch; returns the weighted sum of its losses and the number of hits, float32 (2,).

        `size` is the number of examples in the batch of all workers; an example of weight 0 does not count.
        """
        with tf.GradientTape() as tape:
            sums = self._sums(inputs, values, weights, self.phase.label_smoothing)
            workers = tf.cast(tf.distribute.get_replica_context().num_replicas_in_sync, tf.float32)
            loss = sums[0] / size + sum(self.penalties()) / workers
            scaled = self.optimizer.get_scaled_loss(loss) if self.half else loss
        gradients = tape.gradient(scaled, self.weights)
        if self.half:
            gradients = self.optimizer.get_unscaled_gradients(gradients)
        self.optimizer.apply_gradients(zip(gradients, self.weights, strict=True))  # adds up those of all workers
        return sums

    def measure(self, inputs: tf.Tensor, values: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """The weighted sum of the losses of a batch and the number of hits, float32 (2,), without learning or smoothing."""
        return self._sums(inputs, values, weights, 0.0)

    def _sums(self, inputs: tf.Tensor, values: tf.Tensor, weights: tf.Tensor, smoothing: float) -> tf.Tensor:
        logits = self.forward(inputs)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(values, logits)
        if smoothing:
            spread = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=1)
            losses = (1 - smoothing) * losses + smoothing * spread
        hits = tf.where(weights > 0, tf.cast(tf.equal(tf.argmax(logits, axis=1), values), tf.float32), 0.0)
        return tf.stack([tf.reduce_sum(losses * weights), tf.reduce_sum(hits)])

    def rate(self) -> float:
        """The learning rate of the last step; before any, or while float16 has overflowed in each, that of the first to come."""
        return float(self.rates(max(0, int(self.optimizer.iterations.numpy()) - 1))) if callable(self.rates) else self.rates

    def values(self) -> list[np.ndarray]:
        return [weight.numpy() for weight in self.weights]

    def assign(self, values: Iterable[np.ndarray]) -> None:
        for weight, value in zip(self.weights, values, strict=True):
            weight.assign(value)
