"""The repository and its remote -> one screen: each gap with the command that closes it, and who has tried to take over."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from sengu.base.errors import SenguError
from sengu.base.names import counted
from sengu.commands.handover.facts import RULES, Facts, gather, uncommitted, unmade, unpushed
from sengu.repository import comparing, pins, pipeline
from sengu.repository.git import ask
from sengu.reruns.rerunning import first_bad

LONGEST = 3  # names in a line


@dataclass(frozen=True)
class Gap:
    """A gap, and the command, or the line to write, that closes it.

    A gap that `blocks` prevents the document: a successor could not even begin, or would begin with something else.
    """

    what: str
    cure: str
    blocks: bool = True


def gaps(facts: Facts) -> Iterator[Gap]:
    """Gaps that a successor would meet, the facts first; looks into Git and asks the remote."""
    for key, example in (("purpose", "what the classifier is for"), ("contact", "who answers, and how")):
        if not facts.project.get(key):
            yield Gap(f"no {key}: params.yaml has no project.{key}", f"write `project: {{ {key}: {example} }}` into params.yaml")
    if not facts.project.get("repository"):
        cure = "write `project: { repository: URL }` into params.yaml"
        yield Gap("no address of the repository: params.yaml has no project.repository", cure, False)
    if facts.broken_tree:
        yield Gap(f"the family tree of the dataset versions is broken: {facts.broken_tree}", f"correct {pipeline.DATASETS}")
    if not facts.rules:
        yield Gap(f"no annotation rules: {RULES} says nothing", f"write {RULES}")
    if not facts.origin:
        yield Gap(
            "Git has no origin: nobody can clone it", "git remote add origin URL && git push --all && git push --tags", False
        )
    elif unshared := ask("log", "--oneline", "HEAD", "--not", "--remotes").splitlines():
        yield Gap(
            f"on this machine only: {counted(len(unshared), 'commit')}", "git push", False
        )  # the document's own commit will be one
    if not facts.remote:
        yield Gap("DVC has no default remote: the data is on this machine only", "sengu remote init s3://BUCKET/PREFIX", False)
    elif "://" not in facts.remote:
        cure = "sengu remote init s3://BUCKET/PREFIX && git commit --all && dvc push --all-branches --all-tags"
        yield Gap(f"the remote ({facts.remote}) is a folder of this machine", cure, False)
    if stale := outdated():
        yield Gap(f"made of inputs that have changed since: {_some(stale)}", "dvc repro && git commit --all && dvc push")
    with pins.repository() as repo:
        if names := unmade(repo):
            yield Gap(f"{counted(len(names), 'output')} never made: {_some(names)}", "dvc repro && git commit --all")
        yield from _local_gaps()
        yield from _unpushed(repo)
    if not facts.verified_by:
        what, blocks = unverified(facts)
        yield Gap(what, "sengu handover verify && git add reports/certificates && git commit", blocks)


def unverified(facts: Facts) -> tuple[str, bool]:
    """The gap left by outputs that no machine has rerun in full, and whether no rerun has ever succeeded."""
    if facts.attested:
        return "only the stages before training were rerun to these outputs (--quick)", False
    if any(first_bad(certificate.rows) is None for certificate in facts.certificates):
        return "the outputs changed since the last verified rerun", False
    return "these outputs were never verified", True


def missing(facts: Facts) -> list[Gap]:
    """The gaps that prevent the document."""
    return [gap for gap in gaps(facts) if gap.blocks]


def _local_gaps() -> Iterator[Gap]:
    if labels := uncommitted("labels", "tombstones.csv"):
        yield Gap(f"labels are not committed: {_some(labels)}", "git add labels tombstones.csv && git commit")
    if pinned := uncommitted("dvc.lock", "datasets", "dvc.yaml", "params.yaml", ".dvc/config"):
        yield Gap(f"what pins the data is not committed: {_some(pinned)}", "dvc repro && git commit --all")


def _unpushed(repo: Any) -> Iterator[Gap]:
    try:
        names = unpushed(repo)
    except Exception as error:  # noqa: BLE001 - each kind of remote fails in its own way, and the user needs to see which
        text = " ".join(str(error).split())
        yield Gap(f"the remote cannot be asked ({text or type(error).__name__})", "dvc pull, which says why")
        return
    if names:
        yield Gap(f"not in the remote: {counted(len(names), 'object')}: {_some(names)}", "dvc push")


def outdated() -> list[str]:
    """The stages whose locked inputs are not the locked outputs of the stages before them, but of frozen versions.

    A run of some stages alone, or a commit of some files, leaves such: a release of another model than the metrics measure.
    """
    locked = comparing.stages(Path())
    versions = pipeline.versions() if pipeline.DATASETS.is_file() else {}
    frozen = {f"datasets:{name}" for name, stage in versions.items() if stage.get("frozen")}
    made = {path: value for (_, path), value in comparing.pinned(locked).items()}
    return [
        name
        for name, stage in locked.items()
        if name not in frozen
        and any(dep["path"] in made and made[dep["path"]] != comparing.hash_of(dep) for dep in stage.get("deps", []))
    ]


def _some(names: list[str]) -> str:
    return ", ".join(names[:LONGEST]) + (f" and {len(names) - LONGEST} more" if len(names) > LONGEST else "")


def screen(facts: Facts, open_gaps: list[Gap], mark: Callable[[bool], str]) -> str:
    """The whole screen as text."""
    answer = f"Not yet: {counted(len(open_gaps), 'gap')}." if open_gaps else "Yes."
    lines = [f"Could you leave tomorrow? {answer}", ""]
    for gap in open_gaps:
        lines += [f"{mark(False)} {gap.what}", f"      {gap.cure}"]
    machines = facts.verified_by
    if machines:
        latest = max(machines, key=lambda certificate: certificate.when)
        lines += [f"{mark(True)} verified by {counted(len(machines), 'machine')}, last by {latest.who} on {latest.when[:10]}"]
    lines += ["", "A successor (somebody but the first author) has"]
    for drill in facts.drills:
        if drill.who:
            lines.append(f"{mark(True)} {drill.name:20} {drill.who}, {drill.when}")
        else:
            lines.append(f"     {drill.name:20} nobody yet: {drill.command}")
    return "\n".join(lines)


def _marked(done: bool) -> str:
    return "ok  " if done else "gap "


@click.command("status")
def command() -> None:
    """Show what a successor would miss, and the command that closes each gap; exit with 1 while there is any."""
    facts = gather()
    open_gaps = list(gaps(facts))
    click.echo(screen(facts, open_gaps, _marked))
    if open_gaps:
        raise SenguError(counted(len(open_gaps), "gap"))
