"""Git tags of final versions <-> their messages: hashes of each of the two tables, of the folder, of labels and rules."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from sengu.repository.git import ask

LOCK = "datasets/dvc.lock"
PREFIX = "datasets="  # gto's spelling of an artifact in datasets/dvc.yaml
LABEL, METADATA, FOLDER, LABELS, RULES, COMMIT = "label.csv", "dataset.json", "folder", "labels", "rules", "commit"
KEYS = (LABEL, METADATA, FOLDER, LABELS, RULES, COMMIT)
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # thirty tags hold thirty versions each


@dataclass(frozen=True)
class Tag:
    """A tag of a final version; `said` holds the fields of its message, and is empty if the tag was made by hand."""

    name: str
    version: str
    semver: str
    commit: str
    said: Mapping[str, str]

    @cached_property
    def lock(self) -> dict[str, Any] | None:
        """The entry of the version in datasets/dvc.lock at the tag; None if there is none."""
        return lock_entry(text_at(self.commit, LOCK), self.version)

    @cached_property
    def stage(self) -> dict[str, Any] | None:
        """The stage of the version in datasets/dvc.yaml at the tag; None if there is none."""
        document = yaml.load(text_at(self.commit, "datasets/dvc.yaml"), Loader) or {}
        stage: dict[str, Any] | None = (document.get("stages") or {}).get(self.version)
        return stage


def tags() -> list[Tag]:
    """The tags of all final versions, by name, from one call of Git."""
    form = "%(refname:strip=2)%00%(objectname)%00%(*objectname)%00%(contents)%01"
    known = []
    for record in ask("for-each-ref", f"--format={form}", f"refs/tags/{PREFIX}*").split("\x01"):
        name, _, rest = record.strip("\n").partition("\x00")
        if not name:
            continue
        own, peeled, message = rest.split("\x00", 2)
        version, _, semver = name.removeprefix(PREFIX).partition("@v")
        if semver and "#" not in semver:  # gto's tags of stages such as `#prod`
            known.append(Tag(name, version, semver, peeled or own, parsed(message) if peeled else {}))
    return known


def message(name: str, semver: str, said: Mapping[str, str]) -> str:
    """The message of a tag."""
    return "\n".join([f"dataset version {name} {semver}", "", *(f"{key}: {said[key]}" for key in KEYS)])


def parsed(text: str) -> dict[str, str]:
    """The fields of a message; empty if one is missing."""
    lines = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    return {key: lines[key] for key in KEYS} if all(key in lines for key in KEYS) else {}


def pinned_since(name: str) -> str:
    """The commit that first pinned the present output of a version, whose labels made it; empty text if that is not known.

    Later commits may have other labels, if the stage of the version was frozen; so may the other side of a merge. A shallow clone
    may not reach back to that commit.
    """
    now = outs(lock_entry(text_at("HEAD", LOCK), name))
    lines = ask("rev-list", "--full-history", "--parents", "HEAD", "--", LOCK).splitlines()
    parents = {commit: before for commit, *before in map(str.split, lines)}
    commit = next(iter(parents), "")
    while commit in parents and now:
        earlier = [parent for parent in parents[commit] if outs(lock_entry(text_at(parent, LOCK), name)) == now]
        if not earlier:
            break
        commit = earlier[0]
    is_cut_off = not parents.get(commit) and ask("rev-parse", "--is-shallow-repository") == "true"
    return "" if is_cut_off else commit


def tree(commit: str, path: Path) -> str:
    """Git's hash of a file or folder at a commit; "none" if there is none."""
    return (commit and ask("rev-parse", f"{commit}:./{path}")) or "none"


def text_at(commit: str, path: str) -> str:
    """A file at a commit; empty text if it is not there."""
    done = subprocess.run(["git", "show", f"{commit}:./{path}"], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def lock_entry(text: str, name: str) -> dict[str, Any] | None:
    """The entry of a stage in the text of a lock file, which DVC writes: of thirty entries only one is parsed."""
    lines = text.splitlines()
    start = next(
        (i for i, line in enumerate(lines) if line.strip("'\"").rstrip(":").strip(" '\"") == name and line.startswith("  ")), None
    )
    if start is None:
        return None
    end = next((i for i in range(start + 1, len(lines)) if lines[i][:3].strip()), len(lines))
    try:
        entry: dict[str, Any] = next(iter(yaml.load("\n".join(lines[start:end]), Loader).values()))
    except (yaml.YAMLError, AttributeError):
        return None
    return entry


def outs(entry: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The outputs of a lock entry: path, MD5, size and number of files. Never its deps, since code moves."""
    return [{key: out.get(key) for key in ("path", "md5", "size", "nfiles")} for out in (entry or {}).get("outs", [])]
