"""Old versions in the bucket -> overwritten and deleted objects as they were."""

from datetime import UTC, datetime

import click

from sengu.base.errors import SenguError
from sengu.base.names import counted
from sengu.remote import restoring
from sengu.remote.findings import aligned
from sengu.remote.project import Project
from sengu.remote.s3 import S3Store


@click.command("restore")
@click.option("--remote", "name", default="", help="A remote; by default the default one.")
@click.option("--at", "time", default="", help="The state at this time: 2026-11-27 or 2026-11-27T12:00, in UTC.")
@click.option("--dry-run", is_flag=True, help="Only list the objects; restore nothing.")
def command(name: str, time: str, dry_run: bool) -> None:
    """Make old versions current again if a pinned object was overwritten or deleted; other keys stay the same.

    This needs a bucket that keeps versions (`sengu remote apply`). Erased objects do not come back.
    """
    until = restoring.moment(time) if time else float("inf")
    project = Project.here(name)
    store = project.stores[0]
    if not isinstance(store, S3Store) or not store.keeps_versions:
        raise SenguError(f"{store.remote.url} keeps no versions: `sengu remote heal` looks for copies elsewhere")
    pinned, _ = project.pins()
    planned = restoring.plan(store.versions(), project.pins_of(store, pinned), until)
    done = planned if dry_run else list(restoring.restore(store, planned))
    rows = [
        ("was", "path", "as of", "object"),
        *((restored.what, min(restored.pin.paths), _utc(restored.version.modified), restored.oid) for restored in done),
    ]
    if done:
        click.echo(aligned(rows))
    click.echo(
        f"{counted(len(done), 'object')} {'would be ' if dry_run else ''}restored; `sengu remote check` says what is left",
        err=True,
    )


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
