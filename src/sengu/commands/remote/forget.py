"""MD5s of erased files -> gone from every remote, with all versions; the published catalogue goes, too."""

import click

from sengu.base.errors import SenguError
from sengu.base.names import counted
from sengu.base.tables import tombstones
from sengu.remote import catalog, configuration, pins
from sengu.remote.checking import store_of


@click.command("forget")
@click.argument("md5s", metavar="MD5…", nargs=-1, required=True)
def command(md5s: tuple[str, ...]) -> None:
    """Delete erased files from every remote for good, with old versions; `sengu objects erase` prints this command.

    It deletes only files that tombstone_files.csv lists. It removes the catalogue and its contact sheets in all versions;
    `sengu remote catalog` makes them again.
    """
    listed = tombstones.erased_files()
    unlisted = [md5 for md5 in md5s if md5 not in listed]
    if unlisted:
        raise SenguError(f"{unlisted[0]} is not in {tombstones.FILES}: only `sengu objects erase` says what is to be forgotten")
    still = {output.oid for output in pins.outputs(pins.Ref(pins.HERE, "tree"))} & set(md5s)
    if still:
        raise SenguError(f"dvc.lock still pins {min(still)}: run `dvc repro`, commit, and try again")
    for remote in configuration.remotes().values():
        if not (remote.is_s3 or remote.is_folder):
            click.echo(f"remote {remote.name!r} is {remote.url}: delete there, with its own tool: {' '.join(md5s)}", err=True)
            continue
        if remote.is_folder and not remote.folder.is_dir():
            click.echo(
                f"remote {remote.name!r} is {remote.url}, which is not here: forget there, too, as soon as it is", err=True
            )
            continue
        store = store_of(remote)
        gone = store.forget(md5s)
        names = catalog.published(store)
        store.withdraw(names)
        click.echo(f"{remote.name}: {counted(gone, 'file version')} deleted, {len(names)} of the catalogue")
        if names:
            click.echo("publish the catalogue anew with `sengu remote catalog`", err=True)
