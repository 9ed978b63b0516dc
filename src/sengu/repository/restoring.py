"""A damaged or missing pinned file -> a whole one, from another copy: DVC's cache, a remote, Git, or the working tree.

Every copy is hashed before it counts as whole, and before it replaces another file.
"""

import logging
import os
import shutil
import subprocess
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc_objects.fs import system

from sengu.base.atomic import sync
from sengu.base.digests import md5
from sengu.repository import pins
from sengu.repository.dvc_lock import hash_of, listing_of

READ_ONLY = 0o444  # the mode of a file in DVC's cache, which nobody edits

logger = logging.getLogger(__name__)


def is_whole(path: Path, digest: str) -> bool:
    return path.is_file() and md5(path) == digest.removesuffix(".dir")


def to_cache(repo: Any, digest: str, places: Collection[Path]) -> str:
    """Puts the file with this hash into DVC's cache, unless it is there whole; returns its source, or "" if it has none.

    `places` are files in the working tree that should have it.
    """
    cached = pins.cached(repo, digest)
    if is_whole(cached, digest):
        return "DVC's cache"
    for place in places:
        if is_whole(place, digest):
            with _replacing(cached) as partial:
                shutil.copyfile(place, partial)
                partial.chmod(READ_ONLY)
            return str(place)
    for name, odb in _remotes(repo):
        with suppress(OSError, DvcException), _replacing(cached) as partial:
            odb.fs.get_file(odb.oid_to_path(digest), os.fspath(partial))
            if md5(partial) != digest.removesuffix(".dir"):
                raise OSError(f"{digest} is damaged in remote {name}")
            partial.chmod(READ_ONLY)
            return f"remote {name}"
    return ""


def to_tree(repo: Any, digest: str, path: Path) -> None:
    """Puts a file from DVC's cache, where it is whole, into the working tree, by the kind of link that DVC is set to."""
    cached = pins.cached(repo, digest)
    with _replacing(path) as partial:
        for kind in [*repo.cache.local.cache_types, "copy"]:
            partial.unlink(missing_ok=True)
            with suppress(OSError):
                _link(kind, cached, partial)
                return
        raise OSError(f"{path} cannot be made")


def from_git(output: pins.Output) -> bool:
    """Restores what DVC does not cache, such as the metrics, if the commit has what is pinned."""
    done = subprocess.run(["git", "checkout", "HEAD", "--", os.fspath(output.path)], capture_output=True, check=False)
    return done.returncode == 0


def _link(kind: str, source: Path, target: Path) -> None:
    if kind == "reflink":
        system.reflink(os.fspath(source), os.fspath(target))  # type: ignore[no-untyped-call]
    elif kind == "hardlink":
        os.link(source, target)
    elif kind == "symlink":
        target.symlink_to(source)
    else:
        shutil.copyfile(source, target)
    if kind in ("reflink", "copy"):
        target.chmod(0o644)


def _remotes(repo: Any) -> Iterator[tuple[str, Any]]:
    """Every readable remote, the default first."""
    default = repo.config["core"].get("remote")
    for name in sorted(repo.config["remote"], key=lambda name: (name != default, name)):
        try:
            yield name, repo.cloud.get_remote(name).odb
        except DvcException as error:
            logger.warning("remote %s: %s", name, error)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Replaces a file durably, as `replaced_file` does, also a link or a read-only file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.healed.partial")
    partial.unlink(missing_ok=True)
    try:
        yield partial
        sync(partial)
        partial.replace(path)
        sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def places_of(repo: Any, outputs: Collection[pins.Output]) -> Mapping[str, list[Path]]:
    """The places in the working tree where each pinned hash should be."""
    places: dict[str, list[Path]] = {}
    for output in outputs:
        for path, digest in (pins.files(repo, output) or {}).items():
            places.setdefault(digest, []).append(path)
    return places


def list_of(repo: Any, output: pins.Output) -> str:
    """Puts the list of a folder's files into DVC's cache, from a remote, or from the folder, if that is whole; says whence."""
    return to_cache(repo, output.md5, []) or _listed_anew(repo, output)


def _listed_anew(repo: Any, output: pins.Output) -> str:
    files = {path.relative_to(output.path).as_posix(): md5(path) for path in output.path.rglob("*") if path.is_file()}
    if not output.path.is_dir() or hash_of(files) != output.md5:
        return ""
    with _replacing(pins.cached(repo, output.md5)) as partial:
        partial.write_bytes(listing_of(files))
        partial.chmod(READ_ONLY)
    return str(output.path)
