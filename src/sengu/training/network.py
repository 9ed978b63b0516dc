"""The backbone with a head on it, trainable as a whole, and saved with the same bytes every time."""

from __future__ import annotations  # those of TensorFlow would load it

from pathlib import Path

import numpy as np

from sengu.networks import backbone as backbones
from sengu.networks import classifier
from sengu.networks.runtime import keras, saved_model_pb2, tf

Head = tuple[np.ndarray, np.ndarray]  # kernel (d, classes) and bias (classes,)


class Network:
    """The backbone with the head on it, trainable as a whole but for the statistics of BatchNorm, which stay frozen."""

    def __init__(self, backbone: Path, head: Head, size: int):
        self.backbone = backbones.layer(backbone, trainable=True)
        self.head = keras.layers.Dense(len(head[1]), name="head")
        picture = keras.Input((size, size, 3), dtype=tf.uint8, name="picture")
        vector = self.backbone(keras.layers.Rescaling(1 / 255)(picture), training=False)
        probabilities, embedding = classifier.OUTPUTS
        outputs = {
            probabilities: keras.layers.Softmax(name=probabilities)(self.head(vector)),
            embedding: keras.layers.UnitNormalization(name=embedding)(vector),
        }
        self.served = keras.Model(picture, outputs)
        self.head.set_weights(head)

    @property
    def weights(self) -> list[tf.Variable]:
        return [*self.backbone.trainable_weights, *self.head.trainable_weights]

    def assign(self, other: Network) -> None:
        """Takes over what the other one has learnt."""
        for weight, learnt in zip(self.weights, other.weights, strict=True):
            weight.assign(learnt.numpy())

    def logits(self, pictures: tf.Tensor) -> tf.Tensor:
        """float32 (n, classes) of pictures (n, size, size, 3) in 0..255."""
        return self.head(self.backbone(tf.cast(pictures, tf.float32) / 255.0, training=False))

    def save(self, folder: Path) -> None:
        """As the SavedModel that sengu.networks.classifier describes."""
        # not export(), whose files differ from run to run
        self.served.save(folder, include_optimizer=False)
        _sort_functions(folder / "saved_model.pb")
        (folder / backbones.FINGERPRINT).unlink(missing_ok=True)

    def save_weights(self, folder: Path) -> None:
        """Into a folder that was saved before they were learnt.

        Because `save` numbers its functions by all that the process did before, and a resumed training did something else.
        """
        tf.train.Checkpoint(root=self.served).write(str(folder / "variables" / "variables"))


def _sort_functions(path: Path) -> None:
    """Brings the functions of a SavedModel into the order of their names: TensorFlow's own differs from process to process."""
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for graph in saved.meta_graphs:
        library = graph.graph_def.library
        functions = sorted(library.function, key=lambda function: function.signature.name)
        del library.function[:]
        library.function.extend(functions)
    path.write_bytes(saved.SerializeToString(deterministic=True))
