"""A half-written output -> never seen: files and folders are written beside their place and renamed into it."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path

from sengu.base.io_errors import named

NO_SYNC = (errno.EINVAL, errno.ENOTSUP)  # of a folder, on file systems that write names at once or not on demand


def sync(path: Path) -> None:
    """Returns when a file, or the names in a folder, are on the disk, where a power cut does not reach them."""
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
    """Removes what killed processes, each with a number of its own, have left of the file `path`."""
    for partial in path.parent.glob(f".{escape(path.name)}.*.partial"):
        partial.unlink(missing_ok=True)


@contextmanager
def replaced_file(path: Path, writer: str = "", durable: bool = False) -> Iterator[Path]:
    """Yields a path to write to; on success it is renamed to `path`, on an error it is removed.

    Where several processes may write the same file, `writer` tells them apart, and what earlier ones left is removed: one
    that still writes then fails with a FileNotFoundError, and has been overtaken. What cannot be rebuilt is written `durable`:
    after a power cut there is the old file or the new one, whole. It costs some 10 ms.
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
        # not one atomic step, which POSIX lacks for folders; a kill in between leaves no output, and DVC reruns the stage
        shutil.rmtree(path, ignore_errors=True)
        partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
