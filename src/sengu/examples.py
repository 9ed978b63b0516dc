"""data/pixels and data/features: the examples of a split as arrays in memory-mapped files, row for row with their table."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sengu.base import arrays, tables

EXAMPLES = "examples.csv"
PIXELS = "pixels.npy"
FEATURES = "features.npy"
BATCH = 1 << 21  # pixels of one batch: 256 pictures at 64, 41 at 224, 5 at 600, so that EfficientNet-B7 fits into memory too
MOST = 256  # pictures of one batch


@dataclass(frozen=True)
class Examples:
    """`rows` has objectId, value and type; `arrays` has one entry per row."""

    rows: pd.DataFrame
    arrays: np.ndarray

    def of_type(self, *names: str) -> "Examples":
        """The examples of one or more types, copied into memory."""
        chosen = np.flatnonzero(self.rows["type"].isin(names))
        return Examples(self.rows.iloc[chosen].reset_index(drop=True), self.arrays[chosen])

    @property
    def values(self) -> np.ndarray:
        return self.rows["value"].to_numpy()


def batch_size(pictures: np.ndarray) -> int:
    """The number of pictures, (n, height, width, 3), in a batch for a network that does not learn."""
    return min(MOST, max(1, BATCH // int(np.prod(pictures.shape[1:3]))))


def write(path: Path, count: int, entries: Iterable[np.ndarray]) -> None:
    """Writes `count` arrays of one shape and dtype as `np.save` would write them stacked, without holding them in memory."""
    with path.open("wb") as stream:
        for row, array in enumerate(entries):
            if row == 0:
                described = {"descr": array.dtype.str, "fortran_order": False, "shape": (count, *array.shape)}
                np.lib.format.write_array_header_1_0(stream, described)
            stream.write(array.tobytes())


def read_pixels(folder: Path) -> Examples:
    """Pixels as uint8 (n, size, size, 3), memory-mapped. Raises SenguError if something is missing or damaged."""
    rows = tables.read(folder / EXAMPLES, tables.SplitLabel)
    return Examples(rows, arrays.mapped(folder / PIXELS, "u1", 4, len(rows), folder / EXAMPLES))


def read_features(pixels: Path, features: Path) -> Examples:
    """Features as float32 (n, d), memory-mapped, with the rows of their pixels. Raises SenguError as `read_pixels` does."""
    rows = tables.read(pixels / EXAMPLES, tables.SplitLabel)
    return Examples(rows, arrays.mapped(features / FEATURES, "<f4", 2, len(rows), pixels / EXAMPLES))
