"""Object ids <-> bytes: the tree of one site, and all trees read as one store."""

import os
import platform
from collections.abc import Container, Iterable
from pathlib import Path

import numpy as np

from sengu.base.errors import SenguError
from sengu.base.ids import OBJECT_ID, ObjectId
from sengu.base.io_errors import named
from sengu.pictures import images

CURE = "`sengu objects heal` restores it from the archive"


class ObjectTree:
    """The objects of one site below `root`, each at ab/cd/<object id>. Written by the objects stage only."""

    def __init__(self, root: Path):
        self.root = root

    def path(self, object_id: ObjectId) -> Path:
        return self.root / object_id.path

    def put(self, object_id: ObjectId, payload: bytes) -> None:
        """Stores an object; a correct leaf stays, a damaged one is replaced."""
        path = self._leaf(object_id)
        if self.size(object_id) == len(payload) and Path(path).read_bytes() == payload:
            return
        # two URLs may have the same bytes, and two machines may have a process of the same number
        partial = f"{path}.{platform.node()}.{os.getpid()}.partial"
        try:
            try:
                stream = open(partial, "wb", buffering=0)  # noqa: PTH123, SIM115 pathlib doubles the time of a small file
            except FileNotFoundError:
                _make(os.path.dirname(path))  # noqa: PTH120
                stream = open(partial, "wb", buffering=0)  # noqa: PTH123, SIM115
            with stream, named(Path(path)):
                left = memoryview(payload)
                while left:
                    left = left[stream.write(left) :]
            os.replace(partial, path)  # noqa: PTH105
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise

    def size(self, object_id: ObjectId) -> int:
        """Bytes of a stored object; -1 if it is missing."""
        try:
            return os.stat(self._leaf(object_id)).st_size  # noqa: PTH116
        except FileNotFoundError:
            return -1

    def prune(self, keep: Iterable[ObjectId]) -> int:
        """Removes every file that is not one of `keep`, and the folders left empty; returns how many files went."""
        wanted = {self._leaf(object_id) for object_id in keep}
        return self._prune(str(self.root), wanted)[0] if self.root.is_dir() else 0

    def _prune(self, folder: str, wanted: Container[str]) -> tuple[int, bool]:
        """Prunes a folder: how many files went, and whether it is empty now."""
        gone, stays = 0, False
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    below, empty = self._prune(entry.path, wanted)
                    gone += below
                    if empty:
                        Path(entry.path).rmdir()
                    stays |= not empty
                elif entry.path in wanted:
                    stays = True
                else:
                    Path(entry.path).unlink()
                    gone += 1
        return gone, not stays

    def _leaf(self, object_id: ObjectId) -> str:
        """The path as text, which is faster: a stage asks for it half a million times."""
        sha1 = object_id.sha1
        return f"{self.root}/{sha1[:2]}/{sha1[2:4]}/{sha1}.{object_id.extension}"


def _make(folder: str) -> None:
    """Makes a folder. `os.makedirs` looks at every parent first; mostly one is missing, or another process makes it now."""
    try:
        os.mkdir(folder)  # noqa: PTH102
    except FileExistsError:
        pass
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103


class ObjectStore:
    """The trees of all sites, read-only, as one."""

    def __init__(self, roots: Iterable[Path]):
        self.trees = [ObjectTree(root) for root in sorted(roots)]

    @classmethod
    def below(cls, folder: Path) -> "ObjectStore":
        """The store over every tree in `folder` (data/object)."""
        return cls(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else cls([])

    def paths(self, object_id: ObjectId) -> list[Path]:
        """The places of an object: one in the tree of each site that has it."""
        return [path for tree in self.trees if (path := tree.path(object_id)).is_file()]

    def path(self, object_id: ObjectId) -> Path:
        """The place of an object. Raises SenguError if no tree has it."""
        paths = self.paths(object_id)
        if not paths:
            trees = ", ".join(str(tree.root) for tree in self.trees) or "no tree at all"
            raise SenguError(f"object {object_id} is missing (looked in {trees}): {CURE}")
        return paths[0]

    def read(self, object_id: ObjectId) -> bytes:
        """The bytes of an object, checked against its id. Raises SenguError if no tree has it whole."""
        damaged = None
        for path in self.paths(object_id):
            data = path.read_bytes()
            if ObjectId.of(data, object_id.extension) == object_id:
                return data
            damaged = path
        if damaged is not None:
            raise SenguError(f"object {object_id} is damaged ({damaged}): {CURE}")
        return self.path(object_id).read_bytes()

    def pixels(self, object_id: ObjectId) -> np.ndarray:
        """Pixels of a picture: uint8 RGB (height, width, 3), as a person sees it. Call it within `images.limited`.

        Raises SenguError if the object is missing or damaged, or cannot be decoded: without `objects.checks` only the header of
        a picture was read before it became an object.
        """
        try:
            return images.pixels(self.read(object_id))
        except images.NotAPicture as reason:
            raise SenguError(
                f"object {object_id} cannot be decoded: {reason}: set objects.checks to true in params.yaml and run `dvc repro`, "
                "which then rejects it"
            ) from None

    def beginning_with(self, prefix: str) -> list[ObjectId]:
        """The objects whose id begins with `prefix`, which is a whole id, a SHA-1 or at least four of its digits; sorted."""
        matches = set()
        for tree in self.trees:
            for path in (tree.root / prefix[:2] / prefix[2:4]).glob(f"{prefix}*"):
                if OBJECT_ID.fullmatch(path.name):
                    matches.add(ObjectId.parse(path.name))
        return sorted(matches)
