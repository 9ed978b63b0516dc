"""`sengu heal`: damaged and missing files -> whole again, from DVC's cache, a remote, the archive or a rebuild, in one step.

It never rebuilds an archive, and touches nothing that is intact: `dvc checkout --force` would delete an archive file that no
lock pins yet.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from sengu.base import locks
from sengu.base.errors import SenguError
from sengu.base.names import counted
from sengu.commands import places, verify
from sengu.commands.objects.verify import Finding, heal_trees
from sengu.commands.verify import CACHE, FOLDER, OUTPUT, TREE, Damage
from sengu.repository import dvc_lock, pins, restoring, verified


def heal(below: Sequence[Path] = ()) -> tuple[list[str], list[Damage]]:
    """Repairs damage at or below some paths, or anywhere; returns what was done, and what is still damaged.

    Without paths, a file is hashed only if it looks different from when it was last found whole. `sengu verify` hashes
    everything.
    """
    done: list[str] = []
    with verified.opened() as memory:
        with pins.repository() as repo, repo.lock, ExitStack() as crawls:
            for output in _lists(repo, below):
                if whence := restoring.list_of(repo, output):
                    done.append(f"the list of {output.path}: from {whence}")
            damages = _damages(repo, below, memory)
            for site in sorted({_site(damage) for damage in damages} - {""}):
                crawls.enter_context(locks.held(f"crawl-{site}", f"the archive of site {site} is in use"))
            done += _from_copies(repo, damages)
            damages = _damages(repo, below, memory)
            order = [stage.addressing for stage in _in_order(repo)]
            stages = _to_rebuild(repo, damages)
        for stage in sorted(stages, key=order.index):
            done.append(_rebuild(stage))
        with pins.repository() as repo:
            damages = _damages(repo, below, memory)
            done += _trees(damages)
            return done, _damages(repo, below, memory)


def _lists(repo: Any, below: Sequence[Path]) -> list[pins.Output]:
    """The folders that are here, or asked for, whose list of files is missing from DVC's cache."""
    return [
        output
        for output in pins.outputs(repo)
        if output.md5.endswith(".dir")
        and output.path.parent != places.TREES
        and pins.listing(repo, output.md5) is None
        and (any(output.path.is_relative_to(path) for path in below) if below else output.path.is_dir())
        and output.is_cached
    ]


def _damages(repo: Any, below: Sequence[Path], memory: verified.Memory) -> list[Damage]:
    every = verify.items(repo, below)
    if not below:
        every = [item for item in every if not (mark := verify.stamp(item)) or not memory.holds(item.place, item.digest, mark)]
    damages, _ = verify.verify(every, memory)
    rewritten = verify.changed(damages, repo)
    return [damage for damage in damages if damage.path not in rewritten]


def _site(damage: Damage) -> str:
    return damage.item.stage.removeprefix(pins.CRAWL) if damage.item.is_archive and damage.item.kind == OUTPUT else ""


def _from_copies(repo: Any, damages: Iterable[Damage]) -> list[str]:
    """Restores every file that has a whole copy."""
    outputs = pins.outputs(repo)
    copies = restoring.places_of(repo, outputs)
    uncached = {output.path: output for output in outputs if not output.is_cached}
    done = []
    for damage in damages:
        item = damage.item
        if item.path in uncached:
            if restoring.from_git(uncached[item.path]):
                done.append(f"{item.path}: from Git")
        elif item.kind in (OUTPUT, CACHE) and (whence := restoring.to_cache(repo, item.digest, copies.get(item.digest, []))):
            if item.kind == OUTPUT:
                restoring.to_tree(repo, item.digest, item.path)
            done.append(f"{item.path}: from {whence}")
    return done


def _to_rebuild(repo: Any, damages: Iterable[Damage]) -> set[str]:
    """The stages that can rebuild what has no copy; damaged files in DVC's cache are removed first.

    DVC does not write an output into its cache if a file of that name is there.
    """
    makers = {output.md5: output.stage for output in pins.outputs(repo)}
    for output in pins.outputs(repo):
        makers |= dict.fromkeys((pins.files(repo, output) or {}).values(), output.stage)
    stages = set()
    for damage in damages:
        item = damage.item
        stage = makers.get(item.digest, "") if item.kind == CACHE else item.stage
        if item.kind == TREE or (item.is_archive and not verify.can_regenerate(stage)):
            continue
        cached = pins.cached(repo, item.digest)
        if cached.is_file() and not restoring.is_whole(cached, item.digest):
            cached.unlink()
        if stage and verify.final_version(stage) is None:
            stages.add(stage)
    return stages


def _in_order(repo: Any) -> list[Any]:
    """The stages, each behind those whose outputs it reads."""
    import networkx

    return list(networkx.topological_sort(repo.index.graph.reverse()))


def _rebuild(stage: str) -> str:
    before = _pinned(stage)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    command = [sys.executable, "-m", "dvc", "repro", "--force", "--single-item", stage]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path})
    if answer.returncode:
        last = (answer.stderr.strip() or answer.stdout.strip()).splitlines()
        return f"{stage}: `dvc repro --force --single-item {stage}` failed: {last[-1] if last else answer.returncode}"
    others = sorted(name for name, digest in _pinned(stage).items() if before.get(name) != digest)
    if others:
        return f"the outputs of {stage}: rebuilt, but {', '.join(others)} with other bytes, which are pinned now: see `git diff`"
    return f"the outputs of {stage}: rebuilt"


def _pinned(stage: str) -> dict[str, str]:
    """The MD5s of a stage's outputs in its lock file now."""
    file, _, name = stage.rpartition(":")
    lock = Path(file or "dvc.yaml").with_suffix(".lock")
    return {out["path"]: out["md5"] for out in dvc_lock.stages(lock).get(name, {}).get("outs", []) if "md5" in out}


def _trees(damages: Iterable[Damage]) -> list[str]:
    """Restores the leaves of object trees from the archives."""
    findings = [
        Finding(damage.state, damage.path.parts[2], Path(*damage.path.parts[3:]).as_posix())
        for damage in damages
        if damage.item.kind == TREE
    ]
    if not findings:
        return []
    left = heal_trees(findings)
    return [f"{counted(len(findings) - len(left), 'object')}: from the archives"]


@click.command("heal")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
def command(paths: tuple[Path, ...]) -> None:
    """Repair damaged and missing files, anywhere or at and below PATHS, which may be missing completely.

    Run `sengu verify` first if a disk may have lost bytes silently.
    """
    done, left = heal(paths)
    for line in done:
        click.echo(line)
    if not left:
        click.echo("everything that was checked is intact" if done else "nothing was damaged")
        return
    with pins.repository() as repo:
        click.echo(verify.table(left, repo))
    unlisted = [damage for damage in left if damage.item.kind == FOLDER]
    raise SenguError(
        f"{counted(len(left), 'file')} could not be repaired, see the table"
        + (f"; cache and remotes have no list of the files in {unlisted[0].path}" if unlisted else "")
    )
