"""`sengu arrive`: crawl what is stale, rerun, push, check; and ten lines of what is new. For a timer, a container, a workflow."""

import csv
import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import click

from sengu.base import params
from sengu.base.errors import SenguError
from sengu.base.names import counted
from sengu.commands import crawl, places
from sengu.commands.handover.facts import METRICS, unpushed
from sengu.repository import dvc_lock, pins

STALE = "1d"
UNDONE = "`dvc repro` left stages undone"


@dataclass(frozen=True)
class Snapshot:
    """Counts at one moment: objects and rejected captures by site, labels by class, and the rest."""

    objects: Counter[str] = field(default_factory=Counter)
    rejected: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    conflicts: int = 0
    duplicates: int = 0
    accuracy: float | None = None
    bytes: int = 0  # that dvc.lock pins

    @property
    def wanted(self) -> int:
        """The number of objects that nobody has labelled."""
        return max(sum(self.objects.values()) - sum(self.labels.values()), 0)

    def share(self, value: str) -> float:
        total = sum(self.labels.values())
        return self.labels[value] / total if total else 0.0


def snapshot() -> Snapshot:
    """Reads the tables of the line; those that are not there yet count as empty."""
    outs = [out for stage in dvc_lock.stages().values() for out in stage.get("outs", [])]
    return Snapshot(
        objects=Counter({path.stem: _rows(path) for path in sorted(places.INDEX.glob("*.csv"))}),
        rejected=sum(_rows(path) for path in places.REJECTED.glob("*.csv")),
        labels=_classes(places.LABEL),
        conflicts=_rows(places.CONFLICTS),
        duplicates=_rows(places.DUPLICATES),
        accuracy=_accuracy(),
        bytes=sum(int(out.get("size", 0)) for out in outs),
    )


def news(old: Snapshot, new: Snapshot, crawled: list[crawl.Crawled], checked: str, undone: bool = False) -> list[str]:
    """Ten lines: new objects, those without a label, changes of the class mix, and the size of the data."""
    failed = [result.site for result in crawled if result.status]
    by_site = {site: new.objects[site] - old.objects[site] for site in sorted({*old.objects, *new.objects})}
    values = sorted({*old.labels, *new.labels})
    drift = sum(abs(new.share(value) - old.share(value)) for value in values) / 2
    mix = ", ".join(f"{value}: {new.share(value):.1%} ({new.share(value) - old.share(value):+.1%})" for value in values)
    accuracy = "not measured" if new.accuracy is None else f"{new.accuracy:.4f}"
    before = "" if old.accuracy is None else f" (before: {old.accuracy:.4f})"
    return [
        f"sites: {len(crawled) - len(failed)} crawled"
        + (f", failed: {', '.join(failed)}" if failed else "")
        + (f"; {UNDONE}" if undone else ""),
        f"objects: {sum(by_site.values()):+d}, now {sum(new.objects.values())}",
        f"by site: {', '.join(f'{site} {count:+d}' for site, count in by_site.items() if count) or 'nothing new'}",
        f"rejected: {new.rejected - old.rejected:+d}, now {new.rejected}",
        f"objects with near-duplicates: {new.duplicates - old.duplicates:+d}, now {new.duplicates}",
        f"objects without a label: {new.wanted}; `sengu suggest` says which to label first",
        f"label conflicts: {new.conflicts - old.conflicts:+d}, now {new.conflicts}",
        f"class mix: {mix or 'no labels'}; drift {drift:.1%}",
        f"accuracy: {accuracy}{before}",
        f"pinned: {(new.bytes - old.bytes) / 1e6:+.1f} MB, now {new.bytes / 1e6:.1f} MB; {checked}",
    ]


def arrive(stale: str, push: bool = True) -> tuple[list[str], list[crawl.Crawled], bool]:
    """Crawls, reruns, pushes and checks; returns the ten lines, how the crawls ended, and whether stages were left undone.

    Raises SenguError if rerunning, pushing or checking fails. A site that was never crawled and fails now has no tables, so its
    stages fail again in `dvc repro`; all others run.
    """
    old = snapshot()
    chosen = crawl.choose((), every=True, stale=stale)
    crawled = crawl.crawl(chosen) if chosen else []
    undone = False
    if any(result.status for result in crawled):
        command = ["dvc", "repro", "--keep-going"]
        undone = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode != 0
    else:
        _run("dvc", "repro")
    checked = "not pushed"
    if push:
        _run("dvc", "push")
        checked = _checked()
    return news(old, snapshot(), crawled, checked, undone), crawled, undone


def _checked() -> str:
    """Asks the remote for every object, by `sengu remote check`."""
    from sengu.commands.main import COMMANDS

    if "remote" in COMMANDS:
        _run(sys.executable, "-m", "sengu.commands.main", "remote", "check")
        return "pushed and checked; `sengu remote report` shows the cost"
    with pins.repository() as repo:
        missing = unpushed(repo)
    if missing:
        raise SenguError(f"{counted(len(missing), 'object')} did not arrive in the remote, such as {missing[0]}: run `dvc push`")
    return "pushed, every object is there"


def _run(*command: str) -> None:
    if status := subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode:
        raise SenguError(
            f"`{' '.join(command)}` failed with exit status {status}, see above: nothing is lost; "
            "correct the cause and run `sengu arrive` again"
        )


def _accuracy() -> float | None:
    if not METRICS.is_file():
        return None
    value = json.loads(METRICS.read_text(encoding="utf-8")).get("network", {}).get("accuracy", {}).get("value")
    return float(value) if value is not None else None


def _rows(path: Path) -> int:
    if not path.is_file():
        return 0
    with path.open(encoding="utf-8", newline="") as stream:
        return max(sum(1 for _ in csv.reader(stream)) - 1, 0)


def _classes(path: Path) -> Counter[str]:
    if not path.is_file():
        return Counter()
    classes = params.section("label", params.LabelParams).classes if "label" in params.document() else ()
    names = {str(value): name for value, name in enumerate(classes)}
    with path.open(encoding="utf-8", newline="") as stream:
        return Counter(names.get(row["value"], row["value"]) for row in csv.DictReader(stream))


@click.command("arrive")
@click.option(
    "--stale",
    default=STALE,
    show_default=True,
    metavar="AGE",
    help="Crawl only sites last crawled at least this long ago, such as 12h, 7d or 2w.",
)
@click.option("--no-push", is_flag=True, help="Leave the remote alone.")
def command(stale: str, no_push: bool) -> None:
    """Crawl, rerun, push, check, and report in ten lines; exit with 1 if a site failed, after everything else is done."""
    lines, crawled, undone = arrive(stale, not no_push)
    click.echo("\n".join(lines))
    try:
        crawl.refuse_failures(crawled)
    except SenguError as error:
        raise SenguError(f"{error}{f'; {UNDONE}, see above' if undone else ''}") from error
