"""Words that a shell completes: the names of sites, and object ids from their first digits."""

import click
from click.shell_completion import CompletionItem

from sengu.base import params
from sengu.base.errors import SenguError
from sengu.commands import places

FOLDERS = 2  # of an object's path, each named by two digits of the SHA-1


class SiteName(click.ParamType[str]):
    """A site of params.yaml. The command checks it, not the shell."""

    name = "site"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            return [CompletionItem(name) for name in params.site_names() if name.startswith(incomplete)]
        except SenguError:  # outside a project
            return []


class ObjectPrefix(click.ParamType[str]):
    """An object id, or the beginning of one. The command checks it, not the shell."""

    name = "id"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Completes from four digits on: a store holds too many objects to list them all."""
        if len(incomplete) < 2 * FOLDERS:
            return []
        pattern = f"*/{incomplete[:2]}/{incomplete[2:4]}/{incomplete}*"
        names = {path.name for path in places.TREES.glob(pattern)}
        for table in places.TREES.glob("*/records.csv"):  # read as text, since a shell waits
            with table.open(encoding="utf-8") as lines:
                names |= {line.partition(",")[0] for line in lines if line.startswith(incomplete)}
        return [CompletionItem(name) for name in sorted(names)]
