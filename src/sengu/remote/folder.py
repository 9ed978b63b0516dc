"""A remote that is a folder, such as on a disk or an NFS volume."""

import hashlib
import os
import shutil
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from sengu.base.atomic import replaced_file
from sengu.base.errors import SenguError
from sengu.remote import stored
from sengu.remote.configuration import Remote
from sengu.remote.stored import OldVersion, Stored

CHUNK = 1 << 20


class FolderStore:
    """The objects of a folder remote."""

    keeps_versions = False

    def __init__(self, remote: Remote):
        self.remote, self.root = remote, remote.folder
        self.requests, self.bytes_read = 0, 0

    def check(self) -> None:
        """Raises SenguError if the folder is not there."""
        if not self.root.is_dir():
            raise SenguError(
                f"remote {self.remote.name!r} is the folder {self.root}, which is not here: mount or copy it, or name the place "
                "where it is with `sengu remote init FOLDER`; docs/remote.md"
            )

    def objects(self) -> Iterator[Stored]:
        self.check()
        for folder in sorted(self._files().glob("[0-9a-f][0-9a-f]")):
            with os.scandir(folder) as entries:
                for entry in entries:
                    if (oid := stored.oid(f"{folder.name}/{entry.name}")) and entry.is_file():
                        yield _stored(oid, entry.stat())

    def head(self, oid: str) -> Stored | None:
        try:
            return _stored(oid, self._path(oid).stat())
        except FileNotFoundError:
            return None

    def versions(self) -> Iterator[OldVersion]:
        return iter(())

    def unfinished(self) -> list[int]:
        return []

    def chunks(self, oid: str) -> Iterator[bytes]:
        """Raises OSError if it is missing or cannot be read."""
        with self._path(oid).open("rb") as stream:
            while chunk := stream.read(CHUNK):
                self.bytes_read += len(chunk)
                yield chunk

    def write(self, oid: str, path: Path) -> None:
        """Puts a file in the place of an object."""
        target = self._path(oid)
        target.parent.mkdir(parents=True, exist_ok=True)
        with replaced_file(target) as partial:
            shutil.copyfile(path, partial)
            partial.chmod(0o444)  # as DVC does

    def write_version(self, version: OldVersion) -> None:
        raise SenguError(f"remote {self.remote.name!r} is a folder, which keeps no versions")

    def delete(self, oid: str) -> None:
        self._path(oid).unlink(missing_ok=True)

    def forget(self, oids: Collection[str]) -> int:
        """Deletes objects for good; returns how many files went."""
        gone = [oid for oid in oids if self._path(oid).exists()]
        for oid in gone:
            self.delete(oid)
        return len(gone)

    def publish(self, name: str, data: bytes, content_type: str) -> None:
        """Puts a file of the catalogue beside DVC's."""
        del content_type
        with replaced_file(self.root / name) as partial:
            partial.write_bytes(data)

    def published(self, prefix: str) -> list[str]:
        """The names of the catalogue's files that begin so."""
        names = (path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file())
        return sorted(name for name in names if name.startswith(prefix) and not name.startswith("files/"))

    def withdraw(self, names: Collection[str]) -> None:
        for name in names:
            (self.root / name).unlink(missing_ok=True)

    def read_published(self, name: str) -> bytes | None:
        path = self.root / name
        return path.read_bytes() if path.is_file() else None

    def device(self) -> str:
        """The disk: two copies on one disk are not independent."""
        return f"disk {self.root.stat().st_dev}"

    def _files(self) -> Path:
        return self.root / stored.FILES

    def _path(self, oid: str) -> Path:
        return self.root / stored.key(oid)


def _stored(oid: str, stat: os.stat_result) -> Stored:
    stamp = f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"
    return Stored(oid, stat.st_size, modified=stat.st_mtime, stamp=stamp)


def md5(chunks: Iterator[bytes]) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def now() -> float:
    return time.time()
