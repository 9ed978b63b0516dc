"""A group of commands that imports a module only when its command is called, so that `sengu` starts quickly."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import click

ARGUMENTS = "sengu.arguments"  # the arguments of the outermost group, among the meta values of click's context


class LazyGroup(click.Group):
    """A group that imports a command when it is called ("Lazily Loading Subcommands" in the documentation of click)."""

    def __init__(self, *arguments: Any, modules: Mapping[str, str], **options: Any):
        """`modules` maps the name of a command to "module:attribute"."""
        super().__init__(*arguments, **options)
        self.modules = dict(modules)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta.setdefault(ARGUMENTS, list(args))
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the summaries in full, on several lines if needed; click would cut them."""
        rows = [(name, command.get_short_help_str(limit=1000)) for name, command in self._commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _commands(self, ctx: click.Context) -> Iterator[tuple[str, click.Command]]:
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                yield name, command

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.modules:
            return None
        module, _, name = self.modules[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command
