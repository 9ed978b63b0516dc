"""`sengu remote`: the place of the data, its completeness, and its recovery."""

import click

from sengu.commands.lazy import LazyGroup

NAMES = (
    *("apply", "catalog", "check", "forget", "heal", "hook", "init", "plan"),
    *("prune", "pull", "push", "report", "restore", "test", "thaw"),
)
COMMANDS = {name: f"sengu.commands.remote.{name}:command" for name in NAMES}


@click.group("remote", cls=LazyGroup, modules=COMMANDS)
def group() -> None:
    """The DVC remotes: set up, check, heal, document and budget them."""
