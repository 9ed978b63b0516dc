"""Decode and resize the examples of the split once, into a few large files."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.lib.format import open_memmap
from tqdm import tqdm

from sengu import engine, images, params, preprocess, tables
from sengu.atomic import replaced_folder
from sengu.errors import SenguError, run_program
from sengu.ids import ObjectId
from sengu.pixels import EXAMPLES, PIXELS
from sengu.store import ObjectStore

logger = logging.getLogger("prepare")


def prepare(objects: Iterable[ObjectId], store: ObjectStore, settings: params.Prepare) -> Iterator[np.ndarray]:
    """Each object's pixels, uint8 (size, size, 3), in the order given."""
    yield from Parallel(n_jobs=-1, return_as="generator")(
        delayed(read)(object_id, store, settings.size, settings.fit) for object_id in objects
    )


def read(object_id: ObjectId, store: ObjectStore, size: int, fit: str) -> np.ndarray:
    """Runs in a worker."""
    return preprocess.resizer(size, fit)(images.decode(store.read(object_id)))


def main(arguments: list[str]) -> None:
    split, trees, output = map(Path, arguments)
    settings = params.section("prepare", params.Prepare)
    rows = tables.read(split, tables.SplitLabel)
    rows = rows[rows["type"] != "excluded"]
    if rows.empty:
        raise SenguError(f"{split} has no row to prepare: label objects, and run `dvc repro`")
    objects = [ObjectId.parse(text) for text in rows["objectId"]]
    with engine.running(params.engine()), replaced_folder(output) as partial:
        shape = (len(rows), settings.size, settings.size, 3)
        pixels = open_memmap(partial / PIXELS, mode="w+", dtype=np.uint8, shape=shape)
        found = prepare(objects, ObjectStore.below(trees.absolute()), settings)
        for i, picture in enumerate(tqdm(found, total=len(rows), desc="prepare", unit="example", disable=None)):
            pixels[i] = picture
        pixels.flush()
        tables.write(partial / EXAMPLES, rows, tables.SplitLabel)
    logger.info("%d examples of %d x %d pixels", len(rows), settings.size, settings.size)


if __name__ == "__main__":
    run_program(main, "SPLIT_LABEL TREES PIXELS")
