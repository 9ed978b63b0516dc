"""Files, sources and settings -> digests: SHA-1, MD5, and the key of a cache."""

import hashlib
import importlib.metadata
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

PAGES = (".py", ".html")  # the sources of a package


def sha1(path: Path) -> str:
    """Lower-case hex SHA-1 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.sha1(usedforsecurity=False)).hexdigest()


def md5(path: Path) -> str:
    """Lower-case hex MD5 of a file, by which DVC knows it. It reads the file in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def key(settings: object, parts: Iterable[Path | ModuleType], libraries: Iterable[str]) -> str:
    """The key of a cache: one digest, lower-case hex SHA-256, of everything that decides what the cache holds.

    `settings` count by their repr. A path stands for a file or a whole folder, by names and content; a module for its source,
    a package for the sources of all its modules; `libraries` are distributions, by their installed versions.
    """
    versions = [(name, importlib.metadata.version(name)) for name in libraries]
    digest = hashlib.sha256(repr((settings, versions)).encode())
    for part in (Path(__file__), *parts):
        for root, file in sources(part) if isinstance(part, ModuleType) else _files(part):
            digest.update(repr((file.relative_to(root).as_posix(), file.stat().st_size)).encode())
            with file.open("rb") as stream:  # pixels may be larger than memory
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def sources(module: ModuleType) -> list[tuple[Path, Path]]:
    """The source files of a module or package, each after the folder that its name starts from."""
    if not hasattr(module, "__path__"):
        path = Path(str(module.__file__))
        return [(path.parent, path)]
    # the first folder of a package is the one whose code runs, see sengu/__init__.py
    root = Path(next(iter(module.__path__)))
    return [(root.parent, path) for path in sorted(root.rglob("*")) if path.suffix in PAGES]


def _files(path: Path) -> list[tuple[Path, Path]]:
    files = sorted(filter(Path.is_file, path.rglob("*"))) if path.is_dir() else [path]
    return [(path.parent, file) for file in files]
