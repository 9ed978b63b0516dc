"""Group the pictures that show the same pixels, and the frames of one video, so that a split can keep them together."""

import hashlib
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

from sengu import images, params, tables
from sengu.errors import run_program
from sengu.ids import ObjectId
from sengu.store import ObjectStore

logger = logging.getLogger("duplicates")


def duplicates(objects: Iterable[ObjectId], store: ObjectStore, videos: Mapping[str, str]) -> pd.DataFrame:
    """The pictures that have duplicates, each with the smallest object id of its group.

    `videos` gives the video of each frame, by object id: frames of one video are duplicates.

    Exact for now: equal in every decoded pixel, whatever the bytes (a comment added, a lossless copy). Objects of equal
    bytes are one object already. Objects without a duplicate are not listed.
    """
    ids = sorted(object_id for object_id in objects if not object_id.is_video)
    prints = Parallel(n_jobs=-1, return_as="generator")(delayed(fingerprint)(object_id, store) for object_id in ids)
    table = pd.DataFrame(
        {"objectId": [str(i) for i in ids], "print": list(tqdm(prints, total=len(ids), desc="duplicates", disable=None))}
    )
    table["video"] = table["objectId"].map(videos).fillna(table["objectId"])
    _, parts = connected_components(_links(len(table), table["print"], table["video"]), directed=False)
    table["group"] = table.groupby(parts)["objectId"].transform("min")
    return table[table.duplicated("group", keep=False)]


def _links(size: int, *columns: pd.Series) -> coo_array:
    """A graph of rows in which equal cells of a column link their rows to the first of them."""
    rows = np.arange(size)
    firsts = [pd.Series(rows).groupby(column.to_numpy()).transform("min").to_numpy() for column in columns]
    links = (np.ones(size * len(columns), bool), (np.tile(rows, len(columns)), np.concatenate(firsts)))
    return coo_array(links, shape=(size, size))


def fingerprint(object_id: ObjectId, store: ObjectStore) -> str:
    """SHA-1 of an object's decoded pixels and their shape. Runs in a worker."""
    pixels = images.decode(store.read(object_id))
    digest = hashlib.sha1(str(pixels.shape).encode(), usedforsecurity=False)
    digest.update(pixels.tobytes())
    return digest.hexdigest()


def main(arguments: list[str]) -> None:
    index_folder, trees, output = map(Path, arguments)
    index = tables.read_sites(index_folder, params.site_names(), tables.IndexRow)
    frames = index[index["video"] != ""].drop_duplicates("objectId").set_index("objectId")["video"]
    objects = (ObjectId.parse(text) for text in index["objectId"].unique())
    grouped = duplicates(objects, ObjectStore.below(trees), {str(frame): str(video) for frame, video in frames.items()})
    tables.write(output, grouped, tables.Duplicate)
    logger.info("%d objects in %d groups", len(grouped), grouped["group"].nunique())


if __name__ == "__main__":
    run_program(main, "INDEX TREES DUPLICATES")
