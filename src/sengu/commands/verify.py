"""`sengu verify`: archives, outputs, object trees and DVC's cache, hashed again and held against both lock files.

DVC trusts a file whose size and time are as they were, so a byte that the disk lost passes `dvc status` and every stage.
"""

import re
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import click
import pandas as pd
from tqdm import tqdm

from sengu.base import digests, params, tables
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.base.names import counted
from sengu.base.tables import tombstones
from sengu.commands import places
from sengu.objects.store import ObjectTree
from sengu.repository import dvc_lock, pins, pipeline, restoring, verified

OUTPUT, FOLDER, TREE, CACHE = "output", "folder", "tree", "cache"
EARLIER = "an earlier commit"  # needs what is in the cache and in no lock file
NAMED = 5  # outputs that a message names at most
AHEAD = 4  # files that are hashed at once
BUDGET = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
HEAL = "`sengu heal` takes it from {}"
LOST = "no other copy is known here: put one with MD5 {} in its place"


@dataclass(frozen=True)
class Item:
    """A unit of verification: a file, a folder of which no list is here, or the leaves below one folder of a tree."""

    kind: str
    path: Path
    digest: str  # MD5, by which DVC knows it
    stage: str
    needed_by: tuple[str, ...]
    size: int
    leaves: tuple[ObjectId, ...] = ()
    is_archive: bool = False

    @property
    def place(self) -> str:
        """Its name in the memory."""
        return f"cache {self.digest}" if self.kind == CACHE else str(self.path)


@dataclass(frozen=True)
class Damage:
    """One file that is not as it should be; `state` is damaged, missing or foreign."""

    state: str
    path: Path
    item: Item


def items(repo: Any, below: Sequence[Path] = ()) -> list[Item]:
    """Everything that is here and pinned, at or below some paths or anywhere. What is not here as a whole is left out."""
    outputs = pins.outputs(repo)
    listed = [item for output in outputs for item in _of_output(repo, output, below)]
    inodes = {(_inode(item.path), item.digest) for item in listed if item.kind == OUTPUT}
    listed += _trees(outputs)
    if not below:  # an output may be a hard link of its copy in the cache: one file is hashed once
        listed += [item for item in _cache(repo, outputs) if (_inode(item.path), item.digest) not in inodes]
    return [item for item in listed if not below or any(item.path.is_relative_to(path) for path in below)]


def absent(outputs: Iterable[pins.Output]) -> list[Path]:
    """The pinned outputs of which nothing is here, as in a clone before `dvc pull`; object trees may be dropped at any time."""
    return [output.path for output in outputs if output.path.parent != places.TREES and not output.path.exists()]


def _of_output(repo: Any, output: pins.Output, named: Sequence[Path]) -> Iterator[Item]:
    if output.path.parent == places.TREES or not (output.path.exists() or any(output.path.is_relative_to(p) for p in named)):
        return
    files = pins.files(repo, output)
    common = (output.stage, output.needed_by)
    if files is None:
        yield Item(FOLDER, output.path, output.md5, *common, 0, is_archive=output.is_archive)
    for path, digest in (files or {}).items():
        yield Item(OUTPUT, path, digest, *common, _size(path), is_archive=output.is_archive)


def _trees(outputs: Iterable[pins.Output]) -> Iterator[Item]:
    erased = tombstones.erased()
    for output in outputs:
        index = places.INDEX / f"{output.path.name}.csv"
        if output.path.parent != places.TREES or not output.path.is_dir() or not index.is_file():
            continue
        try:
            table = tables.read(index, tables.IndexRow).drop_duplicates("objectId")
        except SenguError:  # it is damaged: that is found by its own hash, and its tree when it is whole
            continue
        sizes = dict(zip(table["objectId"], table["bytes"], strict=True))
        leaves = sorted(leaf for leaf in map(ObjectId.parse, sizes) if leaf.sha1 not in erased)
        for name, group in groupby(leaves, lambda leaf: leaf.sha1[:2]):
            below = tuple(group)
            size = sum(int(sizes[str(leaf)]) for leaf in below)
            yield Item(
                TREE,
                output.path / name,
                dvc_lock.hash_of({str(leaf): "" for leaf in below}),
                output.stage,
                output.needed_by,
                size,
                below,
            )


