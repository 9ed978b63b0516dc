"""The repository -> what a successor has to know of it, read from Git, DVC's files and params.yaml."""

import csv
import io
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sengu.base import params
from sengu.commands import places
from sengu.commands.handover.drills import Drill, drills
from sengu.repository import comparing
from sengu.repository.git import ask
from sengu.reruns import certificates
from sengu.reruns.certificates import Certificate

RULES = places.LABELS / "RULES.md"
METRICS = Path("reports/metrics.json")


@dataclass(frozen=True)
class Size:
    """One pinned output: bytes and number of files."""

    path: str
    bytes: int
    files: int


@dataclass(frozen=True)
class Sheet:
    """One annotation sheet: its name and its number of rows."""

    name: str
    rows: int


@dataclass(frozen=True)
class Facts:
    """What the lock files, params.yaml and the certificates say; `origin` and `drills` are what Git says here."""

    project: Mapping[str, Any]
    origin: str
    remote: str
    outputs: str  # `comparing.digest`
    sizes: tuple[Size, ...]
    sites: Mapping[str, Mapping[str, Any]]
    datasets: tuple[Size, ...]
    metrics: Mapping[str, Any]
    release: Mapping[str, Any]
    rules: str  # first line that says something
    sheets: tuple[Sheet, ...]
    certificates: tuple[Certificate, ...]
    drills: tuple[Drill, ...]

    @property
    def verified_by(self) -> list[Certificate]:
        return certificates.verified_by(self.certificates, self.outputs)


def facts() -> Facts:
    """The facts of the repository in the current folder. Raises SenguError if it has no lock file, or params.yaml is wrong."""
    document = params.document()
    locked = comparing.stages(Path())
    outs = [_size(out) for stage in locked.values() for out in stage.get("outs", [])]
    return Facts(
        project={key: value for key, value in document.get("project", {}).items() if value},
        origin=ask("remote", "get-url", "origin"),
        remote=remote(),
        outputs=comparing.digest(locked),
        sizes=tuple(outs),
        sites=document.get("sites", {}),
        datasets=tuple(size for size in outs if size.path.startswith(f"{places.DATASETS}/")),
        metrics=json.loads(METRICS.read_text(encoding="utf-8")) if METRICS.is_file() else {},
        release=document.get("export", {}),
        rules=_first_words(RULES),
        sheets=tuple(Sheet(path.name, _rows(path)) for path in sorted(places.LABELS.glob("*.csv"))),
        certificates=tuple(certificates.read_all()),
        drills=tuple(drills()),
    )


def remote() -> str:
    """Name and url of the default remote as .dvc/config, which Git tracks, has them; empty text if there is none."""
    name = ask("config", "--file", ".dvc/config", "core.remote")
    return f"{name} {url}" if (url := ask("config", "--file", ".dvc/config", f"'remote \"{name}\"'.url")) else ""


def unpushed() -> list[str]:
    """The stages and files whose objects the default remote lacks, asked one by one. Raises OSError if it cannot be reached."""
    from dvc.repo import Repo

    with Repo() as repo:
        missing = []
        for odb, objects in repo.used_objs(push=True).items():
            there = odb or repo.cloud.get_remote_odb()
            oids = {obj.value: obj for obj in objects}
            known = set(there.oids_exist(list(oids)))
            missing += [obj.obj_name or oid for oid, obj in oids.items() if oid not in known]
        return sorted(missing)


def uncommitted(*paths: str) -> list[str]:
    """What Git says is changed or untracked below the paths."""
    return [line[3:] for line in subprocess_lines("git", "status", "--porcelain", "--untracked-files=all", "--", *paths)]


def subprocess_lines(*command: str) -> list[str]:
    """Lines as printed: `git status` says something by a blank at the begin of one."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()


def _size(out: Mapping[str, Any]) -> Size:
    return Size(out["path"], int(out.get("size", 0)), int(out.get("nfiles", 1)))


def _first_words(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return next((line.lstrip("# ").strip() for line in lines if line.strip("# ")), "")


def _rows(path: Path) -> int:
    return max(sum(1 for _ in csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))) - 1, 0)


def spider(site: Mapping[str, Any]) -> str:
    """What walks a site, and from where."""
    fetch = site.get("fetch", {})
    if "source" not in fetch:
        return "archived only"
    places_of = fetch.get("start") or fetch.get("folder") or fetch.get("url") or fetch.get("files") or ""
    start = ", ".join(map(str, places_of)) if isinstance(places_of, list) else str(places_of)
    kind = f"crawlers/spiders/{fetch['spider']}.py" if fetch.get("spider") else fetch["source"]
    return f"{kind}: {start}"
