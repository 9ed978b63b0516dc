"""The repository -> the facts that a successor needs, from Git, DVC's files and params.yaml."""

import csv
import hashlib
import io
import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sengu.base import params
from sengu.base.errors import SenguError
from sengu.base.tables import tombstones
from sengu.commands import places
from sengu.commands.handover.drills import Drill, drills
from sengu.datasets import history, lineage
from sengu.labels import checks, merging, quiz, sheets, words
from sengu.remote import configuration
from sengu.repository import comparing, pipeline
from sengu.repository.git import ask
from sengu.reruns import certificates
from sengu.reruns.certificates import Certificate

RULES = places.LABELS / "RULES.md"
METRICS = Path("reports/metrics.json")
OBJECT_ID = re.compile(r"[0-9a-f]{40}\.[0-9a-z]+")


@dataclass(frozen=True)
class Size:
    """One pinned output: bytes and number of files."""

    path: str
    bytes: int
    files: int


@dataclass(frozen=True)
class Version:
    """One dataset version; `size` is None where this repository does not pin it."""

    name: str
    parents: tuple[str, ...]
    finalised: str  # the semantic version under which it was; empty if it was not
    is_frozen: bool
    is_imported: bool  # by `dvc import`, from another repository
    size: Size | None


@dataclass(frozen=True)
class Sheet:
    """One annotation sheet: its name and its number of rows."""

    name: str
    rows: int


@dataclass(frozen=True)
class Facts:
    """Facts from the lock files, params.yaml and the certificates; `origin` and `drills` come from Git here."""

    project: Mapping[str, Any]
    origin: str
    remote: str
    outputs: str  # `comparing.digest`
    sizes: tuple[Size, ...]
    sites: Mapping[str, Mapping[str, Any]]
    datasets: tuple[Version, ...]  # those of a family tree that is whole; empty if it is not
    broken_tree: str  # what is wrong with the family tree of the versions, and how to correct it; empty if it is whole
    trained_on: str  # the version that the stage `split` last took
    metrics: Mapping[str, Any]
    release: Mapping[str, Any]
    rules: str  # first line with text
    sheets: tuple[Sheet, ...]
    agreement: str  # of annotators, on pictures that two or more labelled blind
    quizzes: tuple[str, ...]  # how far each successor agrees with a predecessor, by quiz/
    certificates: tuple[Certificate, ...]
    drills: tuple[Drill, ...]

    @property
    def verified_by(self) -> list[Certificate]:
        """The latest full certificate of each machine that attests these outputs."""
        return certificates.verified_by(self.certificates, self.outputs)

    @property
    def attested(self) -> list[Certificate]:
        """Certificates of these outputs without a fault, including those of `--quick`."""
        return certificates.attested(self.certificates, self.outputs)

    @property
    def digest(self) -> str:
        """Lower-case hex SHA-256 of the tracked facts: equal in every clone of a commit, whatever the wording of a page."""
        tracked = {name: value for name, value in asdict(self).items() if name not in ("origin", "drills")}
        for name in ("quizzes", "broken_tree"):
            if not tracked[name]:
                del tracked[name]  # a document from before the first of them is not stale
        return hashlib.sha256(json.dumps(tracked, sort_keys=True, default=str).encode()).hexdigest()


def gather() -> Facts:
    """The facts of the repository in the current folder. Raises SenguError if it has no lock file, or params.yaml is wrong."""
    document = params.document()
    locked = comparing.stages(Path())
    outs = [_size(out) for stage in locked.values() for out in stage.get("outs", [])]
    try:
        datasets, broken_tree = tuple(_versions({size.path: size for size in outs})), ""
    except SenguError as error:  # the other facts are no worse for it
        datasets, broken_tree = (), str(error)
    return Facts(
        project={key: value for key, value in document.get("project", {}).items() if value},
        origin=ask("remote", "get-url", "origin"),
        remote=configuration.committed(),
        outputs=comparing.digest(locked),
        sizes=tuple(outs),
        sites=document.get("sites", {}),
        datasets=datasets,
        broken_tree=broken_tree,
        trained_on=history.trained_on(locked.get("split")),
        metrics=json.loads(METRICS.read_text(encoding="utf-8")) if METRICS.is_file() else {},
        release=document.get("export", {}),
        rules=_first_words(RULES),
        sheets=tuple(Sheet(path.name, _rows(path)) for path in sorted(places.LABELS.glob("*.csv"))),
        agreement=agreement(),
        quizzes=quizzes(),
        certificates=tuple(certificates.read_all()),
        drills=tuple(drills()),
    )


