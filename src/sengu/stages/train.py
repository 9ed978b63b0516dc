"""Train the head on the features, then fine-tune the whole network at a low rate; deterministic when seeded."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras
from dvclive import Live

from sengu import backbones, datasets, params
from sengu.atomic import replaced_folder
from sengu.classifier import HEAD, NETWORK, OUTPUTS, save_head
from sengu.errors import SenguError, run_program
from sengu.pixels import Examples, read_features, read_pixels

logger = logging.getLogger("train")


class Batches(keras.utils.Sequence):  # type: ignore[misc]
    """Shuffled batches of arrays and values; the order depends on the seed and the epoch only."""

    def __init__(self, examples: Examples, size: int, seed: int):
        self.arrays, self.values, self.size, self.seed, self.epoch = examples.arrays, examples.values, size, seed, 0
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self.values) // self.size)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self.order[number * self.size : (number + 1) * self.size]
        return self.arrays[chosen], self.values[chosen]

    def on_epoch_end(self) -> None:
        self.order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.values))
        self.epoch += 1


def train_head(features: Examples, classes: int, settings: params.Train, live: Live) -> keras.layers.Dense:
    """A dense layer from features to one logit per class."""
    head = keras.layers.Dense(classes, name="head")
    network = keras.Sequential([keras.Input(features.arrays.shape[1:]), head])
    _fit(network, features, settings.head, settings.seed, live, "head")
    return head


def fine_tune(pixels: Examples, backbone: Path, head: keras.layers.Dense, settings: params.Train, live: Live) -> keras.Model:
    """The whole network from uint8 (n, size, size, 3) to probabilities and embedding, its BatchNorm statistics frozen."""
    picture = keras.Input(pixels.arrays.shape[1:], dtype=tf.uint8, name="picture")
    vector = backbones.layer(backbone, trainable=True)(keras.layers.Rescaling(1 / 255)(picture), training=False)
    logits = head(vector)
    _fit(keras.Model(picture, logits), pixels, settings.fine_tune, settings.seed, live, "fine_tune")
    outputs = keras.layers.Softmax(name="probabilities")(logits), keras.layers.UnitNormalization(name="embedding")(vector)
    return keras.Model(picture, dict(zip(OUTPUTS, outputs, strict=True)))


def _fit(network: keras.Model, examples: Examples, phase: params.Phase, seed: int, live: Live, name: str) -> None:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(phase.rate), loss, metrics=["accuracy"])
    validation = examples.of_type("validation")

    def log(epoch: int, logs: dict[str, Any]) -> None:
        for key, value in logs.items():
            split, metric = ("validation", key.removeprefix("val_")) if key.startswith("val_") else ("train", key)
            live.log_metric(f"{name}/{split}/{metric}", float(value))
        live.next_step()
        logger.info("%s, epoch %d: %s", name, epoch + 1, ", ".join(f"{key} {value:.4f}" for key, value in logs.items()))

    network.fit(
        Batches(examples.of_type("train"), phase.batch, seed),
        epochs=phase.epochs,
        validation_data=(validation.arrays, validation.values) if len(validation.rows) else None,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=log)],
        verbose=0,
    )


def main(arguments: list[str]) -> None:
    dataset, pixels_folder, features_folder, backbone, output, curves = map(Path, arguments)
    settings = params.section("train", params.Train)
    pixels, features = read_pixels(pixels_folder), read_features(pixels_folder, features_folder)
    classes = len(datasets.read(dataset).classes)
    if not (pixels.rows["type"] == "train").any():
        raise SenguError(f"{pixels_folder} has no example of type train: label more objects, or change split in params.yaml")
    keras.utils.set_random_seed(settings.seed)
    tf.config.experimental.enable_op_determinism()
    with replaced_folder(output) as partial, Live(str(curves), save_dvc_exp=False, dvcyaml=None, monitor_system=False) as live:
        head = train_head(features, classes, settings, live)
        save_head(partial / HEAD, *head.get_weights())
        network = fine_tune(pixels, backbone, head, settings, live)
        # not export(), whose files differ from run to run
        network.save(partial / NETWORK, include_optimizer=False)
        (partial / NETWORK / backbones.FINGERPRINT).unlink(missing_ok=True)
    logger.info("%d classes, %d training examples", classes, len(pixels.of_type("train").rows))


if __name__ == "__main__":
    run_program(main, "DATASET PIXELS FEATURES BACKBONE CLASSIFIER CURVES")
