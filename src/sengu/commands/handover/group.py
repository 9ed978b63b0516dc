"""`sengu handover`: a rerun of everything elsewhere, the document for a successor, and the gaps."""

import click

from sengu.commands.lazy import LazyGroup

COMMANDS = {
    "document": "sengu.commands.handover.document:command",
    "status": "sengu.commands.handover.status:command",
    "verify": "sengu.commands.handover.verify:command",
}


@click.group("handover", cls=LazyGroup, modules=COMMANDS)
def group() -> None:
    """Hand the project over: find what is missing, rerun everything in a fresh clone, write the document for a successor."""
