"""A group of commands whose modules are imported when one of them is called, so that `sengu` starts at once."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """After "Lazily Loading Subcommands" in the documentation of click."""

    def __init__(self, *arguments: Any, modules: Mapping[str, str], **options: Any):
        """`modules` maps the name of a command to "module:attribute"."""
        super().__init__(*arguments, **options)
        self.modules = dict(modules)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.modules:
            return None
        module, _, name = self.modules[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command
