"""Candidate pairs <-> a file that keeps them between runs, so that a rerun looks only for pairs with a new picture.

Whether two pictures are candidates depends on these two alone, but for pictures that have too many. Those are looked up anew each
time. So the pairs are the same as without the file, which counts as none if it is damaged, or of another version of the code.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sengu.base import arrays, digests
from sengu.base.atomic import replaced_file
from sengu.base.errors import SenguError
from sengu.duplicates import candidates, fingerprints, groups
from sengu.duplicates.candidates import Index, Looks, Near
from sengu.pictures import images

LIBRARIES = (*fingerprints.LIBRARIES, "numpy", "opencv-python-headless")
COLUMNS = ("queries", "others", "distances", "counts", "is_partial")


class Neighbours:
    """The candidate pairs that an earlier run found, and those of this one; `names` are the ids of the pictures, sorted."""

    def __init__(self, folder: Path, names: Sequence[str]):
        self._path = folder / digests.key((), (images, fingerprints, candidates, groups), LIBRARIES)
        self._names = np.array(names, "S45")
        self._known = _read(self._path)
        self._made: dict[str, np.ndarray] = {}

    def search(self, rows: np.ndarray, index: Index, wanted: np.ndarray, is_mirror: bool, looks: Looks) -> Near:
        """The result of `candidates.search` for all of the codes `wanted`, which belong to the `rows` of the names."""
        names = self._names[rows]
        near = None
        if self._known.get("bits") == index.bits:
            near = self._updated(names, index, wanted, is_mirror, looks)
        if near is None:
            near = candidates.search(index, wanted, np.arange(len(wanted)), looks)
        self._made |= {"names": names, "bits": np.array(index.bits)}
        self._made |= {f"{name}{int(is_mirror)}": getattr(near, name) for name in COLUMNS}
        return near

    def save(self) -> None:
        """Keeps what this run found."""
        if _same(self._made, self._known):
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with replaced_file(self._path) as partial:
            arrays.write(partial, self._made)
        for other in self._path.parent.iterdir():
            if other != self._path:  # of older code
                other.unlink()

    def _updated(self, names: np.ndarray, index: Index, wanted: np.ndarray, is_mirror: bool, looks: Looks) -> Near | None:
        """The known pairs of pictures that are still here, and those with new ones; None if most must be looked up anew."""
        old_names = self._known["names"]
        old = Near(*(self._known[f"{name}{int(is_mirror)}"] for name in COLUMNS))
        if not len(old_names) or not len(names):
            return None
        places = np.minimum(np.searchsorted(old_names, names), len(old_names) - 1)
        is_old = old_names[places] == names
        row_of = np.full(len(old_names), -1, np.int32)
        row_of[places[is_old]] = np.flatnonzero(is_old)
        again = ~is_old | old.is_partial[places] | index.crowded(wanted)
        if again.mean() > 0.5:
            return None
        new = candidates.new_ones(index, wanted, np.flatnonzero(~again), np.flatnonzero(~is_old), looks)
        if new is None:
            return None
        kept = Near(row_of[old.queries], row_of[old.others], old.distances, old.counts[places], np.zeros(len(names), bool))
        near = kept.where((kept.queries >= 0) & (kept.others >= 0)) + new
        again |= near.counts > candidates.CAP
        near = near.of(~again)
        return near + candidates.search(index, wanted, np.flatnonzero(again), looks)


def _same(made: dict[str, np.ndarray], known: dict[str, np.ndarray]) -> bool:
    return made.keys() == known.keys() and all(np.array_equal(values, known[name]) for name, values in made.items())


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        return arrays.read(path, cure="") if path.is_file() else {}
    except SenguError:
        return {}
