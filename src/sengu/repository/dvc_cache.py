"""A file's MD5 -> its place in DVC's cache, without DVC itself, which takes a second to start."""

import json
from functools import lru_cache
from pathlib import Path

from sengu.repository.git import ask


def path(md5: str) -> Path:
    """The place of a file in the cache, whether it is there or not."""
    return _root(Path.cwd()) / "files/md5" / md5[:2] / (md5[2:] or "-")


def listing(md5: str) -> dict[str, str] | None:
    """The files of a folder with their MD5s; None if the cache has no list of them."""
    place = path(md5)
    if not md5.endswith(".dir") or not place.is_file():
        return None
    try:
        return {entry["relpath"]: entry["md5"] for entry in json.loads(place.read_text(encoding="utf-8"))}
    except (ValueError, KeyError, TypeError):
        return None


@lru_cache
def _root(folder: Path) -> Path:
    for config in (".dvc/config.local", ".dvc/config"):
        if configured := ask("config", "--file", config, "cache.dir"):
            return folder / ".dvc" / Path(configured).expanduser()
    return folder / ".dvc/cache"
