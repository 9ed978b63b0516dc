"""Files and folders -> written beside their place and renamed into it, so that nobody sees a half-written output."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path

from sengu.base.io_errors import named

NO_SYNC = (errno.EINVAL, errno.ENOTSUP)  # of a folder, on file systems that sync names at once or never


def sync(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk, safe from a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_SYNC:
            error.filename = str(path)
            raise
    finally:
        os.close(descriptor)


def remove_partials(path: Path) -> None:
    """Removes partial copies of the file `path` that killed processes have left."""
    for partial in path.parent.glob(f".{escape(path.name)}.*.partial"):
        partial.unlink(missing_ok=True)


@contextmanager
def replaced_file(path: Path, writer: str = "", durable: bool = False) -> Iterator[Path]:
    """Yields a path to write to; on success it is renamed to `path`, on an error it is removed.

    If several processes may write the same file, `writer` tells them apart, and partial files of earlier ones are removed: a
    process that still writes then fails with a FileNotFoundError. Write `durable` what cannot be rebuilt: after a power cut
    either the old file or the new one is there, whole. It costs some 10 ms.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}{writer}.partial")
    if writer:
        remove_partials(path)
    try:
        with named(path):
            yield partial
            if durable:
                sync(partial)
        partial.replace(path)
        if durable:
            sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def replaced_folder(path: Path) -> Iterator[Path]:
    """Yields an empty folder to fill; on success it takes the place of `path`, on an error it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        with named(path):
            yield partial
        # two steps, since POSIX has no atomic one for folders; a kill in between leaves no output, and DVC reruns the stage
        shutil.rmtree(path, ignore_errors=True)
        partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
