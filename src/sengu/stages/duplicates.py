"""Group near-duplicates, which show the same picture, and the frames of one video."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from sengu.base import params, tables, working
from sengu.base.errors import run_program
from sengu.base.ids import ObjectId
from sengu.base.io_errors import named
from sengu.duplicates import decisions, groups
from sengu.duplicates.fingerprints import Journal, fingerprint, record
from sengu.duplicates.groups import Looks
from sengu.duplicates.likenesses import Known
from sengu.duplicates.neighbours import Neighbours
from sengu.objects import archives
from sengu.objects.store import ObjectStore, Sent
from sengu.parallel import engine
from sengu.pictures import images

logger = logging.getLogger("duplicates")


def duplicates(
    objects: Iterable[ObjectId], store: ObjectStore, videos: Mapping[str, str], kept: Path, decided: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The pictures that have duplicates or mirror images, as rows of Duplicate.

    `videos` gives the video of each frame, by object id: frames of one video are duplicates. So are pictures that are equal in
    every decoded pixel, whatever their bytes, and those that are nearly equal (sengu.duplicates.groups). Objects without a
    duplicate are not listed. What people said of groups is heeded: `decided` are rows of GroupDecision. The fingerprints of the
    pictures, and their candidate pairs with the likenesses of these, are kept in folders of the folder `kept`; only new objects
    are read. Raises SenguError for one that is missing, damaged or cannot be decoded.
    """
    ids = sorted(str(object_id) for object_id in objects if not object_id.is_video)
    table = pd.DataFrame({"objectId": ids}, dtype="str")
    prints = fingerprints(ids, store, Journal(kept / working.DUPLICATES.name))
    table["pixels"] = [pixels.tobytes() for pixels in prints["pixels"]]
    table["video"] = [videos.get(object_id, object_id) for object_id in ids]
    decided = tables.empty(tables.GroupDecision) if decided is None else decided
    table["decided"] = decisions.linked(ids, decided)
    known = Known(kept / working.LIKENESSES.name, prints["pixels"])
    near = Neighbours(kept / working.NEIGHBOURS.name, ids)
    links = _links(table["pixels"], table["video"], table["decided"])
    alike = groups.groups(Looks.of(prints), links, known.likenesses, near.search)
    known.save()
    near.save()
    table["group"] = table.groupby(alike.labels)["objectId"].transform("min")
    table["mirrored"] = table.groupby(alike.mirrored)["objectId"].transform("min")
    has_mirror = table.groupby("mirrored")["group"].transform("nunique") > 1
    table["mirrored"] = table["mirrored"].where(has_mirror, "")
    table["group"] = decisions.split(table, decided)  # parts of a split group are not mirror images of each other
    return table[table.duplicated("group", keep=False) | has_mirror]


def fingerprints(ids: list[str], store: ObjectStore, journal: Journal) -> np.ndarray:
    """The records (RECORD) of these object ids, in their order."""
    prints = journal.read(ids)
    new = [row for row in range(len(ids)) if not prints["objectId"][row]]
    new_objects = (ObjectId.parse(ids[row]) for row in new)
    work = (delayed(_record)(object_id, store.for_worker([object_id])) for object_id in new_objects)
    made = Parallel(n_jobs=-1, return_as="generator")(work)
    with named(journal.path), journal.appending() as file:
        for row, each in zip(new, tqdm(made, total=len(new), desc="duplicates", disable=None), strict=True):
            file.write(each.tobytes())
            prints[row] = each[0]
    return prints


def _record(object_id: ObjectId, store: ObjectStore | Sent) -> np.ndarray:
    """The record of one picture. Runs in a worker."""
    with images.limited(None):
        return record(str(object_id), fingerprint(store.pixels(object_id)))


def _links(*columns: pd.Series) -> np.ndarray:
    """Pairs of rows that link each row to the first with an equal cell, column by column: int (m, 2)."""
    rows = np.arange(len(columns[0]))
    firsts = [pd.Series(rows).groupby(column.to_numpy()).transform("min").to_numpy() for column in columns]
    return np.stack([np.tile(rows, len(columns)), np.concatenate(firsts)], axis=1)


def main(arguments: list[str]) -> None:
    index_folder, trees, decided, output = map(Path, arguments)
    index = tables.read_sites(index_folder, params.site_names(), tables.IndexRow)
    frames = index[index["video"] != ""].drop_duplicates("objectId").set_index("objectId")["video"]
    objects = (ObjectId.parse(text) for text in index["objectId"].unique())
    videos = {str(frame): str(video) for frame, video in frames.items()}
    with engine.running(params.engine()):
        # absolute: a worker of a cluster stands in a directory of its own
        store = ObjectStore.below(trees.absolute(), archives.locate(params.archives()))
        grouped = duplicates(objects, store, videos, working.ROOT, decisions.read(decided))
    tables.write(output, grouped, tables.Duplicate)
    alike = grouped[grouped.duplicated("group", keep=False)]
    mirrored = int((grouped["mirrored"] != "").sum())
    logger.info("%d objects in %d groups; %d have a mirror image", len(alike), alike["group"].nunique(), mirrored)


if __name__ == "__main__":
    run_program(main, "INDEX TREES DECISIONS DUPLICATES")
