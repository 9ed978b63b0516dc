"""Run the released model over every object, labelled or not."""

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
from sengu.release.bundle import Release

LIBRARIES = (*pictures.LIBRARIES, "onnxruntime")  # what an embedding is computed with

logger = logging.getLogger("embed")


def embed(
    objects: Sequence[ObjectId], store: ObjectStore, model: Release, known: Prepared
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The probabilities (classes,) and the embedding (d,) of each picture, float32, in the order given.

    Only pictures that are not `known` are read; what is computed is added there, and a few are held in memory at a time.
    Raises SenguError for an object that is missing, damaged or cannot be decoded.
    """

    def work(object_id: ObjectId) -> np.ndarray:
        return np.concatenate(model.run(store.pixels(object_id)))

    new = [object_id for object_id in objects if str(object_id) not in known]
    classes = len(model.manifest.classes)
    with images.limited(None):
        results = iter(tqdm(map_in_threads(work, new), total=len(new), desc="embed", unit="picture", disable=None))
        for name in map(str, objects):
            if name not in known:
                known.add([name], next(results)[np.newaxis])
            row = known[name]
            yield row[:classes], row[classes:]
    logger.info("%d pictures, %d of them new", len(objects), len(new))


def main(arguments: list[str]) -> None:
    index_folder, trees, release_folder, output = map(Path, arguments)
    index = tables.read_sites(index_folder, params.site_names(), tables.IndexRow)
    objects = [picture for picture in map(ObjectId.parse, sorted(index["objectId"].unique())) if not picture.is_video]
    names = [str(picture) for picture in objects]
    loaded = bundle.load(release_folder)
    model = embeddings.Model(loaded.manifest.name, loaded.manifest.version, loaded.manifest.files[bundle.MODEL])
    sizes = {each.name: each.shape[0] for each in loaded.session.get_outputs()}
    shape = sizes["probabilities"], sizes["embedding"]
    key = digests.key(portable.computation(loaded.model), (pictures, release, Path(__file__)), LIBRARIES)
    with array_cache.opened(working.EMBEDDINGS, key, names, (sum(shape),), "<f4") as known, replaced_folder(output) as partial:
        embeddings.write(partial, model, names, embed(objects, ObjectStore.below(trees), loaded, known), shape)


if __name__ == "__main__":
    run_program(main, "INDEX TREES RELEASE EMBEDDINGS")
