"""Group the objects that show the same pixels, so that a split can keep them together."""

import hashlib
import logging
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from sengu import images, params, tables
from sengu.errors import run_program
from sengu.ids import ObjectId
from sengu.store import ObjectStore

logger = logging.getLogger("duplicates")


def duplicates(objects: Iterable[ObjectId], store: ObjectStore) -> pd.DataFrame:
    """The objects that have duplicates, each with the smallest object id of its group.

    Exact for now: equal in every decoded pixel, whatever the bytes (a comment added, a lossless copy). Objects of equal
    bytes are one object already. Objects without a duplicate are not listed.
    """
    ids = sorted(objects)
    prints = Parallel(n_jobs=-1, return_as="generator")(delayed(fingerprint)(object_id, store) for object_id in ids)
    table = pd.DataFrame(
        {"objectId": [str(i) for i in ids], "print": list(tqdm(prints, total=len(ids), desc="duplicates", disable=None))}
    )
    table["group"] = table.groupby("print")["objectId"].transform("min")
    return table[table.duplicated("print", keep=False)]


def fingerprint(object_id: ObjectId, store: ObjectStore) -> str:
    """SHA-1 of an object's decoded pixels and their shape. Runs in a worker."""
    pixels = images.decode(store.read(object_id))
    digest = hashlib.sha1(str(pixels.shape).encode(), usedforsecurity=False)
    digest.update(pixels.tobytes())
    return digest.hexdigest()


def main(arguments: list[str]) -> None:
    index_folder, trees, output = map(Path, arguments)
    index = tables.read_sites(index_folder, params.site_names(), tables.IndexRow)
    grouped = duplicates((ObjectId.parse(text) for text in index["objectId"].unique()), ObjectStore.below(trees))
    tables.write(output, grouped, tables.Duplicate)
    logger.info("%d objects in %d groups", len(grouped), grouped["group"].nunique())


if __name__ == "__main__":
    run_program(main, "INDEX TREES DUPLICATES")
