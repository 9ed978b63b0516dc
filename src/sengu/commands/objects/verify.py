"""Object trees and their index -> what is missing, damaged or foreign in them."""

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from sengu.base.ids import ObjectId


@dataclass(frozen=True, order=True)
class Finding:
    """One file of a tree that is not as the index says; `state` is missing, damaged or foreign."""

    state: str
    site: str
    path: str  # below the tree


def verify(site: str, root: Path, indexed: Iterable[ObjectId]) -> list[Finding]:
    """Hashes every object of one site again; sorted."""
    expected = {object_id.path.as_posix(): object_id for object_id in indexed}
    here = set(_files(root))
    found = [Finding("foreign", site, name) for name in here - expected.keys()]
    found += [Finding("missing", site, name) for name in expected.keys() - here]
    whole = sorted(here & expected.keys())
    # threads: hashing and reading release Python's lock
    with ThreadPoolExecutor() as pool:
        digests = pool.map(lambda name: sha1(root / name), whole)
        for name, digest in tqdm(zip(whole, digests, strict=True), total=len(whole), desc=f"verify {site}", disable=None):
            if digest != expected[name].sha1:
                found.append(Finding("damaged", site, name))
    return sorted(found)


def sha1(path: Path) -> str:
    """Lower-case hex SHA-1 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.sha1(usedforsecurity=False)).hexdigest()


def _files(root: Path) -> Iterator[str]:
    return (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file() or path.is_symlink())