def _versions(sizes: Mapping[str, Size]) -> Iterator[Version]:
    """The versions of datasets/dvc.yaml, if it is there, and those imported from another repository.

    Raises SenguError for a family tree that is not whole.
    """
    family = lineage.tree(pipeline.versions() if pipeline.DATASETS.is_file() else {})
    family.ordered()
    for name, node in family.nodes.items():
        size = sizes.get(f"{places.DATASETS}/{name}")
        yield Version(name, node.parents, node.finalised, bool(node.stage.get("frozen")), False, size)
    for path in sorted(places.DATASETS.glob("*.dvc")):
        yield Version(path.stem, (), "", False, True, None)


def agreement() -> str:
    """Agreement between the annotators of the sheets, as `sengu label check` measures it, but from what Git tracks alone."""
    if not places.LABELS.is_dir():
        return ""
    said, classes = _said()
    measured = checks.agreements(checks.blind(said), classes)["all"]
    if not measured.pictures:
        return "no picture was labelled blind by two or more"
    numbers = f"raw {measured.raw}; alpha {measured.alpha}; AC1 {measured.ac1}"
    return f"{measured.pictures} pictures were labelled blind by two or more: {numbers}"


def quizzes() -> tuple[str, ...]:
    """Agreement of each successor with a predecessor, as `sengu label check` measures it, but from what Git tracks alone."""
    if not places.LABELS.is_dir() or not quiz.FOLDER.is_dir():
        return ()
    said, classes = _said()
    standing = merging.latest(said)
    results = quiz.results(standing[standing["value"] >= 0], classes)
    return tuple(f"{who} {result}" for who, their in results.items() for result in their)


def _said() -> tuple[pd.DataFrame, Sequence[str]]:
    """The decisions in the sheets, and the classes.

    Lines that name a picture by its file name are left out: only the tables, which Git does not have, know the object.
    """
    paths = sheets.sheets(places.LABELS)
    named = pd.concat([sheets.read(path).cells["objectId"].str.lower() for path in paths]) if paths else pd.Series(dtype="str")
    ids = sorted(name for name in named.unique() if OBJECT_ID.fullmatch(name))
    objects = pd.DataFrame({"objectId": ids, "filename": "", "video": ""}, dtype="str")
    classes = params.labelling(places.LABELS)[1].classes
    return words.look(paths, words.Known(objects, erased=tombstones.erased()), classes)[0], classes


def unmade(repo: Any) -> list[str]:
    """Outputs of DVC's repository that nothing pins: the stage that makes them failed, or never ran."""
    return sorted(str(out) for out in repo.index.outs if not out.hash_info)


def unpushed(repo: Any) -> list[str]:
    """Stages and files whose objects the default remote lacks; it asks for each one. Raises OSError if it cannot be reached."""
    missing = []
    pinned = [str(out) for out in repo.index.outs if out.hash_info]  # DVC warns of the others, see `unmade`
    for odb, objects in (repo.used_objs(pinned, push=True) if pinned else {}).items():
        there = odb or repo.cloud.get_remote_odb()
        oids = {obj.value: obj for obj in objects}
        known = set(there.oids_exist(list(oids)))
        missing += [obj.obj_name or oid for oid, obj in oids.items() if oid not in known]
    return sorted(missing)


def uncommitted(*paths: str) -> list[str]:
    """Changed and untracked files below the paths, as Git names them."""
    return [line[3:] for line in subprocess_lines("git", "status", "--porcelain", "--untracked-files=all", "--", *paths)]


def subprocess_lines(*command: str) -> list[str]:
    """The output lines, unstripped: in `git status` a blank at the beginning of a line has a meaning."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()


def _size(out: Mapping[str, Any]) -> Size:
    return Size(out["path"], int(out.get("size", 0)), int(out.get("nfiles", 1)))


def _first_words(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return next((line.lstrip("# ").strip() for line in lines if line.strip("# ")), "")


def _rows(path: Path) -> int:
    return max(sum(1 for _ in csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))) - 1, 0)


def spider(site: Mapping[str, Any]) -> str:
    """The spider of a site, and the addresses where it starts."""
    fetch = site.get("fetch", {})
    if "source" not in fetch:
        return "archived only"
    places_of = fetch.get("start") or fetch.get("folder") or fetch.get("url") or fetch.get("files") or ""
    start = ", ".join(map(str, places_of)) if isinstance(places_of, list) else str(places_of)
    kind = f"crawlers/spiders/{fetch['spider']}.py" if fetch.get("spider") else fetch["source"]
    return f"{kind}: {start}"
