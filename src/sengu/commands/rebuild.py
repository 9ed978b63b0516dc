"""`sengu rebuild`: the newest versions of all libraries -> everything rerun, the changes, and the package at fault."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from sengu.base import working
from sengu.base.atomic import replaced_file
from sengu.base.errors import SenguError
from sengu.repository.git import ask, git
from sengu.reruns import bisection, libraries, rerunning, variations
from sengu.reruns.bisection import Guilty, Trial, Versions
from sengu.reruns.clones import Clone, temporary_clone
from sengu.reruns.rerunning import Rerun, Row, first_bad
from sengu.reruns.steps import Step, sites_of, steps

LOG = working.ROOT / "rebuild.log"
REPORT = Path("reports/rebuild.md")
REQUIREMENTS, PYPROJECT = Path("requirements.txt"), Path("pyproject.toml")
METRICS = Path("reports/metrics.json")
COMMITTED = ("requirements.txt", "pyproject.toml", "dvc.lock", "datasets/dvc.lock", "reports")

logger = logging.getLogger("rebuild")


@dataclass(frozen=True)
class Metric:
    """A metric with its 95% interval before, and its value now."""

    name: str
    old: float
    low: float
    high: float
    new: float

    @property
    def is_within(self) -> bool:
        return self.low <= self.new <= self.high


@dataclass(frozen=True)
class Rebuilt:
    """The result of a rebuild; `branch` is "" unless it is ready for review."""

    packages: tuple[tuple[str, str, str], ...]
    rows: tuple[Row, ...]
    metrics: tuple[Metric, ...]
    guilty: Guilty | None = None
    branch: str = ""

    @property
    def is_good(self) -> bool:
        """True if every stage ran, and every metric is within its previous interval."""
        return all(row.state != "failed" for row in self.rows) and all(metric.is_within for metric in self.metrics)


def rebuild(source: Path) -> Rebuilt:
    """Rebuilds HEAD of the repository in `source`. Raises SenguError if no newest set can be resolved or installed."""
    with temporary_clone(source, "HEAD", source / LOG) as clone:
        base = clone.folder.parent
        variations.write_hook(base / "hook")
        clone.must_run("dvc", "pull")
        old = libraries.versions((clone.folder / REQUIREMENTS).read_text(encoding="utf-8"))
        pyproject = clone.folder / PYPROJECT
        exact = pyproject.read_text(encoding="utf-8")
        pyproject.write_text(libraries.loosened(exact), encoding="utf-8")
        lock = libraries.compile_newest(pyproject)
        new = libraries.versions(lock)
        logger.info("%d packages in other versions; see %s", len(bisection.changed(old, new)), LOG)
        newest = _with(clone, libraries.make(base / "newest", new), clone.folder)
        before = _metrics(clone.folder)
        pinned = rerunning.pins(clone.folder)
        rows = list(Rerun(newest, pinned, base / "hook", base / "before", hands_on=True).rows(_steps(clone), varied=False))
        metrics = compared(before, _metrics(clone.folder))
        result = Rebuilt(tuple(libraries.table(old, new)), tuple(rows), tuple(metrics))
        if result.is_good:
            (clone.folder / REQUIREMENTS).write_text(lock, encoding="utf-8")
            pyproject.write_text(libraries.repinned(exact, new), encoding="utf-8")
            return replace(result, branch=_branch(source, clone, report(result)))
        bad = next((row for row in rows if row.state == "failed"), None) or first_bad(rows)
        if bad is None or old == new:
            return result
        return replace(result, guilty=_guilty(source, bad.stage, old, new))


def _with(clone: Clone, programs: Path, project: Path) -> Clone:
    libraries.install_project(programs, project)
    return replace(clone, programs=programs)


def _steps(clone: Clone) -> list[Step]:
    """All stages except the crawls, whose archives are the source of a rebuild."""
    return [
        step.without("the archive is the source") if step.name.partition("@")[0] == "crawl" else step
        for step in steps(clone.folder, sites_of(clone.folder))
    ]


def _guilty(source: Path, stage: str, old: Versions, new: Versions) -> Guilty:
    """The package whose newer version makes a stage fail or change its outputs; each set is tried in its own clone."""

    def is_good(wanted: Versions) -> bool | None:
        with temporary_clone(source, "HEAD", source / LOG) as clone:
            base = clone.folder.parent
            variations.write_hook(base / "hook")
            try:
                tried = _with(clone, libraries.make(base / "tried", wanted), clone.folder)
            except SenguError as error:
                logger.info("skipped: %s", error)
                return None
            clone.must_run("dvc", "pull")
            again = Rerun(tried, rerunning.pins(clone.folder), base / "hook", base / "before", hands_on=True)
            chosen = [step for step in _steps(clone) if step.name == stage]
            return all(row.state == "same" for row in again.rows(chosen, varied=False))

    def at(day: date) -> Versions | None:
        try:
            return libraries.versions(libraries.compile_newest(loose, day))
        except SenguError as error:
            logger.info("no set of %s: %s", day, error)
            return None

    loose = (source / working.ROOT / "rebuild" / PYPROJECT).resolve()
    with replaced_file(loose) as partial:
        partial.write_text(libraries.loosened((source / PYPROJECT).read_text(encoding="utf-8")), encoding="utf-8")
    first = date.fromisoformat(ask("log", "-1", "--format=%cs", "--", str(REQUIREMENTS)) or "1970-01-01")
    return bisection.find_by_date(old, new, (first, datetime.now(UTC).date()), at, Trial(is_good))


def _metrics(folder: Path) -> dict[str, Any]:
    path = folder / METRICS
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def compared(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[Metric]:
    """Every metric that had an interval and still exists."""
    lines = []
    for name, value in old.items():
        there = new.get(name)
        if isinstance(value, dict) and isinstance(there, dict):
            if {"value", "low", "high"} <= value.keys() and "value" in there:
                lines.append(Metric(f"{prefix}{name}", value["value"], value["low"], value["high"], there["value"]))
            else:
                lines += compared(value, there, f"{prefix}{name}.")
    return [metric for metric in lines if None not in (metric.old, metric.low, metric.high, metric.new)]


def _branch(source: Path, clone: Clone, text: str) -> str:
    """Commits the new lock files in the clone, and fetches them into a branch of the source; the outputs go into its cache."""
    name = f"rebuild/{datetime.now(UTC):%Y-%m-%d}"
    (clone.folder / REPORT).parent.mkdir(exist_ok=True)
    (clone.folder / REPORT).write_text(text, encoding="utf-8")
    clone.must_run("git", "checkout", "--quiet", "-B", name)
    clone.must_run("git", "add", "--force", "--", str(REPORT))  # Git ignores it elsewhere
    clone.must_run("git", "add", "--", *(path for path in COMMITTED if (clone.folder / path).exists()))
    who = ask("config", "user.name") or "sengu", ask("config", "user.email") or "sengu@localhost"
    roles = ("AUTHOR", "COMMITTER")
    identity = {f"GIT_{role}_{key}": value for role in roles for key, value in zip(("NAME", "EMAIL"), who, strict=True)}
    clone.must_run("git", "commit", "--quiet", "--allow-empty", "--message", "Newest libraries", extra=identity)
    clone.must_run("dvc", "push")
    git("-C", str(source), "fetch", "--quiet", str(clone.folder), f"+{name}:{name}")
    return name


def report(result: Rebuilt) -> str:
    """The changes as Markdown: dependencies, stages with the first output that differs, metrics."""
    lines = ["# Rebuilt with the newest libraries", "", f"{len(result.packages)} packages differ.", ""]
    lines += ["| package | before | now |", "| --- | --- | --- |", *(f"| {' | '.join(row)} |" for row in result.packages)]
    lines += ["", "| stage | result | seconds | first difference |", "| --- | --- | --- | --- |"]
    lines += [f"| {row.stage} | {row.state} | {row.seconds:.1f} | {row.why.replace('|', '/')} |" for row in result.rows]
    moved = [metric for metric in result.metrics if metric.new != metric.old]
    lines += ["", f"Of {len(result.metrics)} metrics with an interval, {len(moved)} have another value."]
    if moved:
        lines += ["", "| metric | before | 95% interval | now | |", "| --- | --- | --- | --- | --- |"]
        lines += [
            f"| {m.name} | {m.old} | {m.low} to {m.high} | {m.new} | {'within' if m.is_within else '**outside**'} |"
            for m in moved
        ]
    if result.guilty:
        lines += ["", f"Guilty: {_in_words(result.guilty)}."]
    return "\n".join(lines) + "\n"


def _in_words(guilty: Guilty) -> str:
    between = f"; the change appeared between {guilty.between[0]} and {guilty.between[1]}" if guilty.between else ""
    return f"{' or '.join(guilty.packages)} ({guilty.tried} environments tried{between})"


@click.command("rebuild")
@click.option("--latest", is_flag=True, required=True, help="With the newest versions of all libraries.")
def command(latest: bool) -> None:
    """Rerun everything with the newest libraries, in a separate environment; nothing here changes.

    If all stages run and all metrics stay within their intervals, there is a branch to review; else it names the guilty package.
    """
    result = rebuild(Path())
    text = report(result)
    with replaced_file(REPORT) as partial:
        partial.write_text(text, encoding="utf-8")
    click.echo(text)
    if not result.is_good:
        what = f"; guilty: {_in_words(result.guilty)}" if result.guilty else ""
        raise SenguError(f"the newest libraries do not reproduce this project{what}; see {REPORT} and {LOG}")
    click.echo(f"ready for review: git diff HEAD...{result.branch}")
