"""Missing and damaged objects that `check` finds -> put back from the cache, older versions, another remote, or a rebuild."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from sengu import warc
from sengu.base.names import counted
from sengu.remote import configuration, pins
from sengu.remote.checking import store_of
from sengu.remote.findings import COLD_STATE, aligned
from sengu.remote.healing import Outcome, Sources, heal
from sengu.remote.project import Project
from sengu.remote.rebuilding import rebuilder

ROUNDS = 3  # a restored listing may show more missing objects


@click.command("heal")
@click.option("--remote", "name", default="", help="One remote; by default the default one and those of remote.further.")
@click.option("--rebuild", is_flag=True, help="Rerun, in a clone, the stages of objects without a copy.")
@click.option("--all-commits", is_flag=True, help="Also heal objects that only older commits pin.")
def command(name: str, rebuild: bool, all_commits: bool) -> None:
    """Put back missing and damaged objects, and say from where; exit with 1 if some remain.

    Sources, in this order: the local cache, older versions in the bucket, another remote, a rebuild. Erased objects never come
    back.
    """
    outcomes: dict[tuple[str, str], Outcome] = {}
    for _ in range(ROUNDS):
        project = Project.here(name, all_commits)
        done = _round(project, rebuild, outcomes)
        if not done:
            break
    rows = [("healed from", "remote", "path", "stage")]
    rows += [(o.source, o.finding.remote, min(o.finding.pin.paths), o.finding.pin.stage) for o in outcomes.values() if o.source]
    if len(rows) > 1:
        click.echo(aligned(rows))
    left = [outcome for outcome in outcomes.values() if not outcome.source]
    for outcome in left:
        finding = outcome.finding
        click.echo(f"{finding.state}: {min(finding.pin.paths)} ({finding.worth}): {outcome.why}", err=True)
    click.echo(f"{counted(len(rows) - 1, 'object')} healed, {len(left)} not", err=True)
    if left:
        sys.exit(1)


def _round(project: Project, rebuild: bool, outcomes: dict[tuple[str, str], Outcome]) -> int:
    """Heals the present findings; returns how many objects came back."""
    holds_erased = archives_of_erased(project)
    done = 0
    with tempfile.TemporaryDirectory(prefix="sengu-") as folder:
        for result in project.check(None):
            store = next(store for store in project.stores if store.remote.name == result.remote)
            others = [
                store_of(remote)
                for remote in configuration.remotes().values()
                if remote.name != result.remote and (remote.is_s3 or remote.is_folder) and _is_there(remote)
            ]
            sources = Sources(project.cache, others, project.erased, holds_erased, rebuilder(Path(folder)) if rebuild else None)
            broken = [finding for finding in result.findings if finding.state != COLD_STATE]
            for outcome in heal(store, broken, sources):
                outcomes[result.remote, outcome.finding.oid] = outcome
                done += bool(outcome.source)
    return done


def archives_of_erased(project: Project) -> Callable[[Path], bool]:
    """A function that says whether an archive file holds an erased object."""
    erased = pins.erased_objects(project.refs)
    return lambda path: bool(erased) and bool(warc.holding(path, erased))


def _is_there(remote: configuration.Remote) -> bool:
    return remote.is_s3 or remote.folder.is_dir()
