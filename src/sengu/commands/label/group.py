"""`sengu label`: annotation sheets and rules: checks, agreement, the labels of an object, sheets to fill in, imports."""

import click

from sengu.commands.lazy import LazyGroup

COMMANDS = {
    "check": "sengu.commands.label.check:command",
    "example": "sengu.commands.label.example:command",
    "import": "sengu.commands.label.import_:command",
    "page": "sengu.commands.label.page:command",
    "rules": "sengu.commands.label.rules:command",
    "sheet": "sengu.commands.label.sheet:command",
    "why": "sengu.commands.label.why:command",
}


@click.group("label", cls=LazyGroup, modules=COMMANDS)
def group() -> None:
    """Label pictures: annotation sheets and rules, who decided a label, and what to label next."""
