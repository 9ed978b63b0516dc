"""Run the frozen backbone over every example, so that the head trains on features."""

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sengu import networks
from sengu.base import digests, working
from sengu.base.atomic import replaced_folder
from sengu.base.errors import run_program
from sengu.caches import array_cache
from sengu.caches.array_cache import Prepared
from sengu.examples import FEATURES, batch_size, read_pixels, write
from sengu.networks.backbone import LIBRARIES, check, frozen, processors
from sengu.networks.runtime import tf

logger = logging.getLogger("features")


def features(
    pictures: np.ndarray, names: Sequence[str], run: Callable[[np.ndarray], np.ndarray], known: Prepared
) -> Iterator[np.ndarray]:
    """The features, float32 (d,), of each of the pictures, uint8 (n, size, size, 3), in order.

    `names` are their digests. `run` makes (n, d) of those that `known` lacks, which are added to it first.
    """
    rows = {name: row for row, name in enumerate(names) if name not in known}  # equal pictures once
    size, todo = batch_size(pictures), list(rows.items())
    with tqdm(desc="features", total=len(todo), unit="example", disable=None) as progress:
        for start in range(0, len(todo), size):
            part = dict(todo[start : start + size])
            known.add(list(part), run(pictures[list(part.values())]))
            progress.update(len(part))
    for name in names:
        yield known[name]


def main(arguments: list[str]) -> None:
    pixels_folder, backbone, output = map(Path, arguments)
    examples = read_pixels(pixels_folder)
    check(backbone)
    tf.config.experimental.enable_op_determinism()
    tf.config.experimental.enable_tensor_float_32_execution(False)  # else a GPU would round to 10 bits
    run = frozen(backbone, examples.arrays.shape[1])
    shape = run(examples.arrays[:1]).shape[1:]
    names = [hashlib.sha256(picture.tobytes()).hexdigest() for picture in examples.arrays]
    key = digests.key(processors(), [Path(__file__), networks, backbone], LIBRARIES)
    with (
        array_cache.opened(working.FEATURES, key, names, shape, "<f4") as known,
        replaced_folder(output) as partial,
    ):
        before = sum(name in known for name in names)
        write(partial / FEATURES, len(names), features(examples.arrays, names, run, known))
    logger.info("%d examples, %d features each, %d known before", len(names), *shape, before)


if __name__ == "__main__":
    run_program(main, "PIXELS BACKBONE FEATURES")
