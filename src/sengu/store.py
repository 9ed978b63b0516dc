"""Object ids <-> bytes: the tree of one site, and all trees read as one store."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from sengu.atomic import replaced_file
from sengu.errors import SenguError
from sengu.ids import ObjectId


class ObjectTree:
    """The objects of one site below `root`, each at ab/cd/<object id>. Written by the objects stage only."""

    def __init__(self, root: Path):
        self.root = root

    def path(self, object_id: ObjectId) -> Path:
        return self.root / object_id.path

    def put(self, object_id: ObjectId, payload: bytes) -> None:
        """Stores an object; a leaf that is already right is left alone, a damaged one is replaced."""
        path = self.path(object_id)
        if path.is_file() and path.read_bytes() == payload:
            return
        with replaced_file(path, writer=f".{os.getpid()}") as partial:  # two URLs may have the same bytes
            partial.write_bytes(payload)

    def prune(self, keep: Iterable[ObjectId]) -> int:
        """Removes every file that is not one of `keep`, and the folders left empty; returns how many files went."""
        wanted = {self.path(object_id) for object_id in keep}
        strangers = [path for path in self.root.rglob("*") if path.is_file() and path not in wanted]
        for path in strangers:
            path.unlink()
        for folder in sorted((p for p in self.root.rglob("*") if p.is_dir()), reverse=True):
            if not any(folder.iterdir()):
                folder.rmdir()
        return len(strangers)


class ObjectStore:
    """The trees of all sites, read-only, as one."""

    def __init__(self, roots: Iterable[Path]):
        self.trees = [ObjectTree(root) for root in sorted(roots)]

    @classmethod
    def below(cls, folder: Path) -> "ObjectStore":
        """The store over every tree in `folder` (data/object)."""
        return cls(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else cls([])

    def path(self, object_id: ObjectId) -> Path:
        """Where the object lies. Raises SenguError if no tree has it."""
        for path in self._candidates(object_id):
            if path.is_file():
                return path
        trees = ", ".join(str(tree.root) for tree in self.trees) or "no tree at all"
        raise SenguError(
            f"object {object_id} is missing (looked in {trees}): "
            "`dvc repro --force --single-item objects` restores it from the archive"
        )

    def read(self, object_id: ObjectId) -> bytes:
        return self.path(object_id).read_bytes()

    def _candidates(self, object_id: ObjectId) -> Iterator[Path]:
        return (tree.path(object_id) for tree in self.trees)
