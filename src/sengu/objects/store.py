"""Object ids <-> bytes: the tree of one site, and all trees read as one store."""

import os
import platform
from collections.abc import Container, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from sengu import warc
from sengu.base import digests
from sengu.base.errors import SenguError
from sengu.base.ids import OBJECT_ID, ObjectId
from sengu.base.io_errors import named
from sengu.objects.archives import Locate
from sengu.objects.records import Records
from sengu.pictures import images

CURE = "`sengu objects heal` restores it from the archive"

Source = Path | warc.Place | bytes  # where the bytes of an object are; of one that is sent to a worker, the bytes


class ObjectTree:
    """The objects of one site below `root`, each at ab/cd/<object id>. Written by the objects stage only."""

    def __init__(self, root: Path):
        self.root = root

    @cached_property
    def records(self) -> Records:
        """The places in the archive of the site's objects without a leaf."""
        return Records(self.root)

    def path(self, object_id: ObjectId) -> Path:
        return self.root / object_id.path

    def state(self, object_id: ObjectId) -> str:
        """The fault of an object, which is read and hashed: missing or damaged; empty text if it has none."""
        if (leaf := self.path(object_id)).is_file():
            return "" if digests.sha1(leaf) == object_id.sha1 else "damaged"
        try:
            place = self.records.find(object_id)
            return "missing" if place is None else "" if _content(place, object_id) is not None else "damaged"
        except warc.MissingArchive:
            return "missing"
        except SenguError:  # of the table
            return "damaged"

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


def _sources(tree: ObjectTree, object_id: ObjectId) -> list[Source]:
    """The source of an object in the site of a tree: a leaf, the archive, or none."""
    if (leaf := tree.path(object_id)).is_file():
        return [leaf]
    place = tree.records.find(object_id)
    return [] if place is None else [place]


def _named(source: Source) -> str:
    return "bytes sent to a worker" if isinstance(source, bytes) else str(source)


def _content(source: Source, object_id: ObjectId) -> bytes | None:
    """The bytes of an object at one place; None if they are not what its id says.

    Raises MissingArchive if an archive file is not there.
    """
    try:
        data = source if isinstance(source, bytes) else source.read_bytes() if isinstance(source, Path) else warc.payload(source)
    except (warc.UnreadableCapture, warc.DamagedRecord):
        return None
    return data if ObjectId.of(data, object_id.extension) == object_id else None


class ObjectStore:
    """The trees of all sites, read-only, as one.

    What has no file of its own is read out of the archive: in data/raw, or where `locate` says that a copy is.
    """

    def __init__(self, roots: Iterable[Path], locate: Locate | None = None):
        self.trees = [ObjectTree(root) for root in sorted(roots)]
        self._locate = locate

    @classmethod
    def below(cls, folder: Path, locate: Locate | None = None) -> "ObjectStore":
        """The store over every tree in `folder` (data/object)."""
        return cls([path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else [], locate)

    def for_worker(self, objects: Sequence[ObjectId]) -> "ObjectStore | Sent":
        """The data with which a worker reads these objects. Raises SenguError if one is missing.

        With `locate` it may lie on another machine, so that it is sent what only lies in a file here.
        """
        if not any(tree.records for tree in self.trees):
            return self
        return Sent({object_id: self._sent(object_id) for object_id in objects})

    def _sent(self, object_id: ObjectId) -> list[Source]:
        sources = self.sources(object_id)
        if self._locate is not None and any(isinstance(source, Path) for source in sources):
            return [_read(object_id, sources)]
        return sources

    def sources(self, object_id: ObjectId) -> list[Source]:
        """The sources of an object's bytes: one for each site that has it. Raises SenguError if none has it."""
        sources = self.places(object_id)
        if not sources:
            trees = ", ".join(str(tree.root) for tree in self.trees) or "no tree at all"
            raise SenguError(f"object {object_id} is missing (looked in {trees}): {CURE}")
        if self._locate is not None:
            return [self._locate(source) if isinstance(source, warc.Place) else source for source in sources]
        return sources

    def places(self, object_id: ObjectId) -> list[Source]:
        """The places of an object in this repository, in files or in archive files; their text is for people."""
        return [source for tree in self.trees for source in _sources(tree, object_id)]

    def paths(self, object_id: ObjectId) -> list[Path]:
        """The files of an object: one in the tree of each site that has it there."""
        return [path for tree in self.trees if (path := tree.path(object_id)).is_file()]

    def path(self, object_id: ObjectId) -> Path:
        """The file of an object. Raises SenguError if no tree has it, or it lies in an archive only."""
        if paths := self.paths(object_id):
            return paths[0]
        where = _named(self.sources(object_id)[0])
        raise SenguError(
            f"object {object_id} has no file of its own, it lies in {where}: `sengu objects link DIR` writes every object into "
            "a file; with objects.tree true in params.yaml, `dvc repro` keeps all of them in files"
        )

    def read(self, object_id: ObjectId) -> bytes:
        """The bytes of an object, which are what its id says. Raises SenguError if no tree and no archive has it whole."""
        return _read(object_id, self.sources(object_id))

    def pixels(self, object_id: ObjectId) -> np.ndarray:
        """Pixels of a picture: uint8 RGB (height, width, 3), as a person sees it. Call it within `images.limited`.

        Raises SenguError if the object is missing or damaged, or cannot be decoded: without `objects.checks` only the header of
        a picture was read before it became an object.
        """
        return _pixels(object_id, self.read(object_id))

    def beginning_with(self, prefix: str) -> list[ObjectId]:
        """The objects whose id begins with `prefix`, which is a whole id, a SHA-1 or at least four of its digits; sorted."""
        matches: set[ObjectId] = set()
        for tree in self.trees:
            matches.update(tree.records.beginning_with(prefix))
            for path in (tree.root / prefix[:2] / prefix[2:4]).glob(f"{prefix}*"):
                if OBJECT_ID.fullmatch(path.name):
                    matches.add(ObjectId.parse(path.name))
        return sorted(matches)


class Sent:
    """Some objects of a store, for a worker to read."""

    def __init__(self, sources: Mapping[ObjectId, Sequence[Source]]):
        self._sources = sources

    def pixels(self, object_id: ObjectId) -> np.ndarray:
        """The pixels of a picture, as `ObjectStore.pixels` gives them."""
        return _pixels(object_id, _read(object_id, self._sources[object_id]))


def _read(object_id: ObjectId, sources: Sequence[Source]) -> bytes:
    missing = None
    for source in sources:
        try:
            data = _content(source, object_id)
        except warc.MissingArchive as error:
            missing = error
            continue
        if data is not None:
            return data
    if missing is not None:
        raise missing
    raise SenguError(f"object {object_id} is damaged ({_named(sources[-1])}): {CURE}")


def _pixels(object_id: ObjectId, data: bytes) -> np.ndarray:
    try:
        return images.pixels(data)
    except images.NotAPicture as reason:
        raise SenguError(
            f"object {object_id} cannot be decoded: {reason}: set objects.checks to true in params.yaml and run `dvc repro`, "
            "which then rejects it"
        ) from None
