"""Features and labels -> the head: one dense layer, trained in memory."""

from collections.abc import Callable

import numpy as np

from sengu.base import params
from sengu.examples import Examples
from sengu.networks.runtime import keras, tf
from sengu.training import learner as training
from sengu.training import phases
from sengu.training.learner import Learner, Means
from sengu.training.network import Head
from sengu.training.phases import Epoch, Progress

Log = Callable[[str, int, Epoch], None]


def train_head(features: Examples, classes: int, settings: params.Train, log: Log) -> Head:
    """A dense layer from features to one logit per class, trained in memory, an epoch as one call of a graph."""
    train, validation = features.of_type("train"), features.of_type("validation")
    phase, seed = settings.head, settings.seed
    head = keras.layers.Dense(classes, kernel_initializer=keras.initializers.GlorotUniform(seed))
    head.build(features.arrays.shape)
    learner = Learner(head, head.trainable_weights, phase, len(train.rows))
    by_class = training.class_weights(settings.class_weights, train.values, classes)
    inputs = [tf.constant(array) for array in (train.arrays, train.values, by_class[train.values])]
    held_out = [tf.constant(array) for array in (validation.arrays, validation.values, np.ones(len(validation.rows), np.float32))]

    @tf.function  # type: ignore[untyped-decorator]
    def epoch(order: tf.Tensor) -> tf.Tensor:
        sums = tf.zeros(2)
        for start in tf.range(0, tf.size(order), phase.batch):
            chosen = order[start : start + phase.batch]
            vectors, values, weights = (tf.gather(array, chosen) for array in inputs)
            sums += learner.step(vectors, values, weights, tf.cast(tf.size(chosen), tf.float32))
        return sums

    def trained(number: int) -> Means:
        return training.means([epoch(tf.constant(training.order(len(train.rows), seed, number)))], len(train.rows))

    def validated() -> Means:
        return training.means([learner.measure(*held_out)], len(validation.rows))

    phases.fit("head", learner, trained, validated if len(validation.rows) else None, log, Progress())
    kernel, bias = learner.values()
    return kernel, bias
