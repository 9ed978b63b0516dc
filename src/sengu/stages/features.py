"""Run the frozen backbone once over every example, so that the head trains on features instead of pictures."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from sengu import backbones
from sengu.atomic import replaced_folder
from sengu.errors import run_program
from sengu.pixels import FEATURES, read_pixels

logger = logging.getLogger("features")

BATCH = 256


def features(pixels: np.ndarray, backbone: Path) -> Iterator[np.ndarray]:
    """Batches of float32 (b, d) for uint8 (n, size, size, 3), in order."""
    layer = backbones.layer(backbone, trainable=False)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def run(batch: tf.Tensor) -> tf.Tensor:
        return layer(tf.cast(batch, tf.float32) / 255.0, training=False)

    for start in range(0, len(pixels), BATCH):
        yield run(tf.constant(pixels[start : start + BATCH])).numpy()


def main(arguments: list[str]) -> None:
    pixels, backbone, output = map(Path, arguments)
    tf.config.experimental.enable_op_determinism()
    examples = read_pixels(pixels)
    batches = -(-len(examples.rows) // BATCH)
    found = list(tqdm(features(examples.arrays, backbone), total=batches, desc="features", unit="batch", disable=None))
    with replaced_folder(output) as partial:
        np.save(partial / FEATURES, np.concatenate(found))
    logger.info("%d examples, %d features each", len(examples.rows), found[0].shape[1])


if __name__ == "__main__":
    run_program(main, "PIXELS BACKBONE FEATURES")
