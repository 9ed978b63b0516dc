"""A half-written output -> never seen: files and folders are written beside their place and renamed into it."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)  # a disk, or the part of it that one user may fill
NAMELESS = (*FULL, errno.EFBIG, errno.EIO, errno.EROFS)  # what a write to an open file may meet


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Within, an error of writing, as that of a full disk, names `path` if it names no file: those of an open one do not."""
    try:
        yield
    except OSError as error:
        if error.errno in NAMELESS and error.filename is None:
            error.filename = str(path)
        raise


@contextmanager
def replaced_file(path: Path, writer: str = "") -> Iterator[Path]:
    """Yields a path to write to; on success it is renamed to `path`, on an error it is removed.

    Where several processes may write the same file, `writer` tells them apart.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}{writer}.partial")
    try:
        with named(path):
            yield partial
        partial.replace(path)
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
