"""Objects that no known branch or tag pins -> listed with their size, and deleted after a typed confirmation."""

import time

import click

from sengu.base.errors import SenguError
from sengu.base.names import counted
from sengu.remote import pins
from sengu.remote.bills import human
from sengu.remote.findings import aligned
from sengu.remote.pins import Output
from sengu.remote.project import Project
from sengu.remote.pruning import Needed, last_versions, leftovers

SHOWN = 50


@click.command("prune")
@click.option("--remote", "name", default="", help="A remote; by default the default one.")
@click.option("--dry-run", is_flag=True, help="Only list the objects; delete nothing.")
@click.option("--all", "shows_all", is_flag=True, help="Also list objects that stay, and why.")
@click.option("--final", is_flag=True, help="Delete even from a remote without versions, where nothing brings objects back.")
def command(name: str, dry_run: bool, shows_all: bool, final: bool) -> None:
    """Delete objects that no known branch, tag or experiment pins; run `git fetch` first, so that this clone knows them all.

    It keeps the last version of what cannot be made again, and everything younger than remote.retention in params.yaml. A
    bucket with versions keeps deleted objects for remote.bucket.keep_versions days: `sengu remote restore` brings them back
    when the branch that pins them is here.
    """
    if pins.is_shallow():
        raise SenguError("this clone is shallow, so it does not know what is pinned: run `git fetch --unshallow --tags --all`")
    project = Project.here(name)
    store = project.stores[0]
    needed, unknown = pins.pinned([*pins.refs(experiments=True)], project.listings)
    if unknown:
        unlisted = f"{counted(len(unknown), 'folder')} could not be checked"
        raise SenguError(f"{unlisted}, because the list of files is in neither the cache nor a remote: run `sengu remote heal`")
    commits = [pins.outputs(ref) for ref in pins.history()]
    past, _ = pins.pinned(pins.history(), project.listings)
    history = {
        oid: [Output(oid, path, pin.stage, pin.size, pin.is_irreplaceable) for path in pin.paths] for oid, pin in past.items()
    }
    last = last_versions(commits)
    last |= {oid for oid, pin in past.items() if any(_is_below(path, past, last) for path in pin.paths) and pin.is_irreplaceable}
    present = {stored.oid: stored for stored in store.objects()}
    unpinned = leftovers(present, Needed(needed, history, last), project.settings.retention, time.time())
    doomed = [leftover for leftover in unpinned if not leftover.keep]
    listed = unpinned if shows_all else doomed
    if listed:
        rows = [("size", "path in history", "object", "stays because")]
        rows += [
            (human(leftover.stored.size), leftover.path or "-", leftover.stored.oid, leftover.keep) for leftover in listed[:SHOWN]
        ]
        click.echo(aligned(rows))
    size = sum(leftover.stored.size for leftover in doomed)
    more = f" (the first {SHOWN} are shown)" if len(listed) > SHOWN else ""
    click.echo(
        f"{counted(len(doomed), 'object')} of {human(size)} may go, {len(unpinned) - len(doomed)} stay for now{more}", err=True
    )
    if dry_run or not doomed:
        return
    if not store.keeps_versions and not final:
        kept = f"{store.remote.url} keeps no old versions, so the deletion could not be undone"
        raise SenguError(f"{kept}: add `--final` to delete anyway")
    answer = click.prompt(f"Type {len(doomed)} to delete them from {store.remote.url}", default="", show_default=False)
    if answer.strip() != str(len(doomed)):
        raise SenguError(f"nothing was deleted: {answer!r} was typed, not {len(doomed)}")
    for leftover in doomed:
        store.delete(leftover.stored.oid)
    click.echo(f"{counted(len(doomed), 'object')} deleted")


def _is_below(path: str, past: dict[str, pins.Pin], last: set[str]) -> bool:
    """True for a file of a folder whose last version must stay."""
    return any(path.startswith(f"{folder}/") for oid in last if oid in past for folder in past[oid].paths)
