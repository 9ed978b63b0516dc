"""`sengu dataset check`: the final versions -> proof that none changed, or a list of the changes."""

import json
import sys
from dataclasses import asdict

import click

from sengu.base.names import counted
from sengu.commands.dataset import proof

NO_TAGS = 2  # exit code


@click.command("check")
@click.argument("names", metavar="[NAME]…", nargs=-1)
@click.option("--deep", is_flag=True, help="Hash the objects, too, instead of looking at their size only.")
@click.option("--quiet", is_flag=True, help="Print nothing unless something is wrong; a clone without tags is only a warning.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def check_command(names: tuple[str, ...], deep: bool, quiet: bool, as_json: bool) -> None:
    """Prove that no final version has changed since its tag; this needs no network.

    Exits with 1 if one did, and with 2 in a clone without tags.
    """
    try:
        report = proof.prove(names, deep)
    except proof.NoTags as error:
        click.echo(f"{'warning' if quiet else 'error'}: {error}", err=True)
        sys.exit(0 if quiet else NO_TAGS)
    if as_json:
        click.echo(json.dumps(asdict(report), indent=2, ensure_ascii=False))
    else:
        for fault in report.faults:
            click.echo(fault, err=quiet)
        if not quiet:
            for note in report.notes:
                click.echo(f"note: {note}", err=True)
            count = len(report.checked)
            names_of = f": {', '.join(report.checked)}" if count else ""
            click.echo(f"{counted(count, 'final version')}{names_of}; {counted(len(report.faults), 'fault')}")
    if report.faults:
        sys.exit(1)
