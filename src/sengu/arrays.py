"""A .npz file -> all its arrays, or an error that names the file and the cure."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from sengu.errors import SenguError

# what NumPy and zipfile say of files that are empty, cut or changed; RuntimeError of a flag that a flipped bit sets
DAMAGE = (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error)


def read(path: Path, cure: str) -> dict[str, np.ndarray]:
    """The arrays by name, in the order they were stored in, read whole. Raises SenguError, which ends with `cure`."""
    try:
        with path.open("rb") as stream, np.lib.npyio.NpzFile(stream) as stored:
            return {name: stored[name] for name in stored.files}
    except DAMAGE as error:
        raise SenguError(f"{path} is damaged ({str(error) or type(error).__name__}): {cure}") from error
