"""cifar10.zip -> efficientnet-b0.npz: pretrains the backbone that `backbone.source: embedded` unpacks.

Run once by the maintainers, not by the pipeline; README.md beside this file records data, recipe, result and limits.

    python models/embedded/pretrain.py cifar10.zip models/embedded/efficientnet-b0.npz

The zip holds 60,000 JPEG files as train|test/<class>/<name>.jpg. Training starts on small pictures, which costs a third
of the time per epoch, and ends at the size the weights are meant for (progressive resizing).
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
PHASES = ((32, 6), (64, 12))  # (pixels, epochs)
PEAK_RATE = 2e-3
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cifar10", type=Path)
    parser.add_argument("weights", type=Path)
    args = parser.parse_args()

    keras.utils.set_random_seed(SEED)
    with zipfile.ZipFile(args.cifar10) as archive:
        train, test = read(archive, "train"), read(archive, "test")

    backbone = keras.applications.EfficientNetB0(
        include_top=False, weights=None, input_shape=(None, None, 3), pooling="avg", drop_connect_rate=0.0
    )
    logits = keras.layers.Dense(10)(backbone.output)
    network = keras.Model(backbone.input, logits)

    steps_per_epoch = len(train[0]) // BATCH
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=steps_per_epoch * (sum(epochs for _, epochs in PHASES) - 1),
        warmup_target=PEAK_RATE,
        warmup_steps=steps_per_epoch,
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    smooth = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=LABEL_SMOOTHING)

    def loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        return smooth(tf.one_hot(tf.cast(tf.reshape(labels, [-1]), tf.int32), 10), logits)

    network.compile(optimizer, loss, metrics=["accuracy"])
    for size, epochs in PHASES:
        keep = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: save(backbone, args.weights))
        network.fit(
            batches(*train, size, augment=True),
            epochs=epochs,
            callbacks=[keep],
            verbose=2,
            validation_data=batches(*test, size, augment=False),
        )

    stored = np.load(args.weights)
    for weight in backbone.weights:
        if weight.name in stored:
            weight.assign(stored[weight.name].astype(np.float32))
    _, accuracy = network.evaluate(batches(*test, PHASES[-1][0], augment=False), verbose=0)
    print(f"test accuracy with the stored float16 weights: {accuracy:.4f}")


if __name__ == "__main__":
    main()
