"""cifar10.zip -> efficientnet-b0.npz: pretrains the backbone that `backbone.source: embedded` unpacks.

Run once by the maintainers, not by the pipeline; README.md beside this file records data, recipe, result and limits.

    python models/embedded/pretrain.py cifar10.zip models/embedded/efficientnet-b0.npz

The zip holds 60,000 JPEG files as train|test/<class>/<name>.jpg. Training starts on small pictures, which costs a third
of the time per epoch (progressive resizing), and has two cycles: each warms up, falls to rate 0 along a cosine, and starts
with a new head on the backbone of the one before. `--from-cycle 1` goes on from the weights of an interrupted second cycle.
"""

import argparse
import io
import os
import zipfile
from pathlib import Path

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # tensorflow-hub needs tf_keras, so the whole project uses it

import numpy as np
import tensorflow as tf
import tf_keras as keras
from PIL import Image
from tqdm import tqdm

SEED = 20
BATCH = 128
# peak rate of a cycle, and its phases as (pixels, epochs)
CYCLES = ((2e-3, ((32, 6), (64, 12))), (1e-3, ((64, 12),)))
WEIGHT_DECAY = 0.02
LABEL_SMOOTHING = 0.1


def read(archive: zipfile.ZipFile, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of one part as uint8 (n, 32, 32, 3) and their class numbers as int64 (n,), in file-name order."""
    names = sorted(n for n in archive.namelist() if n.startswith(f"{part}/") and n.endswith(".jpg"))
    classes = sorted({n.split("/")[1] for n in names})
    pictures = [
        np.asarray(Image.open(io.BytesIO(archive.read(n))).convert("RGB"))
        for n in tqdm(names, desc=part, unit="picture", disable=None)
    ]
    return np.stack(pictures), np.array([classes.index(n.split("/")[1]) for n in names])


def batches(pictures: np.ndarray, labels: np.ndarray, size: int, augment: bool) -> tf.data.Dataset:
    """Batches of float32 (b, size, size, 3) in 0..255; augmented: shuffled, flipped, shifted by up to 4 of 32 pixels."""

    def shift(picture: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        padded = tf.pad(picture, [[4, 4], [4, 4], [0, 0]], mode="REFLECT")
        return tf.image.random_flip_left_right(tf.image.random_crop(padded, [32, 32, 3])), label

    def resize(batch: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.image.resize(batch, [size, size]), labels

    data = tf.data.Dataset.from_tensor_slices((pictures, labels))
    if augment:
        data = data.shuffle(len(pictures)).map(shift)
    return data.batch(BATCH, drop_remainder=augment).map(resize).prefetch(4)


def save(backbone: keras.Model, path: Path) -> None:
    """Writes every weight as float16 under its Keras name; fails rather than store an infinity."""
    weights = {w.name: w.numpy().astype(np.float16) for w in backbone.weights if w.dtype == tf.float32}
    for name, value in weights.items():
        if not np.isfinite(value).all():
            raise ValueError(f"{name} does not fit into float16; rescale it or store this weight as float32")
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, **weights)
    partial.rename(path)


def load(backbone: keras.Model, path: Path) -> None:
    stored = np.load(path)
    for weight in backbone.weights:
        if weight.name in stored:
            weight.assign(stored[weight.name].astype(np.float32))


def optimizer(peak_rate: float, epochs: int, steps: int) -> keras.optimizers.Optimizer:
    """AdamW that warms up for one epoch of `steps` and falls to 0 along a cosine over the others."""
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, decay_steps=steps * (epochs - 1), warmup_target=peak_rate, warmup_steps=steps
    )
    adam = keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY)
    adam.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return adam


def loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    smooth = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=LABEL_SMOOTHING)
    return smooth(tf.one_hot(tf.cast(tf.reshape(labels, [-1]), tf.int32), 10), logits)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cifar10", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--from-cycle", type=int, default=0, help="go on from the weights that are there")
    args = parser.parse_args()
    with zipfile.ZipFile(args.cifar10) as archive:
        train, test = read(archive, "train"), read(archive, "test")

    backbone = keras.applications.EfficientNetB0(
        include_top=False, weights=None, input_shape=(None, None, 3), pooling="avg", drop_connect_rate=0.0
    )
    for number, (peak_rate, phases) in enumerate(CYCLES):
        if number < args.from_cycle:
            continue
        keras.utils.set_random_seed(SEED + number)
        if number:
            load(backbone, args.weights)
        network = keras.Model(backbone.input, keras.layers.Dense(10)(backbone.output))
        epochs = sum(count for _, count in phases)
        network.compile(optimizer(peak_rate, epochs, len(train[0]) // BATCH), loss, metrics=["accuracy"])
        for size, count in phases:
            network.fit(
                batches(*train, size, augment=True),
                epochs=count,
                callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: save(backbone, args.weights))],
                verbose=2,
                validation_data=batches(*test, size, augment=False),
            )

    load(backbone, args.weights)
    _, accuracy = network.evaluate(batches(*test, size, augment=False), verbose=0)
    print(f"test accuracy with the stored float16 weights: {accuracy:.4f}")


if __name__ == "__main__":
    main()
