"""Tags, datasets/dvc.yaml, dvc.lock and the local data -> the faults of the final versions; offline.

Each check looks at one thing only, and names version, file and cure. Neither DVC nor a remote is asked.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import filterfalse
from pathlib import Path
from typing import Any

import yaml

from sengu.base import digests
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.base.tables import tombstones, versions
from sengu.commands import places
from sengu.datasets import lineage, tags
from sengu.datasets.recipe import FOLDER
from sengu.datasets.tags import Tag
from sengu.objects.store import ObjectTree
from sengu.repository import dvc_cache, dvc_lock, pipeline
from sengu.repository.git import ask

LOCK = Path("datasets/dvc.lock")
CUT = 3  # objects that a fault names


@dataclass(frozen=True, order=True)
class Fault:
    """A difference from the state when the version was finalised, and its cure."""

    version: str
    file: str
    what: str
    cure: str

    def __str__(self) -> str:
        return f"{self.version}: {self.file}: {self.what}: {self.cure}"


@dataclass(frozen=True)
class Report:
    faults: list[Fault]
    notes: list[str]  # what is allowed, or could not be looked at here
    checked: list[str]  # names of versions


class NoTags(SenguError):
    """A clone without tags, in which nothing can be proved."""


def prove(names: Iterable[str] = (), deep: bool = False) -> Report:
    """Checks all final versions, or some. Raises NoTags for a clone that has none of their tags.

    `deep` hashes the objects; otherwise only presence and size are checked.
    """
    stages = pipeline.versions()
    family = lineage.tree(stages)
    known = tags.tags()
    final = {name: node.finalised for name, node in family.nodes.items() if node.finalised}
    if final and not known:
        raise NoTags(
            f"this clone has no tags, so nothing can be proved of {', '.join(final)}: run `git fetch --tags` and try again"
        )
    wanted = set(names)
    for name in wanted - {tag.version for tag in known}:
        family.node(name)
    faults = [fault for fault in _deleted(final, known) if not wanted or fault.version in wanted]
    notes: list[str] = []
    chosen = [tag for tag in known if not wanted or tag.version in wanted]
    lock = LOCK.read_text(encoding="utf-8") if LOCK.is_file() else ""
    tables: dict[str, bytes] = {}
    for tag in chosen:
        if not tag.said:
            faults.append(_tag_fault(tag, "has no hashes in its message, so another tag has replaced it"))
            continue
        faults += _of_tag(tag)
        faults += _of_stage(tag, family)
        faults += _of_lock(tag, tags.lock_entry(lock, tag.version), notes)
        faults += _of_folder(tag, notes)
        faults += _of_parents(tag, lock)
        table = _table(tag)
        if table is None:
            where = f"data/dataset/{tag.version}"
            notes.append(f"{tag.version}: its tables are not here, so its objects were not looked for: `dvc pull {where}`")
        else:
            tables[tag.version] = table
    faults += _of_objects(tables, notes, deep)
    return Report(sorted(set(faults)), notes, sorted({tag.version for tag in chosen}))


def _tag_fault(tag: Tag, what: str) -> Fault:
    return Fault(tag.version, f"tag {tag.name}", what, f"`git fetch --force origin 'refs/tags/{tag.name}:refs/tags/{tag.name}'`")


def _deleted(final: Mapping[str, str], known: Iterable[Tag]) -> Iterator[Fault]:
    """Versions without a tag that were finalised once, according to the file or its history."""
    tagged = {tag.version for tag in known}
    once = {**_in_history(), **final}
    for name, semver in once.items():
        if name not in tagged:
            tag = f"{tags.PREFIX}{name}@v{semver}"
            cure = f"`git fetch origin 'refs/tags/{tag}:refs/tags/{tag}'`"
            yield Fault(name, f"tag {tag}", "is gone, though the version was finalised", cure)


def _in_history() -> dict[str, str]:
    """Names and numbers of the versions that some commit before HEAD finalised."""
    numbers: dict[str, str] = {}
    commits = ask("log", "--format=%H", f"-G{lineage.FINALISED}", "--", str(pipeline.DATASETS)).split()
    for commit in commits:
        try:
            stages = (yaml.load(tags.text_at(commit, str(pipeline.DATASETS)), tags.Loader) or {}).get("stages") or {}
        except yaml.YAMLError:
            continue
        for name, stage in stages.items():
            if semver := (stage.get("meta") or {}).get(lineage.FINALISED):
                numbers.setdefault(name, str(semver))
    return numbers


def _of_tag(tag: Tag) -> Iterator[Fault]:
    """Faults of the tag: moved, or its commit does not hold what its message says."""
    if tag.commit != tag.said[tags.COMMIT]:
        yield _tag_fault(tag, f"was moved: it was set to commit {tag.said[tags.COMMIT][:12]}, and stands at {tag.commit[:12]}")
    elif [out["md5"] for out in tags.outs(tag.lock)] != [tag.said[tags.FOLDER]]:
        yield _tag_fault(tag, "its message and datasets/dvc.lock at its commit give different hashes of the folder")


def _of_stage(tag: Tag, family: lineage.Tree) -> Iterator[Fault]:
    """Faults of the stage: gone, changed, or not frozen."""
    cure = f"`git checkout '{tag.name}' -- {pipeline.DATASETS}`, or put back that stage alone"
    node = family.nodes.get(tag.version)
    if node is None:
        yield Fault(tag.version, str(pipeline.DATASETS), "its stage is gone", cure)
        return
    then = tag.stage or {}
    for key in ("cmd", "wdir", "outs"):
        now = node.stage.get(key)
        if now != then.get(key):
            yield Fault(tag.version, str(pipeline.DATASETS), f"{key} of its stage is not what it was at its tag", cure)
    if node.stage.get("frozen") is not True:
        yield Fault(tag.version, str(pipeline.DATASETS), "its stage is not frozen", "write `frozen: true` into it again")
    if node.finalised != tag.semver:
        what = f"meta.{lineage.FINALISED} is {node.finalised or 'missing'}, not {tag.semver}"
        yield Fault(tag.version, str(pipeline.DATASETS), what, cure)


def _of_lock(tag: Tag, entry: Mapping[str, Any] | None, notes: list[str]) -> Iterator[Fault]:
    """Faults of the entry in datasets/dvc.lock: other outputs. If plots alone differ, Pillow or matplotlib changed."""
    back = f"`sengu heal data/dataset/{tag.version}`"
    cure = f"`git checkout '{tag.name}' -- {LOCK}`, or put back its entry alone, and {back}"
    now, then = tags.outs(entry), tags.outs(tag.lock)
    if entry is None or not now:
        yield Fault(tag.version, str(LOCK), "its entry is gone", cure)
    elif now != then:
        listing = dvc_cache.listing(str(now[0]["md5"]))
        if [out["path"] for out in now] != [out["path"] for out in then] or len(now) != 1:
            yield Fault(tag.version, str(LOCK), "it has other outputs than at its tag", cure)
        elif listing is None:
            yield Fault(tag.version, str(LOCK), f"it pins {now[0]['md5']}, not {then[0]['md5']}", cure)
        else:
            differ = [name for name in (tags.LABEL, tags.METADATA) if listing.get(name) != _md5(tag, name)]
            for name in differ:
                md5 = listing.get(name, "no such file")
                yield Fault(tag.version, f"{LOCK} ({name})", f"it pins MD5 {md5}, not {_md5(tag, name)}", cure)
            if not differ:
                notes.append(
                    f"{tag.version}: plots or contact sheets differ from those at its tag, tables do not: this is allowed"
                )


def _of_folder(tag: Tag, notes: list[str]) -> Iterator[Fault]:
    """Faults of the tables that are here: they differ from those of the tag."""
    folder = FOLDER / tag.version
    if not folder.is_dir():
        return
    cure = f"`sengu heal {folder}`, or `sengu dataset restore {tag.version}`"
    for name in (tags.LABEL, tags.METADATA):
        path = folder / name
        if not path.is_file():
            yield Fault(tag.version, str(path), "is missing", cure)
        elif (hashes := both(path)) != tag.said[name]:
            yield Fault(tag.version, str(path), f"is not what it was: {_first(hashes)}, not {_first(tag.said[name])}", cure)
    listing = dvc_cache.listing(tag.said[tags.FOLDER])
    if listing is None:
        return
    here = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    for name in sorted(set(here) - set(listing)):
        yield Fault(tag.version, str(folder / name), "does not belong to the version", f"delete it, or {cure}")
    for name in sorted(set(listing) - set(here) - {tags.LABEL, tags.METADATA}):
        yield Fault(tag.version, str(folder / name), "is missing", cure)
    for name in sorted((set(listing) & set(here)) - {tags.LABEL, tags.METADATA}):
        if digests.md5(here[name]) != listing[name]:
            if name.endswith((".svg", ".jpg")):
                notes.append(f"{tag.version}: {here[name]} is another picture than at its tag: this is allowed")
            else:
                yield Fault(tag.version, str(here[name]), "is not what it was", cure)


def _of_parents(tag: Tag, lock: str) -> Iterator[Fault]:
    """Faults of the parents: they differ from what the version was made of. Its recipe needs them; its tables do not."""
    for parent in _document(tag).get("lineage", []):
        name = str(parent["version"])
        path = FOLDER / name / versions.LABELS
        md5 = digests.md5(path) if path.is_file() else None
        if md5 is None:
            entry = tags.outs(tags.lock_entry(lock, name))
            listing = dvc_cache.listing(str(entry[0]["md5"])) if entry else None
            md5 = listing.get(versions.LABELS) if listing else None
        if md5 is not None and md5 != parent[versions.LABELS]:
            what = f"its parent {name} is no longer what it was made from: MD5 {md5}, not {parent[versions.LABELS]}"
            back = f"`git checkout '{tag.name}' -- {LOCK} {pipeline.DATASETS}` and `sengu heal {path.parent}`"
            cure = f"{back}; to change a version, make a new one"
            yield Fault(tag.version, str(path), what, cure)


def _of_objects(tables: Mapping[str, bytes], notes: list[str], deep: bool) -> Iterator[Fault]:
    """Faults of the objects: not in the pinned index, which is not of the pinned archive, or not in the trees that are here."""
    if not tables:
        return
    lock = _stages(dvc_lock.LOCK)
    indexes = [(path.name.removeprefix("objects@"), path) for path in map(Path, lock) if path.name.startswith("objects@")]
    known: dict[str, tuple[str, int]] = {}
    for site, _ in indexes:
        index, faults = _index(site, lock, notes)
        yield from faults
        if index is None:
            return
        known.update(index)
    trees = {site: ObjectTree(places.TREES / site) for site, _ in indexes if (places.TREES / site).is_dir()}
    erased = tombstones.erased()
    objects = _Objects(known, trees, erased, deep)
    right: set[bytes] = set()  # lines of objects that are as they should be: versions share most of theirs
    for version, table in tables.items():
        lines = table.splitlines()[1:]
        if right.issuperset(lines):
            continue
        lines = list(filterfalse(right.__contains__, lines))
        ids = [line.partition(b",")[0].decode("ascii", "replace") for line in lines]
        gone = [name for name in ids if name not in known and name.partition(".")[0] not in erased]
        if gone:
            yield Fault(
                version, "data/index", f"{_some(gone)} are in no index", "list their site again in params.yaml, and `dvc repro`"
            )
        bad = [name for name in ids if name in known and objects.state(name)]
        if bad:
            what = f"{_some(bad)} are {objects.state(bad[0])}"
            yield Fault(version, f"data/object ({bad[0]})", what, "`sengu objects heal` restores them from the archive")
        wrong = {*gone, *bad}
        right.update(line for line, name in zip(lines, ids, strict=True) if name not in wrong)


class _Objects:
    """The objects of the index, by site and bytes, in the trees that are here."""

    def __init__(
        self, known: Mapping[str, tuple[str, int]], trees: Mapping[str, ObjectTree], erased: Collection[str], deep: bool
    ):
        self.known, self.trees, self.erased, self.deep = known, trees, erased, deep

    def state(self, name: str) -> str:
        """The state of an object in the tree of its site: missing or damaged; empty if it is right, or no tree is here."""
        site, size = self.known[name]
        if site not in self.trees or name.partition(".")[0] in self.erased:
            return ""
        tree, object_id = self.trees[site], ObjectId.parse(name)
        if self.deep:
            return tree.state(object_id)
        if (bytes_here := tree.size(object_id)) < 0:
            return "" if tree.records.find(object_id) else "missing"
        return "" if bytes_here == size else "damaged"


def _index(site: str, lock: Mapping[str, Any], notes: list[str]) -> tuple[dict[str, tuple[str, int]] | None, list[Fault]]:
    """Site and bytes of each object in the index of a site that dvc.lock pins; None if it is not here."""
    path = places.INDEX / f"{site}.csv"
    pinned = next((out["md5"] for out in lock[f"objects@{site}"]["outs"] if out["path"] == path.as_posix()), "")
    data = next((file.read_bytes() for file in (path, dvc_cache.path(pinned)) if file.is_file()), None)
    if data is None:
        notes.append(f"{path} is not here, so no object was looked for: `dvc pull {path}`")
        return None, []
    faults = []
    if path.is_file() and digests.md5(path) != pinned:
        faults.append(Fault("(all)", str(path), "is not what dvc.lock pins", f"`sengu heal {path}`, or `dvc repro`"))
    raw = f"data/raw/{site}"
    made_from = next((dep.get("md5") for dep in lock[f"objects@{site}"].get("deps", []) if dep["path"] == raw), None)
    if made_from not in _archives(site, lock):
        faults.append(Fault("(all)", f"dvc.lock ({path})", f"the index was not made from the {raw} that it pins", "`dvc repro`"))
    lines = data.splitlines()
    size = lines[0].decode().split(",").index("bytes")
    objects = {}
    for line in lines[1:]:
        cells = line.split(b",")
        objects[cells[0].decode("ascii", "replace")] = (site, int(cells[size]))
    return objects, faults


def _archives(site: str, lock: Mapping[str, Any]) -> Collection[str | None]:
    """The pins of a site's archive: by its crawl, or, where another repository crawls, by the import of it.

    Of an import of all archives at once DVC pins one hash of them all, with which that of one cannot be compared.
    """
    raw = places.RAW / site
    if f"crawl@{site}" in lock:
        return [out.get("md5") for out in lock[f"crawl@{site}"].get("outs", []) if out["path"] == raw.as_posix()]
    if (alone := raw.with_name(f"{site}.dvc")).is_file():
        return [out.get("md5") for out in yaml.load(alone.read_text(encoding="utf-8"), tags.Loader)["outs"]]
    pinned = [dep.get("md5") for dep in lock[f"objects@{site}"].get("deps", []) if dep["path"] == raw.as_posix()]
    return pinned if places.RAW.with_name(f"{places.RAW.name}.dvc").is_file() else []


def _some(ids: list[str]) -> str:
    return f"{len(ids)} of its objects ({', '.join(ids[:CUT])}{'…' if len(ids) > CUT else ''})"


def both(path: Path) -> str:
    """The MD5, by which DVC knows a file, and the SHA-256, which nobody can forge."""
    data = path.read_bytes()
    return f"{hashlib.md5(data, usedforsecurity=False).hexdigest()} {hashlib.sha256(data).hexdigest()}"


def _md5(tag: Tag, name: str) -> str:
    return tag.said[name].split()[0]


def _first(hashes: str) -> str:
    return f"MD5 {hashes.split()[0]}"


def _table(tag: Tag) -> bytes | None:
    """label.csv as it is here, or else in the cache."""
    return _bytes_of(tag, tags.LABEL)


def _document(tag: Tag) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(_bytes_of(tag, tags.METADATA) or b"{}")
    except ValueError:
        return {}
    return document


def _bytes_of(tag: Tag, name: str) -> bytes | None:
    paths = (FOLDER / tag.version / name, dvc_cache.path(_md5(tag, name)))
    return next((path.read_bytes() for path in paths if path.is_file()), None)


def _stages(lock: Path) -> dict[str, Any]:
    if not lock.is_file():
        return {}
    return dict((yaml.load(lock.read_text(encoding="utf-8"), tags.Loader) or {}).get("stages") or {})
