"""A training on its way -> .sengu/training: what it needs to go on after its last whole epoch, if it is killed."""

import hashlib
import json
import shutil
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from sengu.atomic import replaced_folder
from sengu.errors import SenguError

FOLDER = Path(".sengu/training")
KEPT = 2  # unfinished trainings beside the present one
LIBRARIES = ("numpy", "tensorflow", "tf-keras", "tensorflow-hub")  # which decide what comes out
STATE, REST = "state", "rest.npz"


def key(inputs: Iterable[Path], settings: str, sources: Iterable[Path]) -> str:
    """A name for all that decides a training: its input folders, its settings, its code and the libraries."""
    digest = hashlib.sha1(settings.encode(), usedforsecurity=False)
    digest.update(" ".join(version(library) for library in LIBRARIES).encode())
    for source in sources:
        digest.update(source.read_bytes())
    for folder in inputs:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            digest.update(f"\0{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
            with path.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, lambda: hashlib.sha1(usedforsecurity=False)).digest())
    return digest.hexdigest()


class Checkpoint:
    """The state of one training: variables, and beside them notes (JSON) and arrays that the caller gives."""

    def __init__(self, folder: Path, weights: list[tf.Variable], optimizer: Any):
        self.folder = folder
        self.state = tf.train.Checkpoint(weights=weights, optimizer=optimizer)

    def load(self) -> tuple[Any, list[np.ndarray]] | None:
        """Puts the variables back and returns notes and arrays; None if there is no checkpoint.

        Raises SenguError if it is damaged.
        """
        epochs = sorted(self.folder.glob("[0-9]*"))  # a kill can leave two
        if not epochs:
            return None
        try:
            self.state.read(str(epochs[-1] / STATE)).assert_consumed()
            with np.load(epochs[-1] / REST) as rest:
                notes, *arrays = (rest[name] for name in rest.files)
                return json.loads(str(notes)), arrays
        except (tf.errors.OpError, AssertionError, OSError, KeyError, ValueError) as error:
            raise SenguError(f"{self.folder} is damaged: remove it, and the training starts anew") from error

    def save(self, epoch: int, notes: Any, arrays: list[np.ndarray]) -> None:
        """Takes the place of the checkpoint of an earlier epoch."""
        own = self.folder / f"{epoch:06}"
        with replaced_folder(own) as partial:
            self.state.write(str(partial / STATE))
            np.savez(partial / REST, json.dumps(notes), *arrays)
        for other in self.folder.iterdir():
            if other != own:
                shutil.rmtree(other)
        self._prune()

    def _prune(self) -> None:
        others = [folder for folder in self.folder.parent.iterdir() if folder != self.folder]
        for folder in sorted(others, key=lambda folder: folder.stat().st_mtime, reverse=True)[KEPT:]:
            shutil.rmtree(folder)
