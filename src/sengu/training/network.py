"""A backbone and a head -> one network, trainable as a whole, and saved with the same bytes every time."""

from __future__ import annotations  # those of TensorFlow would load it

from pathlib import Path

import numpy as np

from sengu.examples import batch_size
from sengu.networks import classifier
from sengu.networks.backbone import layer, make_reproducible
from sengu.networks.runtime import keras, tf

Head = tuple[np.ndarray, np.ndarray]  # kernel (d, classes) and bias (classes,)


class Network:
    """The backbone with a head, trainable as a whole except the statistics of BatchNorm, which stay frozen."""

    def __init__(self, backbone: Path, head: Head, size: int, mirror: bool = False):
        """Joins backbone and head. With `mirror`, the saved network takes the mean features of a picture and its mirror image."""
        self.backbone = layer(backbone, trainable=True)
        self.head = keras.layers.Dense(len(head[1]), name="head")
        picture = keras.Input((size, size, 3), dtype=tf.uint8, name="picture")
        level = keras.layers.Rescaling(1 / 255)(picture)
        vector = self.backbone(level, training=False)
        if mirror:
            vector = keras.layers.Average()([vector, self.backbone(level[:, :, ::-1], training=False)])
        probabilities, embedding = classifier.OUTPUTS
        self.scores = self.head(vector)
        outputs = {
            probabilities: keras.layers.Softmax(name=probabilities)(self.scores),
            embedding: keras.layers.UnitNormalization(name=embedding)(vector),
        }
        self.served = keras.Model(picture, outputs)
        self.head.set_weights(head)

    @property
    def weights(self) -> list[tf.Variable]:
        return [*self.backbone.trainable_weights, *self.head.trainable_weights]

    def shares(self, frozen: float, lowest: float) -> list[float]:
        """The share of the rate for each of the weights: the first `frozen` of the backbone 0, then from `lowest` up to 1."""
        count = len(self.backbone.trainable_weights)
        still = round(frozen * count)
        rising = [lowest ** (1 - (place + 1 - still) / (count + 1 - still)) for place in range(still, count)]
        return [0.0] * still + rising + [1.0] * len(self.head.trainable_weights)

    def soften(self, temperature: float) -> None:
        """Divides all logits by a number; the most probable class stays the same."""
        self.head.set_weights([(weight / temperature).astype(weight.dtype) for weight in self.head.get_weights()])

    def log_probabilities(self, pictures: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """float32 (n, classes) of some rows of pictures, uint8 (n, size, size, 3), as the saved network would judge them."""
        logits = keras.Model(self.served.input, self.scores)

        @tf.function(input_signature=[tf.TensorSpec((None, *pictures.shape[1:]), tf.uint8)])  # type: ignore[untyped-decorator]
        def run(batch: tf.Tensor) -> tf.Tensor:
            return tf.nn.log_softmax(logits(batch, training=False))

        size = batch_size(pictures)
        return np.concatenate([run(pictures[rows[start : start + size]]).numpy() for start in range(0, len(rows), size)])

    def assign(self, other: Network) -> None:
        """Copies the weights of another network."""
        for weight, learnt in zip(self.weights, other.weights, strict=True):
            weight.assign(learnt.numpy())

    def logits(self, pictures: tf.Tensor) -> tf.Tensor:
        """float32 (n, classes) of pictures (n, size, size, 3) in 0..255."""
        return self.head(self.backbone(tf.cast(pictures, tf.float32) / 255.0, training=False))

    def save(self, folder: Path) -> None:
        """Saves the SavedModel that sengu.networks.classifier describes."""
        # not export(), whose files differ from run to run
        self.served.save(folder, include_optimizer=False)
        make_reproducible(folder)

    def save_weights(self, folder: Path) -> None:
        """Writes the weights into a folder that was saved before they were learnt.

        `save` numbers its functions by everything that the process did before, and a resumed training did something else.
        """
        tf.train.Checkpoint(root=self.served).write(str(folder / "variables" / "variables"))
