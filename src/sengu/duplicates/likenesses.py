"""Pairs of pictures <-> how alike they are: kept between runs, so that a rerun measures only pairs with a new picture.

A likeness is a function of the pixels of both pictures alone. So it is kept under the hashes of these pixels, in a file for each
version of the code that measures it. A file that is damaged counts as none.
"""

import zlib
from pathlib import Path

import numpy as np

from sengu.base import digests
from sengu.base.atomic import replaced_file
from sengu.duplicates import fingerprints, groups
from sengu.pictures import images

LIBRARIES = (*fingerprints.LIBRARIES, "numpy", "opencv-python-headless")
RECORD = np.dtype([("pair", "S41"), ("likeness", "<f8")])  # `pair`: mirrored or not, the hash of the first's pixels, the second's
CHECKSUM = 4  # bytes, at the end of the file


class Known:
    """The likenesses that earlier runs measured, and those of this one.

    `pixels` uint8 (n, 20) are the hashes of the pictures' pixels, in the order in which pairs number them.
    """

    def __init__(self, folder: Path, pixels: np.ndarray):
        self._path = folder / digests.key((), (images, fingerprints, groups), LIBRARIES)
        self._pixels = pixels
        self._known = _read(self._path)
        self._used: list[np.ndarray] = []

    def likenesses(self, pairs: np.ndarray, looks: groups.Looks, is_mirror: bool) -> np.ndarray:
        """The likenesses of the pairs, int (m, 2), as `groups.likenesses` measures them, which is asked for new pairs only."""
        records = np.zeros(len(pairs), RECORD)
        records["pair"] = self._names(pairs, is_mirror)
        places = np.searchsorted(self._known["pair"], records["pair"])
        places[places == len(self._known)] = 0
        is_known = self._known["pair"][places] == records["pair"] if len(self._known) else np.zeros(len(pairs), bool)
        records["likeness"][is_known] = self._known["likeness"][places[is_known]]
        records["likeness"][~is_known] = groups.likenesses(pairs[~is_known], looks, is_mirror)
        self._used.append(records)
        return records["likeness"].copy()

    def save(self) -> None:
        """Keeps what this run has asked for; the rest may be of pictures that are gone."""
        records = np.unique(np.concatenate([np.empty(0, RECORD), *self._used]))  # sorted by pair
        if np.array_equal(records, self._known):
            return
        with replaced_file(self._path) as partial, partial.open("wb") as file:
            payload = records.tobytes()
            file.write(payload)
            file.write(zlib.crc32(payload).to_bytes(CHECKSUM))
        for other in self._path.parent.iterdir():
            if other != self._path:  # of older code
                other.unlink()

    def _names(self, pairs: np.ndarray, is_mirror: bool) -> np.ndarray:
        mirrored = np.full((len(pairs), 1), is_mirror, np.uint8)
        names = np.concatenate([mirrored, self._pixels[pairs[:, 0]], self._pixels[pairs[:, 1]]], axis=1)
        return np.ascontiguousarray(names).view("S41").ravel()


def _read(path: Path) -> np.ndarray:
    payload = path.read_bytes() if path.is_file() else b""
    payload, check = payload[:-CHECKSUM], payload[-CHECKSUM:]
    is_whole = len(payload) % RECORD.itemsize == 0 and zlib.crc32(payload).to_bytes(CHECKSUM) == check
    return np.frombuffer(payload if is_whole else b"", RECORD)
