"""The command `sengu`: what people do beside `dvc repro`."""

import logging
import sys
from importlib import import_module

import click

from sengu.base.errors import one_line

# name -> module of sengu.commands that has it, and its name there; a command imports its own module only, so that it starts at once
COMMANDS = {
    "model": ("model", "group"),
    "objects": ("objects", "group"),
    "predict": ("predict", "command"),
    "similar": ("similar", "command"),
    "site": ("site", "group"),
    "suggest": ("suggest", "command"),
}


class Commands(click.Group):
    """After "Lazily Loading Subcommands" in the documentation of click."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"sengu.commands.{module}"), name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def sengu() -> None:
    """Sengu rebuilds an image classifier from raw crawled data. Run it in the folder that holds params.yaml."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)


def main() -> None:
    with one_line():
        sengu()


if __name__ == "__main__":
    main()
