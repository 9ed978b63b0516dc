"""Paths of cold objects -> requests to restore them."""

import time

import click

from sengu.base.errors import SenguError
from sengu.base.names import counted
from sengu.remote.findings import aligned
from sengu.remote.project import Project
from sengu.remote.s3 import S3Store
from sengu.remote.stored import COLD

HOURS = {
    "GLACIER": {"Expedited": "minutes", "Standard": "3 to 5 hours", "Bulk": "5 to 12 hours"},
    "DEEP_ARCHIVE": {"Standard": "12 hours", "Bulk": "48 hours"},
}
PAUSE = 60.0  # seconds between two looks while waiting


@click.command("thaw")
@click.argument("paths", metavar="PATH…", nargs=-1, required=True)
@click.option("--remote", "name", default="", help="A remote; by default the default one and those of remote.further.")
@click.option("--wait", is_flag=True, help="Wait until all objects are readable.")
@click.option("--every", default=PAUSE, show_default=True, help="Seconds between two looks.")
def command(paths: tuple[str, ...], name: str, wait: bool, every: float) -> None:
    """Request a restore of the cold objects at or below PATH, and say when you can pull them.

    remote.thaw_days and remote.thaw_tier in params.yaml say for how long and how fast.
    """
    project = Project.here(name)
    pinned, _ = project.pins()
    places = {oid: path for oid, pin in pinned.items() for path in pin.paths if _is_at(path, paths)}
    if not places:
        raise SenguError(f"nothing pinned lies at {', '.join(paths)}: see `dvc list . --recursive --dvc-only`")
    rows, pending = [("object", "class", "path", "state")], []
    for store in project.stores:
        if not isinstance(store, S3Store):
            continue
        cold = [stored for stored in store.objects() if stored.oid in places and stored.storage_class in COLD]
        for stored in cold:
            if not store.restoring(stored.oid):
                store.thaw(stored.oid, project.settings.thaw_days, project.settings.thaw_tier)
            state = _state(store, stored.oid, stored.storage_class, project.settings.thaw_tier)
            rows.append((stored.oid, stored.storage_class, places[stored.oid], state))
            if not state.startswith("readable"):
                pending.append((store, stored))
    click.echo(aligned(rows) if len(rows) > 1 else "nothing of it is cold")
    while wait and pending:
        pending = [(store, stored) for store, stored in pending if not _is_readable(store, stored.oid)]
        if pending:
            click.echo(f"still cold: {counted(len(pending), 'object')}", err=True)
            time.sleep(every)
    if wait:
        click.echo("everything can be read: `dvc pull`", err=True)


def _is_at(path: str, paths: tuple[str, ...]) -> bool:
    return any(path == place or path.startswith(f"{place.rstrip('/')}/") for place in paths)


def _is_readable(store: S3Store, oid: str) -> bool:
    head = store.head(oid)
    return head is not None and head.storage_class not in COLD


def _state(store: S3Store, oid: str, storage_class: str, tier: str) -> str:
    if _is_readable(store, oid):
        said = store.restoring(oid)
        return f"readable until {said.partition('expiry-date=')[2].strip(chr(34))}" if "expiry-date" in said else "readable"
    hours = HOURS[storage_class].get(tier, "some hours")
    return f"requested; ready in about {hours}: `dvc pull` then, or `sengu remote thaw --wait`"
