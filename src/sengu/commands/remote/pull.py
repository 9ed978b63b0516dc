"""The remote and the lock files here -> the data, after a check for cold, missing and damaged objects."""

import subprocess
import sys

import click

from sengu.base.errors import SenguError
from sengu.base.names import counted
from sengu.remote import configuration, findings, pins
from sengu.remote.checking import check
from sengu.remote.findings import COLD_STATE, Finding
from sengu.remote.memory import Memory
from sengu.remote.project import Project


@click.command("pull")
@click.argument("targets", nargs=-1)
def command(targets: tuple[str, ...]) -> None:
    """Run `dvc pull`, with a clear error if the remote is missing, or objects in it are cold, missing or damaged."""
    configuration.set_up()
    project = Project.here()
    project.refs = [pins.Ref(pins.HERE, "tree")]
    pinned, _ = project.pins()
    lacking: list[Finding] = []
    for store in project.stores:
        if store.remote.name not in project.settings.further:
            wanted = {oid: pin for oid, pin in project.pins_of(store, pinned).items() if not project.cache.has(oid)}
            lacking += check(store, wanted, project.cache, Memory(store.remote.name), None).findings
    cold = sorted({min(finding.pin.paths) for finding in lacking if finding.state == COLD_STATE})
    if lacking:
        click.echo(findings.table(lacking), err=True)
    if cold:
        raise SenguError(
            f"{counted(len(cold), 'object')} in cold storage: run `sengu remote thaw {' '.join(cold[:3])}`, and pull later"
        )
    done = subprocess.run([sys.executable, "-m", "dvc", "pull", *targets], check=False)
    if done.returncode or lacking:
        sys.exit(1)
