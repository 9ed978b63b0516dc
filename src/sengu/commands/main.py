"""The command `sengu`: everything that people do beside `dvc repro`."""

import logging
import os
import sys
from io import TextIOWrapper

import click

from sengu.base.errors import Printable, check_lock_files, one_line
from sengu.base.names import printable
from sengu.commands import places
from sengu.commands.lazy import ARGUMENTS, LazyGroup

COMMANDS = {
    "arrive": "sengu.commands.arrive:command",
    "crawl": "sengu.commands.crawl:command",
    "dataset": "sengu.commands.dataset.group:group",
    "handover": "sengu.commands.handover.group:group",
    "heal": "sengu.commands.heal:command",
    "label": "sengu.commands.label.group:group",
    "merge": "sengu.commands.merge:command",
    "model": "sengu.commands.model:group",
    "objects": "sengu.commands.objects.group:group",
    "predict": "sengu.commands.predict:command",
    "rebuild": "sengu.commands.rebuild:command",
    "remote": "sengu.commands.remote.group:group",
    "similar": "sengu.commands.similar:command",
    "site": "sengu.commands.site.group:group",
    "suggest": "sengu.commands.suggest:command",
    "verify": "sengu.commands.verify:command",
    "where": "sengu.commands.where:command",
}


ANYWHERE = ("predict", "where")  # these need no project: a release or a repository is enough


@click.group(cls=LazyGroup, modules=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sengu")
@click.pass_context
def sengu(context: click.Context) -> None:
    """Sengu rebuilds an image classifier from raw crawled data. Run it in the folder that holds params.yaml."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # in a new home it tells that it lists the fonts
    for handler in logging.getLogger().handlers:
        handler.setFormatter(Printable("%(levelname)s %(message)s"))
    check_lock_files()
    asks_for_help = not {*context.help_option_names}.isdisjoint(context.meta[ARGUMENTS])
    if context.invoked_subcommand not in ANYWHERE and not asks_for_help:
        places.check_project()


class Screen(TextIOWrapper):
    """A terminal that no tag, address or file name can control: control characters are escaped."""

    def write(self, text: str) -> int:
        return super().write(printable(text))


def main() -> None:
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.isatty():
        encoding, errors = sys.stdout.encoding, sys.stdout.errors
        # a descriptor of its own: sys.__stdout__ stays as it is, which tells how wide the terminal is
        copy = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
        sys.stdout = Screen(copy, encoding, errors, line_buffering=True)
    with one_line():
        sengu()


if __name__ == "__main__":
    main()
