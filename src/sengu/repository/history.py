"""Git's history of the lock files -> the commits, stages and paths that pinned a hash, and the folders that held a file."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sengu.repository import comparing
from sengu.repository.git import ask

FOLDER_HASH = re.compile(r"^\+ +md5: ([0-9a-f]{32}\.dir)$", re.MULTILINE)
CACHE = Path(".dvc/cache/files/md5")


@dataclass(frozen=True)
class Commit:
    """One commit of the repository; `date` is ISO 8601."""

    sha: str
    author: str
    date: str


@dataclass(frozen=True)
class Pin:
    """An output in the lock file of a commit: the first such commit, and the tags whose lock files have it, too."""

    stage: str
    path: str
    hash: str
    commit: Commit
    tags: tuple[str, ...]


def commits(*paths: str | Path, extra: tuple[str, ...] = ()) -> list[Commit]:
    """The commits of all branches and tags that changed one of the paths, the latest first."""
    lines = ask("log", "--all", "--format=%H%x09%an <%ae>%x09%aI", *extra, "--", *map(str, paths)).splitlines()
    return [Commit(*line.split("\t")) for line in lines]


def locked_at(rev: str) -> dict[str, Any]:
    """The stages of both lock files at a commit, as `comparing.stages` names them."""
    stages: dict[str, Any] = {}
    for lock in comparing.LOCKS:
        if text := ask("show", f"{rev}:{lock}"):
            # the C loader is ten times as fast, and histories are long
            document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}
            stages |= {comparing.in_repository(lock, name): stage for name, stage in document.get("stages", {}).items()}
    return stages


def pins(value: str) -> list[Pin]:
    """The outputs that any commit pins with such a hash, each with the first commit that did."""
    first = commits(*comparing.LOCKS, extra=("-S", value))[::-1]
    for commit in first:
        outputs = [place for place, pinned in comparing.pinned(locked_at(commit.sha)).items() if pinned == value]
        if outputs:
            tags = tuple(tag for tag in tags_after(commit.sha) if value in comparing.pinned(locked_at(tag)).values())
            return [Pin(stage, path, value, commit, tags) for stage, path in outputs]
    return []


def tags_after(sha: str) -> list[str]:
    """The tags that contain a commit, the oldest first."""
    return ask("tag", "--contains", sha, "--sort=creatordate").splitlines()


def folders(cache: Path = CACHE) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Hash and files, MD5 by name, of every folder that any commit pins and whose list lies in the local cache."""
    patches = ask("log", "--all", "--patch", "--unified=0", "--format=", "--", *map(str, comparing.LOCKS))
    for value in dict.fromkeys(FOLDER_HASH.findall(patches)):
        listing = cache / value[:2] / value[2:]
        if listing.is_file():
            yield value, files_of(listing)


def files_of(listing: Path) -> Mapping[str, str]:
    """MD5 by name of the files of a folder, from its list in DVC's cache."""
    return {entry["relpath"]: entry["md5"] for entry in json.loads(listing.read_text(encoding="utf-8"))}


def folders_with(md5: str, cache: Path = CACHE) -> Iterator[tuple[str, str]]:
    """Hash of the folder, and name in it, of every pinned folder that holds a file with such an MD5."""
    for value, files in folders(cache):
        for name, digest in files.items():
            if digest == md5:
                yield value, name
