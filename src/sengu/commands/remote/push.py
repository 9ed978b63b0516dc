"""The data that is pinned here -> every remote that counts, checked, with a catalogue."""

import subprocess
import sys

import click

from sengu.base.errors import SenguError
from sengu.base.names import counted
from sengu.commands.remote import check
from sengu.commands.remote.catalog import publish
from sengu.commands.remote.heal import archives_of_erased
from sengu.remote import configuration
from sengu.remote.checking import Store
from sengu.remote.findings import MISSING, Finding
from sengu.remote.healing import Sources, heal
from sengu.remote.project import Project


@click.command("push")
@click.option("--catalog/--no-catalog", "explains", default=True, help="Publish the catalogue, too.")
def command(explains: bool) -> None:
    """Run `dvc push` to every remote that counts, check them, and publish the catalogue; exit with 1 if an object is missing.

    The check finds objects that `dvc push` wrongly considers up to date; `sengu remote heal` then puts them back.
    """
    configuration.set_up()
    default = configuration.default()
    if default.is_folder:
        default.folder.mkdir(parents=True, exist_ok=True)
    project = Project.here()
    for name in ["", *project.settings.further]:
        _dvc("push", *(["--remote", name] if name else []))
    project = Project.here()
    for store in project.stores:
        if store.remote.name in project.settings.further:
            _copy_owned(project, store)
    complete = check.report(project, project.check(None))
    if explains:
        publish(project)
    if not complete:
        click.echo("put back what is missing with `sengu remote heal`", err=True)
        sys.exit(1)


def _copy_owned(project: Project, store: Store) -> None:
    """Sends a further remote the outputs that have a remote of their own, which `dvc push --remote` leaves out."""
    pinned, _ = project.pins()
    present = {stored.oid for stored in store.objects()}
    owned = [pin for oid, pin in pinned.items() if oid not in present and pin.remotes - {"", store.remote.name}]
    if not owned:
        return  # healing reads older versions, which needs rights that pushing does not
    others = [other for other in project.stores if other is not store]
    sources = Sources(project.cache, others, project.erased, archives_of_erased(project))
    missing = [Finding(MISSING, pin.oid, store.remote.name, pin) for pin in owned]
    sent = sum(bool(outcome.source) for outcome in heal(store, missing, sources))
    if sent:
        click.echo(f"{store.remote.name}: {counted(sent, 'object')} with a remote of their own", err=True)


def _dvc(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "dvc", *arguments], check=False)
    if done.returncode:
        raise SenguError(f"`dvc {' '.join(arguments)}` failed, as it says above: correct that, and run it again")
