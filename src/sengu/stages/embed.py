"""Run the released model and the frozen backbone over every object."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sengu import embeddings, pictures, release
from sengu.base import digests, params, tables, working
from sengu.base.atomic import replaced_folder
from sengu.base.errors import run_program
from sengu.base.ids import ObjectId
from sengu.caches import array_cache
from sengu.caches.array_cache import Prepared
from sengu.objects.store import ObjectStore
from sengu.parallel.threads import map_in_threads
from sengu.pictures import images
from sengu.release import bundle, portable
from sengu.release.bundle import Frozen, Release

LIBRARIES = (*pictures.LIBRARIES, "onnxruntime")  # the libraries that compute an embedding

logger = logging.getLogger("embed")


def embed(
    objects: Sequence[ObjectId], store: ObjectStore, models: tuple[Release, Frozen], known: Prepared, shape: tuple[int, int, int]
) -> Iterator[list[np.ndarray]]:
    """The probabilities, embedding and features of each picture, float32, in the order given; `shape` is how long they are.

    Only pictures that are not `known` are read; what is computed is added there, and a few are held in memory at a time.
    Raises SenguError for an object that is missing, damaged or cannot be decoded.
    """

    model, backbone = models

    def work(object_id: ObjectId) -> np.ndarray:
        picture = store.pixels(object_id)
        return np.concatenate([*model.run(picture), backbone.run(picture)])

    new = [object_id for object_id in objects if str(object_id) not in known]
    with images.limited(None):
        results = iter(tqdm(map_in_threads(work, new), total=len(new), desc="embed", unit="picture", disable=None))
        for name in map(str, objects):
            if name not in known:
                known.add([name], next(results)[np.newaxis])
            yield np.split(known[name], np.cumsum(shape)[:-1])
    logger.info("%d pictures, %d of them new", len(objects), len(new))


def main(arguments: list[str]) -> None:
    index_folder, trees, release_folder, output = map(Path, arguments)
    index = tables.read_sites(index_folder, params.site_names(), tables.IndexRow)
    objects = [picture for picture in map(ObjectId.parse, sorted(index["objectId"].unique())) if not picture.is_video]
    names = [str(picture) for picture in objects]
    loaded, frozen = bundle.load(release_folder), bundle.load_backbone(release_folder)
    model = embeddings.Model(loaded.manifest.name, loaded.manifest.version, loaded.manifest.files[bundle.MODEL], frozen.sha256)
    outputs = [*loaded.session.get_outputs(), *frozen.session.get_outputs()]
    sizes = {output.name: output.shape[0] for output in outputs}
    shape = sizes["probabilities"], sizes["embedding"], sizes[bundle.FEATURES]
    key = digests.key((portable.computation(loaded.model), frozen.sha256), (pictures, release, Path(__file__)), LIBRARIES)
    with array_cache.opened(working.EMBEDDINGS, key, names, (sum(shape),), "<f4") as known, replaced_folder(output) as partial:
        rows = embed(objects, ObjectStore.below(trees), (loaded, frozen), known, shape)
        embeddings.write(partial, model, names, rows, shape)


if __name__ == "__main__":
    run_program(main, "INDEX TREES RELEASE EMBEDDINGS")
