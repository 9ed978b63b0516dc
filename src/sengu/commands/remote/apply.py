"""The changes that `plan` shows -> made in the bucket, and read back."""

import sys

import click

from sengu.base.errors import SenguError
from sengu.commands.remote.plan import ignored, planned


@click.command("apply")
@click.option("--remote", "name", default="", help="A remote; by default the default one.")
def command(name: str) -> None:
    """Set the bucket as remote.bucket in params.yaml says; exit with 1 if the store ignores or refuses a setting.

    Other settings, such as further lifecycle rules, stay the same.
    """
    store, changes, refused = planned(name)
    failed = []
    for change in changes:
        try:
            store.set(change.setting, change.value)
        except SenguError as error:
            failed.append(f"{change.setting}: {error}")
            continue
        click.echo(f"told the store to {change.says}")
    kept = store.settings()
    done = [change for change in changes if not any(line.startswith(f"{change.setting}:") for line in failed)]
    lost = ignored(done, kept)
    for line in failed:
        click.echo(f"the store refused {line}", err=True)
    for line in lost:
        click.echo(f"the store accepted, but does not keep, {line}: it does not support this; see docs/remote.md", err=True)
    for line in refused:
        click.echo(f"refused: {line}", err=True)
    if not changes:
        click.echo(f"{store.remote.url} is as params.yaml says")
    if failed or lost or refused:
        sys.exit(1)
