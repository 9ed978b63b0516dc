"""A .npz file <-> all its arrays, a .npy file -> its array in place; or an error that names the file and the cure."""

import zipfile
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np

from sengu.base import zips
from sengu.base.errors import SenguError
from sengu.base.io_errors import is_refusal

# what NumPy and zipfile say of files that are empty, cut or changed; RuntimeError of a flag that a flipped bit sets
DAMAGE = (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error)


def write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes a .npz file. The bytes of `np.savez` differ even between patch versions of Python; these do not."""
    files = {}
    for name, array in arrays.items():
        np.save(stream := BytesIO(), array, allow_pickle=False)
        files[f"{name}.npy"] = stream.getvalue()
    zips.write(path, files)


def read(path: Path, cure: str) -> dict[str, np.ndarray]:
    """Reads all arrays of a file, by name and in stored order. Raises SenguError, which ends with `cure`."""
    try:
        with path.open("rb") as stream, np.lib.npyio.NpzFile(stream) as stored:
            return {name: stored[name] for name in stored.files}
    except DAMAGE as error:
        if is_refusal(error):
            raise
        raise SenguError(f"{path} is damaged ({str(error) or type(error).__name__}): {cure}") from error


def mapped(path: Path, dtype: str, dimensions: int, rows: int, table: Path) -> np.ndarray:
    """A memory-mapped array of this dtype and number of dimensions, with as many `rows` as the table it belongs to.

    Raises SenguError if it is missing, damaged, or of another dtype or shape.
    """
    if not path.is_file():
        raise SenguError(f"{path} is missing: run `dvc repro`, or `dvc pull` if someone else produced it")
    cure = f"`sengu heal {path.parent}` restores it"
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except DAMAGE as error:
        if is_refusal(error):
            raise
        raise SenguError(f"{path} is damaged ({error}): {cure}") from error
    if array.dtype != dtype or array.ndim != dimensions:
        expected = f"expected {np.dtype(dtype)} in {dimensions} dimensions"
        raise SenguError(f"{path} is damaged (holds {array.dtype} of shape {array.shape}, {expected}): {cure}")
    if len(array) != rows:
        raise SenguError(f"{path} has {len(array)} rows, but {table} has {rows}: run `dvc repro`")
    return array
