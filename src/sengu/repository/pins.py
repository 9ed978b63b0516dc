"""The lock files -> every output that they pin, who makes it, who needs it, and which files it consists of."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sengu.base.errors import SenguError

CRAWL = "crawl@"  # stages whose output cannot be rebuilt, as a rule


@dataclass(frozen=True)
class Output:
    """One output of a stage, as pinned; the hash of a folder ends in .dir."""

    path: Path
    md5: str
    stage: str  # as `dvc repro` takes it
    needed_by: tuple[str, ...]
    is_cached: bool
    is_list: bool  # persists, and a crawl that broke off may have rewritten it

    @property
    def is_archive(self) -> bool:
        return self.stage.startswith(CRAWL) and not self.is_list


@contextmanager
def repository() -> Iterator[Any]:
    """The DVC repository in the current folder. Within, what DVC says is wrong becomes a SenguError."""
    from dvc.exceptions import DvcException  # slow to import, and most pins can be read without them
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            yield repo
    except DvcException as error:
        raise SenguError(" ".join(str(error).split())) from error


def outputs(repo: Any) -> list[Output]:
    """The outputs that dvc.lock and datasets/dvc.lock pin for the stages that exist, in the order of dvc.yaml."""
    root = Path(repo.root_dir)
    deps = [(stage.addressing, Path(dep.fs_path)) for stage in repo.index.stages for dep in stage.deps if dep.protocol == "local"]
    listed = []
    for stage in repo.index.stages:
        for out in stage.outs:
            if not out.hash_info or out.hash_info.name != "md5":
                continue
            path = Path(out.fs_path)
            needed = sorted({name for name, dep in deps if dep == path or path.is_relative_to(dep) or dep.is_relative_to(path)})
            is_list = bool(out.persist) and not out.hash_info.isdir
            place = path.relative_to(root)
            listed.append(Output(place, str(out.hash_info.value), stage.addressing, tuple(needed), bool(out.use_cache), is_list))
    return listed


def cached(repo: Any, md5: str) -> Path:
    """The place in DVC's cache for a hash, whether it is there or not."""
    return Path(repo.cache.local.oid_to_path(md5))


def listing(repo: Any, md5: str) -> dict[str, str] | None:
    """The MD5s of the files of a folder, by their path in it; None if the cache does not have the list, or has it damaged."""
    path = cached(repo, md5)
    if not path.is_file():
        return None
    data = path.read_bytes()
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != md5.removesuffix(".dir"):
        return None
    return {str(file["relpath"]): str(file["md5"]) for file in json.loads(data)}


def files(repo: Any, output: Output) -> Mapping[Path, str] | None:
    """The files of an output with their MD5s; None if the list of a folder is not here."""
    if not output.md5.endswith(".dir"):
        return {output.path: output.md5}
    digests = listing(repo, output.md5)
    return None if digests is None else {output.path / name: digest for name, digest in digests.items()}


def cache_objects(repo: Any) -> Iterator[tuple[Path, str]]:
    """Every file in DVC's cache, with the hash that its name says."""
    folder = Path(repo.cache.local.path)
    for path in sorted(folder.glob("[0-9a-f][0-9a-f]/*")):
        digest = path.parent.name + path.name
        if len(digest.removesuffix(".dir")) == 32:  # not the temporary file of a killed DVC
            yield path, digest