def _cache(repo: Any, outputs: Iterable[pins.Output]) -> Iterator[Item]:
    known: dict[str, pins.Output] = {}
    for output in outputs:
        known[output.md5] = output
        for digest in (pins.files(repo, output) or {}).values():
            known.setdefault(digest, output)
    for path, digest in pins.cache_objects(repo):
        if owner := known.get(digest):
            yield Item(CACHE, path, digest, owner.stage, owner.needed_by, _size(path), is_archive=owner.is_archive)
        else:
            yield Item(CACHE, path, digest, EARLIER, (), _size(path), is_archive=True)


def _inode(path: Path) -> int:
    return path.stat().st_ino if path.is_file() else 0


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def check(item: Item) -> list[Damage]:
    """Hashes one item."""
    if item.kind == TREE:
        tree = ObjectTree(item.path.parent)
        return [Damage(state, tree.path(leaf), item) for leaf in item.leaves if (state := tree.state(leaf))]
    if item.kind == FOLDER:
        return [] if item.path.is_dir() and dvc_lock.dvc_hash(item.path) == item.digest else [Damage("damaged", item.path, item)]
    if not item.path.is_file():
        return [Damage("missing", item.path, item)]
    return [] if digests.md5(item.path) == item.digest.removesuffix(".dir") else [Damage("damaged", item.path, item)]


def stamp(item: Item) -> str:
    """A stamp that changes with an item; empty text if that cannot be seen at a glance."""
    return verified.stamp(item.path) if item.kind in (OUTPUT, CACHE) and item.path.is_file() else ""


def verify(todo: Sequence[Item], memory: verified.Memory, seconds: float = float("inf")) -> tuple[list[Damage], int]:
    """Hashes items in their order until the time is up; returns what is damaged, and how many items were hashed."""
    end = time.monotonic() + seconds
    damages: list[Damage] = []
    done = 0
    bar = tqdm(total=sum(item.size for item in todo), desc="verify", unit="B", unit_scale=True, disable=None)
    with ThreadPoolExecutor(AHEAD) as pool, bar:
        for start in range(0, len(todo), AHEAD):
            if done and time.monotonic() >= end:
                break
            batch = todo[start : start + AHEAD]
            marks = [stamp(item) for item in batch]
            for item, mark, damage in zip(batch, marks, pool.map(check, batch), strict=True):
                if damage:
                    memory.forget(item.place)
                else:
                    memory.remember(item.place, item.digest, mark)
                damages += damage
                done += 1
                bar.update(item.size)
    return damages, done


def due(every: Sequence[Item], memory: verified.Memory) -> list[Item]:
    """Items that an interrupted verification has not reached yet, or all; a new one is noted as begun."""
    began = memory.noted(verified.ROUND)
    if began is None:
        memory.note(verified.ROUND, time.time())
        return list(every)
    left = [item for item in every if not memory.holds(item.place, item.digest, stamp(item), began)]
    if len(left) < len(every):
        when = datetime.fromtimestamp(began, UTC).strftime("%Y-%m-%d %H:%M UTC")
        click.echo(f"continuing the verification of {when}: {len(left)} of {len(every)} items are left", err=True)
    return left


def changed(damages: Collection[Damage], repo: Any) -> set[Path]:
    """Lists of failures that a crawl which broke off has rewritten; DVC sees it, so that is no damage."""
    lists = {output.path for output in pins.outputs(repo) if output.is_list}
    outs = {Path(out.fs_path).relative_to(repo.root_dir): out for stage in repo.index.stages for out in stage.outs}
    return {damage.path for damage in damages if damage.path in lists and outs[damage.path].changed_checksum()}


