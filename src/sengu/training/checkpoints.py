"""A running training -> .sengu/training: the state from which it continues after its last whole epoch, if it is killed."""

from __future__ import annotations  # those of TensorFlow would load it

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sengu.base import arrays, working
from sengu.base.atomic import replaced_folder
from sengu.base.errors import SenguError
from sengu.base.io_errors import is_refusal
from sengu.networks.runtime import tf

LOCK = "lock"
KEPT = 2  # unfinished trainings to keep beside the present one
STATE, REST = "state", "rest.npz"


@contextmanager
def alone() -> Iterator[None]:
    """Allows one training of a repository at a time: two would mix their outputs. Raises SenguError if another is running."""
    working.TRAINING.mkdir(parents=True, exist_ok=True)
    with (working.TRAINING / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SenguError(
                f"another training holds {working.TRAINING / LOCK}: wait for it to end, or end it, then run this one"
            ) from error
        yield


class Checkpoint:
    """The state of one training: variables, with the caller's notes (JSON) and arrays."""

    def __init__(self, folder: Path, weights: list[tf.Variable], optimizer: Any):
        self.folder = folder
        self.state = tf.train.Checkpoint(weights=weights, optimizer=optimizer)

    def load(self) -> tuple[Any, list[np.ndarray]] | None:
        """Restores the variables and returns notes and arrays; None if there is no checkpoint.

        Raises SenguError if it is damaged.
        """
        epochs = sorted(self.folder.glob("[0-9]*"))  # a kill can leave two
        if not epochs:
            return None
        cure = f"remove {self.folder}, and the training starts anew"
        try:
            self.state.read(str(epochs[-1] / STATE)).assert_consumed()
            notes, *rest = arrays.read(epochs[-1] / REST, cure).values()
            return json.loads(str(notes)), rest
        except (tf.errors.OpError, AssertionError, OSError, LookupError, ValueError) as error:
            if is_refusal(error):
                raise
            raise SenguError(f"{epochs[-1]} is damaged: {cure}") from error

    def save(self, epoch: int, notes: Any, rest: list[np.ndarray]) -> None:
        """Saves the state, replacing the checkpoint of an earlier epoch."""
        own = self.folder / f"{epoch:06}"
        with replaced_folder(own) as partial:
            self.state.write(str(partial / STATE))
            np.savez(partial / REST, json.dumps(notes), *rest)
        for other in self.folder.iterdir():
            if other != own:
                shutil.rmtree(other)
        self._prune()

    def _prune(self) -> None:
        others = [folder for folder in self.folder.parent.iterdir() if folder.is_dir() and folder != self.folder]
        for folder in sorted(others, key=lambda folder: folder.stat().st_mtime, reverse=True)[KEPT:]:
            shutil.rmtree(folder)
