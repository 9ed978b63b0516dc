"""Decoded pictures -> fingerprints that find near-duplicates, and the journal that keeps them between runs."""

import hashlib
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import imagehash
import numpy as np
from PIL import Image

from sengu import pictures
from sengu.base import digests
from sengu.base.atomic import replaced_file
from sengu.pictures import images

SIDE = 64  # of the thumbnail, in pixels
COLOUR_SIDE = 8  # of the map of colours
WORKING_SIDE = 256  # every hash is made from this one reduction, which costs less than reducing the picture for each
# the share cut off each side before hashing: a picture cropped by 3 to 10 % is within a few bits of one of these
CROPS = (0.0, 0.045, 0.085)
AT_ONCE = 256  # records
LIBRARIES = (*pictures.LIBRARIES, "imagehash", "scipy")  # what a fingerprint is computed with
RECORD = np.dtype(
    [
        ("objectId", "S45"),
        ("pixels", "u1", 20),
        ("hashes", "u1", (len(CROPS), 8)),
        ("mirrored", "u1", 8),
        ("thumbnail", "u1", (SIDE, SIDE)),
        ("colours", "i1", (COLOUR_SIDE, COLOUR_SIDE, 2)),
        ("check", "<u4"),
    ]
)


@dataclass(frozen=True)
class Fingerprint:
    """Data that is kept of a picture to find its duplicates.

    `pixels` is the SHA-1 of its shape and pixels, uint8 (20,). `hashes` are the 64-bit pHashes of the picture without the
    CROPS, uint8 (3, 8); `mirrored` is that of its mirror image, uint8 (8,). `thumbnail` is the picture in grey, squeezed to
    uint8 (64, 64), and `colours` half of red minus green and of blue minus green, squeezed to int8 (8, 8, 2).
    """

    pixels: np.ndarray
    hashes: np.ndarray
    mirrored: np.ndarray
    thumbnail: np.ndarray
    colours: np.ndarray


def fingerprint(pixels: np.ndarray) -> Fingerprint:
    """The fingerprint of one picture, uint8 RGB (height, width, 3)."""
    digest = hashlib.sha1(str(pixels.shape).encode(), usedforsecurity=False)
    digest.update(pixels.tobytes())
    picture = Image.fromarray(pixels)
    grey = picture.convert("L").resize((WORKING_SIDE, WORKING_SIDE), Image.Resampling.BOX)
    colours = np.asarray(picture.resize((COLOUR_SIDE, COLOUR_SIDE), Image.Resampling.BOX), dtype=np.int16)
    thumbnail = grey.resize((SIDE, SIDE), Image.Resampling.BOX)
    return Fingerprint(
        pixels=np.frombuffer(digest.digest(), np.uint8),
        hashes=np.stack([_perceptual_hash(grey, crop) for crop in CROPS]),
        mirrored=_perceptual_hash(grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 0.0),
        thumbnail=np.asarray(thumbnail, dtype=np.uint8),
        colours=((colours[..., [0, 2]] - colours[..., 1:2]) >> 1).astype(np.int8),
    )


def _perceptual_hash(grey: Image.Image, crop: float) -> np.ndarray:
    edge = WORKING_SIDE * crop
    box = (edge, edge, WORKING_SIDE - edge, WORKING_SIDE - edge)
    bits = imagehash.phash(grey.resize((32, 32), Image.Resampling.LANCZOS, box=box)).hash
    return np.packbits(bits.ravel())


class Journal:
    """The fingerprints made so far, in a file of its own for each version of the code that makes them.

    Each record has a checksum: damage by a killed run or a bad disk is noticed, and the record is made again.
    """

    def __init__(self, folder: Path):
        self.path = folder / digests.key((), (images, sys.modules[__name__]), LIBRARIES)

    def read(self, wanted: Sequence[str]) -> np.ndarray:
        """The intact records (RECORD) of the object ids `wanted`, in their order; everything else leaves the file.

        The record of an object that the file lacks is all zeros. Half a million records are two gigabytes, so there is one copy
        of them, into which the file is read piece by piece.
        """
        prints = np.zeros(len(wanted), RECORD)
        payloads = _payloads(prints)  # NumPy copies records field by field, but rows of bytes in one piece
        places = {name.encode(): place for place, name in enumerate(wanted)}
        size = self.path.stat().st_size if self.path.is_file() else 0
        for records in self._pieces():
            where = np.array([places.get(name, -1) for name in records["objectId"].tolist()])
            stays = (where >= 0) & _are_intact(records)
            payloads[where[stays]] = _payloads(records)[stays]
        if np.count_nonzero(prints["objectId"]) * RECORD.itemsize != size:  # among the rest may be an object that was taken down
            with replaced_file(self.path) as partial, partial.open("wb") as file:
                for first in range(0, len(prints), AT_ONCE):
                    records = prints[first : first + AT_ONCE]
                    file.write(records[records["objectId"] != b""].tobytes())
        return prints

    def _pieces(self) -> Iterator[np.ndarray]:
        if self.path.is_file():
            with self.path.open("rb") as file:
                while len(records := np.fromfile(file, RECORD, AT_ONCE)):
                    yield records

    @contextmanager
    def appending(self) -> Iterator[BinaryIO]:
        """Opens a file to append records. Call it after `read`, which leaves only whole records."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for other in self.path.parent.iterdir():
            if other != self.path:  # of older code
                other.unlink()
        with self.path.open("ab") as file:
            yield file


def record(object_id: str, made: Fingerprint) -> np.ndarray:
    """A fingerprint as one record of the journal, RECORD (1,)."""
    filled = np.zeros(1, RECORD)
    filled["objectId"], filled["pixels"] = object_id.encode(), made.pixels
    for name in ("hashes", "mirrored", "thumbnail", "colours"):
        filled[name] = getattr(made, name)
    filled["check"] = _checksums(filled)
    return filled


def _payloads(records: np.ndarray) -> np.ndarray:
    """The bytes of records in place, uint8 (n, size of one)."""
    return records.view(np.uint8).reshape(len(records), RECORD.itemsize)


def _are_intact(records: np.ndarray) -> np.ndarray:
    return np.asarray(records["check"] == _checksums(records))


def _checksums(records: np.ndarray) -> np.ndarray:
    data, size = memoryview(records.tobytes()), RECORD.itemsize
    ends = range(size, len(data) + 1, size)
    return np.array([zlib.crc32(data[end - size : end - RECORD["check"].itemsize]) for end in ends], np.uint32)
