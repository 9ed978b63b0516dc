"""Decode and resize the examples of the split once, into a few large files."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from tqdm import tqdm

from sengu import examples, pictures
from sengu.base import digests, params, tables, working
from sengu.base.atomic import replaced_folder
from sengu.base.errors import SenguError, run_program
from sengu.base.ids import ObjectId
from sengu.caches import array_cache
from sengu.caches.array_cache import Prepared
from sengu.objects import archives
from sengu.objects.store import ObjectStore, Sent
from sengu.parallel import engine
from sengu.pictures import images, resizing

BATCH = 32  # objects of one task: joblib takes as long to hand out a task as a worker to prepare a small picture
LIBRARIES = (*pictures.LIBRARIES, "onnx", "onnxruntime")

logger = logging.getLogger("prepare")


def prepare(objects: Sequence[ObjectId], store: ObjectStore, settings: params.Prepare, known: Prepared) -> Iterator[np.ndarray]:
    """Each object's pixels, uint8 (size, size, 3), in the order given.

    Objects that `known` lacks are decoded and added to it first. The others are not read, but must exist. Raises SenguError for
    an object that is missing, or that must be read and is damaged or cannot be decoded.
    """
    for object_id in objects:
        store.sources(object_id)
    new = [object_id for object_id in dict.fromkeys(objects) if str(object_id) not in known]
    size = max(1, min(BATCH, len(new) // 16))
    batches = [new[i : i + size] for i in range(0, len(new), size)]
    work = (delayed(read)(batch, store.for_worker(batch), settings.size, settings.fit) for batch in batches)
    # joblib's own batches grow until a single one keeps one worker busy at the end
    results = Parallel(n_jobs=-1, return_as="generator", batch_size=1)(work) if batches else iter(())
    with tqdm(desc="prepare", total=len(new), unit="example", disable=None) as progress:
        for batch, pictures in zip(batches, results, strict=True):
            known.add([str(object_id) for object_id in batch], pictures)
            progress.update(len(batch))
    for object_id in objects:
        yield known[str(object_id)]


def read(objects: Sequence[ObjectId], store: ObjectStore | Sent, size: int, fit: str) -> np.ndarray:
    """Pixels of some objects, uint8 (n, size, size, 3). Runs in a worker."""
    resize = resizing.resizer(size, fit)
    with images.limited(None):
        return np.stack([resize(store.pixels(object_id)) for object_id in objects])


def main(arguments: list[str]) -> None:
    split, trees, output = map(Path, arguments)
    settings = params.section("prepare", params.Prepare)
    rows = tables.read(split, tables.SplitLabel)
    rows = rows[rows["type"] != "excluded"]
    if rows.empty:
        raise SenguError(f"{split} has no row to prepare: label objects, and run `dvc repro`")
    objects = [ObjectId.parse(text) for text in rows["objectId"]]
    key, shape = digests.key(settings, (pictures, Path(__file__)), LIBRARIES), (settings.size, settings.size, 3)
    with (
        engine.running(params.engine()),
        array_cache.opened(working.PREPARED, key, rows["objectId"], shape, "u1") as known,
        replaced_folder(output) as partial,
    ):
        before = sum(name in known for name in rows["objectId"])
        # absolute: a worker of a cluster stands in a directory of its own
        store = ObjectStore.below(trees.absolute(), archives.locate(params.archives()))
        examples.write(partial / examples.PIXELS, len(rows), prepare(objects, store, settings, known))
        tables.write(partial / examples.EXAMPLES, rows, tables.SplitLabel)
    logger.info("%d examples of %d x %d pixels, %d known before", len(rows), settings.size, settings.size, before)


if __name__ == "__main__":
    run_program(main, "SPLIT_LABEL TREES PIXELS")
