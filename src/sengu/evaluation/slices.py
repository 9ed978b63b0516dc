"""Test pictures with their captures, index and sheets -> parts of the test: by device, tag, size, subject count."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

FEWEST = 5  # test pictures of a slice: fewer prove nothing
SIDES = (64, 128, 256, 512, 1024, 2048)  # pixels of the shorter side at which another slice begins
COUNTS = (2, 5, 20, 100)  # pictures of one subject at which another slice begins
UNKNOWN = "unknown"

Slices = Mapping[str, Mapping[str, np.ndarray]]  # kind -> name -> which of the pictures, bool (n,)


def slices(ids: Sequence[str], index: pd.DataFrame, captures: pd.DataFrame, details: pd.DataFrame) -> Slices:
    """Parts of the pictures `ids` (n,) by kind; a picture with several tags or devices is in several.

    `index` and `captures` have the rows of all sites, `details` those of data/label_details.csv. A kind of which nothing is
    known, or by which the pictures do not differ, is left out, and so is a slice of all pictures or of fewer than FEWEST.
    """
    known = index[["objectId", "urlId", "width", "height"]].merge(captures[["urlId", "tags", "device", "subject"]], on="urlId")
    on_sheets = details[["objectId", "subject"]]
    subjects = pd.concat([known[["objectId", "subject"]], on_sheets])
    subjects = subjects[subjects["subject"] != ""].drop_duplicates("objectId")
    count = subjects["subject"].map(subjects["subject"].value_counts())
    sized = index.drop_duplicates("objectId")
    tags = known.assign(tag=known["tags"].str.split("|")).explode("tag")
    named = {
        "device": zip(known["objectId"], known["device"], strict=True),
        "tag": zip(tags["objectId"], tags["tag"], strict=True),
        "size": zip(sized["objectId"], _ranges(np.minimum(sized["width"], sized["height"]), SIDES, " px"), strict=True),
        "pictures of the subject": zip(subjects["objectId"], _ranges(count, COUNTS, ""), strict=True),
    }
    by_kind = {kind: _parts(ids, pairs) for kind, pairs in named.items()}
    return {kind: parts for kind, parts in by_kind.items() if parts}


def _parts(ids: Sequence[str], pairs: Iterable[tuple[str, str]]) -> dict[str, np.ndarray]:
    place = {name: number for number, name in enumerate(ids)}
    held: dict[str, np.ndarray] = {}
    for object_id, name in pairs:
        if object_id in place:
            held.setdefault(name, np.zeros(len(ids), bool))[place[object_id]] = True
    if set(held) <= {""}:
        return {}
    everything = np.zeros(len(ids), bool)
    for rows in held.values():
        everything |= rows
    if not everything.all():
        held[""] = held.get("", np.zeros(len(ids), bool)) | ~everything
    return {name or UNKNOWN: rows for name, rows in sorted(held.items()) if FEWEST <= rows.sum() < len(ids)}


def _ranges(numbers: pd.Series | np.ndarray, starts: Sequence[int], unit: str) -> list[str]:
    names = [f"below {starts[0]}{unit}"]
    names += [f"{first} to {after - 1}{unit}" for first, after in pairwise(starts)]
    names.append(f"{starts[-1]}{unit} or more")
    return [names[place] for place in np.searchsorted(starts, numbers, side="right")]
