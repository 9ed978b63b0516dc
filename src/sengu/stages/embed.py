"""Run the released model and the frozen backbone over every object."""

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from tqdm import tqdm

from sengu import embeddings, pictures, release
from sengu.base import digests, params, tables, working
from sengu.base.atomic import replaced_folder
from sengu.base.errors import run_program
from sengu.base.ids import ObjectId
from sengu.base.threads import map_in_threads
from sengu.caches import array_cache
from sengu.caches.array_cache import Prepared
from sengu.objects import archives
from sengu.objects.store import ObjectStore, Sent
from sengu.parallel import engine
from sengu.pictures import images
from sengu.release import bundle, portable
from sengu.release.bundle import Models

BATCH = 32  # pictures of one task of a cluster
LIBRARIES = (*pictures.LIBRARIES, "onnxruntime")  # the libraries that compute an embedding

logger = logging.getLogger("embed")


Compute = Callable[[Sequence[ObjectId]], Iterator[np.ndarray]]


def embed(
    objects: Sequence[ObjectId], compute: Compute, known: Prepared, shape: tuple[int, int, int]
) -> Iterator[list[np.ndarray]]:
    """The probabilities, embedding and features of each picture, float32, in the order given; `shape` is how long they are.

    Those of pictures that are not `known` are computed and added there, a few at a time. Raises SenguError for an object that
    is missing, damaged or cannot be decoded.
    """
    new = [object_id for object_id in objects if str(object_id) not in known]
    results = iter(tqdm(compute(new), total=len(new), desc="embed", unit="picture", disable=None))
    for name in map(str, objects):
        if name not in known:
            known.add([name], next(results)[np.newaxis])
        yield np.split(known[name], np.cumsum(shape)[:-1])
    logger.info("%d pictures, %d of them new", len(objects), len(new))


def in_threads(objects: Sequence[ObjectId], store: ObjectStore, models: Models) -> Iterator[np.ndarray]:
    """The results of `Models.run` for each picture, computed in this process: its threads share one session."""
    with images.limited(None):
        yield from map_in_threads(lambda object_id: models.run(store.pixels(object_id)), objects)


def on_cluster(objects: Sequence[ObjectId], store: ObjectStore, models: Models) -> Iterator[np.ndarray]:
    """The same, computed by the workers of a cluster, each of which has a session of its own."""
    batches = [objects[i : i + BATCH] for i in range(0, len(objects), BATCH)]
    work = (delayed(rows)(batch, store.for_worker(batch), models) for batch in batches)
    for batch in Parallel(n_jobs=-1, return_as="generator", batch_size=1)(work) if batches else ():
        yield from batch


def rows(objects: Sequence[ObjectId], store: ObjectStore | Sent, models: Models) -> np.ndarray:
    """The results of `Models.run` for some pictures, float32 (n, sum of `shape`). Runs in a worker."""
    with images.limited(None):
        return np.stack([models.run(store.pixels(object_id)) for object_id in objects])


def main(arguments: list[str]) -> None:
    index_folder, trees, release_folder, output = map(Path, arguments)
    index = tables.read_sites(index_folder, params.site_names(), tables.IndexRow)
    objects = [picture for picture in map(ObjectId.parse, sorted(index["objectId"].unique())) if not picture.is_video]
    names = [str(picture) for picture in objects]
    models = Models(bundle.load(release_folder), bundle.load_backbone(release_folder))
    manifest, frozen, shape = models.release.manifest, models.backbone, models.shape
    model = embeddings.Model(manifest.name, manifest.version, manifest.files[bundle.MODEL], frozen.sha256)
    computation = portable.computation(models.release.model), frozen.sha256
    key = digests.key(computation, (pictures, release, Path(__file__)), LIBRARIES)
    where = params.engine()
    compute = in_threads if where == engine.PROCESSES else on_cluster
    # absolute: a worker of a cluster stands in a directory of its own
    store = ObjectStore.below(trees.absolute(), archives.locate(params.archives()))
    with (
        engine.running(where, [models]),
        array_cache.opened(working.EMBEDDINGS, key, names, (sum(shape),), "<f4") as known,
        replaced_folder(output) as partial,
    ):
        embedded = embed(objects, lambda new: compute(new, store, models), known, shape)
        embeddings.write(partial, model, names, embedded, shape)


if __name__ == "__main__":
    run_program(main, "INDEX TREES RELEASE EMBEDDINGS")