def cure(damage: Damage, repo: Any, copies: Mapping[str, Sequence[Path]]) -> str:
    """The cure, as far as it is known without asking a remote; `copies` are the places where each hash should be."""
    item = damage.item
    if item.kind == TREE:
        return HEAL.format("the archive")
    others = [
        path for path in (pins.cached(repo, item.digest), *copies.get(item.digest, ())) if path.resolve() != item.path.resolve()
    ]
    if any(restoring.is_whole(path, item.digest) for path in others):
        return HEAL.format("another copy")
    if item.is_archive and not can_regenerate(item.stage):
        return HEAL.format("a remote") if repo.config["remote"] else LOST.format(item.digest)
    if (version := final_version(item.stage)) is not None:
        return HEAL.format(f"a remote; `sengu dataset restore {version}` makes it again")
    return HEAL.format("a remote, or rebuilds it")


def final_version(stage: str) -> str | None:
    """The version that a stage made and DVC may not make again: it would pin whatever lies there."""
    path, _, name = stage.rpartition(":")
    is_frozen = path == str(pipeline.DATASETS) and pipeline.versions().get(name, {}).get("frozen")
    return name if is_frozen else None


def can_regenerate(stage: str) -> bool:
    site = stage.removeprefix(pins.CRAWL)
    fetch = params.document().get("sites", {}).get(site, {}).get("fetch", {})
    return bool(fetch.get("reproducible"))


def table(damages: Sequence[Damage], repo: Any) -> str:
    """State, file, the stage that made it, the stages that read it, and what repairs it, as text."""
    copies = restoring.places_of(repo, pins.outputs(repo))
    rows = [
        (
            damage.state,
            _shown(damage.path),
            damage.item.stage,
            ", ".join(damage.item.needed_by) or "-",
            cure(damage, repo, copies),
        )
        for damage in damages
    ]
    return pd.DataFrame(rows, columns=["state", "file", "of", "needed by", "cure"]).to_string(index=False)


def _shown(path: Path) -> str:
    """Below the current folder, as DVC's cache is by default, if it is there."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def budget(text: str) -> float:
    """Seconds of such a text as 1h, 90m or 1h30m. Raises SenguError for another."""
    match = BUDGET.fullmatch(text)
    if not text or match is None:
        raise SenguError(f"--budget {text!r}: expected a time such as 1h, 90m or 30s")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(hours * 3600 + minutes * 60 + seconds)


@click.command("verify")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--budget", "limit", default="", metavar="TIME", help="Stop after 1h, 90m …; the least recently verified first.")
def command(paths: tuple[Path, ...], limit: str) -> None:
    """Hash archives, outputs, trees and DVC's cache again, all or at and below PATHS; exit with 1 if anything is damaged.

    An interrupted run continues where it stopped.
    """
    seconds = budget(limit) if limit else float("inf")
    with pins.repository() as repo, verified.opened() as memory:
        every = items(repo, paths)
        if limit:
            times = memory.times()
            todo = sorted(every, key=lambda item: times.get(item.place, 0.0))
        else:
            todo = every if paths else due(every, memory)
        damages, count = verify(todo, memory, seconds)
        if not paths and not limit:
            memory.note(verified.ROUND, None)
            meant = {item.place for item in every}
            memory.keep_only(meant, lambda place: not place.startswith("remote "))
        rewritten = changed(damages, repo)
        damages = [damage for damage in damages if damage.path not in rewritten]
        if not paths and (away := absent(pins.outputs(repo))):
            names = ", ".join(map(str, away[:NAMED])) + (" …" if len(away) > NAMED else "")
            click.echo(
                f"{len(away)} pinned outputs are not here, and were not checked: {names}; `dvc pull` restores them", err=True
            )
        if count < len(every) and limit:
            click.echo(f"{count} of {len(every)} items were verified in {limit}; the next run takes the others first", err=True)
        if not damages:
            click.echo("everything that was checked is intact")
            return
        click.echo(table(damages, repo))
    click.echo(f"{counted(len(damages), 'file')} damaged or missing: `sengu heal` repairs what it can", err=True)
    sys.exit(1)
