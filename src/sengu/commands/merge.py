"""`sengu merge`: two branches whose dvc.lock differ -> one lock, by rerunning what differs. It never deletes the lock."""

import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import yaml
from dvc.utils.serialize import dump_yaml

from sengu.base.atomic import replaced_file
from sengu.base.errors import SenguError
from sengu.repository.git import ask, git

LOCKS = ("dvc.lock", "datasets/dvc.lock")
BASE, OURS, THEIRS = 1, 2, 3  # how Git numbers the sides of a conflict
CRAWL = "crawl@"

Stages = Mapping[str, Any]


@dataclass
class MergedLock:
    """The stages of a merged lock, and the names of those that both sides changed, which have our entry until they rerun."""

    stages: dict[str, Any] = field(default_factory=dict)
    both: list[str] = field(default_factory=list)
    archives: list[str] = field(default_factory=list)  # outputs of crawls that only the other side changed


@dataclass(frozen=True)
class Resolved:
    """The stages that both sides changed, and the archives that only the other side has."""

    both: list[str]
    archives: list[str]


def merge_stages(base: Stages, ours: Stages, theirs: Stages) -> MergedLock:
    """Merges stage by stage: takes what only one side changed, added or removed; keeps ours, and lists it, if both changed."""
    merged = MergedLock()
    for name in dict.fromkeys([*ours, *theirs]):
        before, mine, other = base.get(name), ours.get(name), theirs.get(name)
        if mine == other or other == before:
            taken = mine
        elif mine == before:
            taken = other
            if name.startswith(CRAWL) and other is not None:
                merged.archives += sorted(_outputs([other]))
        else:
            taken = mine if mine is not None else other
            merged.both.append(name)
        if taken is not None:
            merged.stages[name] = taken
    return merged


def _lock(text: str, place: str) -> dict[str, Any]:
    try:
        return dict((yaml.safe_load(text) or {}).get("stages") or {})
    except yaml.YAMLError as error:
        raise SenguError(
            f"{place} is not YAML ({' '.join(str(error).split())}): `git merge --abort`, and correct it first"
        ) from error


def _side(path: str, number: int) -> str:
    return ask("show", f":{number}:{path}")


def _conflicts() -> list[str]:
    return sorted(set(ask("diff", "--name-only", "--diff-filter=U", "--relative").splitlines()))


def _outputs(stages: Iterable[Any]) -> set[str]:
    return {str(out["path"]) for stage in stages for out in stage.get("outs", [])}


def _check(name: str, path: str, merged: MergedLock) -> None:
    """Raises SenguError for a conflict that no rerun can decide."""
    for stage in merged.both:
        if stage.startswith(CRAWL):
            raise SenguError(
                f"{path}: both branches crawled {stage.removeprefix(CRAWL)}, and an archive cannot be rebuilt: "
                f"run `git merge --abort`, run `dvc push` on {name}, undo the crawl on one of the two branches, merge again, "
                "and crawl the site again"
            )
    pipeline = Path(path).with_suffix(".yaml")
    if pipeline.is_file() and path != LOCKS[0]:
        stages = (yaml.safe_load(pipeline.read_text(encoding="utf-8")) or {}).get("stages") or {}
        for stage in merged.both:
            if (stages.get(stage) or {}).get("frozen"):
                raise SenguError(
                    f"{path}: both branches made the dataset version {stage}, which is final: `git merge --abort`, rename one of "
                    "the two, and merge again"
                )


def resolve(branch: str) -> Resolved:
    """Resolves the conflicts of lock files and of outputs that Git tracks.

    Raises SenguError, and changes nothing, if other files are in conflict, or both sides made something that cannot be rebuilt.
    """
    conflicts = _conflicts()
    locks = {}
    for path in LOCKS:
        if path in conflicts:
            sides = [_lock(_side(path, number), f"{path}, side {number},") for number in (BASE, OURS, THEIRS)]
            locks[path] = merge_stages(*sides)
            _check(branch, path, locks[path])
    outputs: set[str] = set()
    for path in filter(lambda path: Path(path).is_file(), LOCKS):
        stages = locks[path].stages if path in locks else _lock(Path(path).read_text(encoding="utf-8"), path)
        outputs |= _outputs(stages.values())
    left = [path for path in conflicts if path not in locks]
    others = [path for path in left if not any(Path(path).is_relative_to(out) for out in outputs)]
    if others:
        raise SenguError(
            f"{', '.join(others)}: both branches changed this, and a rerun cannot resolve it: "
            "edit it, `git add` it, and run `sengu merge` again"
        )
    for path, merged in locks.items():
        with replaced_file(Path(path)) as partial:
            dump_yaml(partial, {"schema": "2.0", "stages": merged.stages})
    if left:  # outputs, which their stages write anew
        git("checkout", "--ours", "--", *left)
    if locks or left:
        git("add", "--", *locks, *left)
    return Resolved(
        sorted({stage for merged in locks.values() for stage in merged.both}),
        sorted({path for merged in locks.values() for path in merged.archives}),
    )


def _fetch(archives: list[str]) -> None:
    """Puts the archives of the other branch in place; with ours there, `dvc repro` would crawl again."""
    if not archives:
        return
    for command in (["dvc", "checkout", *archives], ["dvc", "pull", *archives]):
        if subprocess.run(command, check=False).returncode == 0:
            return
    raise SenguError(
        f"{', '.join(archives)} of the other branch cannot be fetched: `dvc push` there, `dvc pull` here, and run "
        "`sengu merge` again"
    )


@click.command("merge")
@click.argument("branch", required=False, default="")
@click.option("--no-repro", is_flag=True, help="Only resolve the lock; run `dvc repro` yourself.")
def command(branch: str, no_repro: bool) -> None:
    """Merge BRANCH, or continue a merge in conflict: resolve dvc.lock stage by stage, and rerun what differs.

    The merge is then ready to commit. Git merges the sheets in labels/ itself: it keeps the lines of both branches.
    """
    if branch:
        done = subprocess.run(["git", "merge", "--no-commit", "--no-ff", branch], capture_output=True, text=True, check=False)
        if done.returncode and not _conflicts():
            raise SenguError(f"`git merge {branch}` failed: {' '.join((done.stderr or done.stdout).split())}")
    if not branch and not ask("rev-parse", "--quiet", "--verify", "MERGE_HEAD"):
        raise SenguError("no merge is under way: name the branch to merge, `sengu merge BRANCH`")
    resolved = resolve(branch or "the other branch")
    both = ", ".join(resolved.both)
    click.echo(f"both branches changed {both}" if both else "no stage was changed by both branches")
    _fetch(resolved.archives)
    if no_repro:
        click.echo("run `dvc repro`, then `git add` the lock files and commit")
        return
    if subprocess.run(["dvc", "repro"], check=False).returncode:
        raise SenguError("`dvc repro` failed, see above: correct it, run `dvc repro`, then `git add --update` and `git commit`")
    git("add", "--update")
    click.echo("merged: check the result with `git status`, then run `git commit`")
