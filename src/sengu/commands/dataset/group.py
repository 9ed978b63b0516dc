"""`sengu dataset`: versions of the labelled data, their family tree, and proof that final versions have not changed."""

import click

from sengu.commands.lazy import LazyGroup

COMMANDS = {
    "check": "sengu.commands.dataset.check:check_command",
    "compare": "sengu.commands.dataset.compare:compare_command",
    "create": "sengu.commands.dataset.create:create_command",
    "diff": "sengu.commands.dataset.diff:diff_command",
    "finalize": "sengu.commands.dataset.finalize:finalize_command",
    "list": "sengu.commands.dataset.list:list_command",
    "log": "sengu.commands.dataset.log:log_command",
    "publish": "sengu.commands.dataset.publish:publish_command",
    "restore": "sengu.commands.dataset.restore:restore_command",
    "sample": "sengu.commands.dataset.sample:sample_command",
    "show": "sengu.commands.dataset.show:show_command",
}


@click.group("dataset", cls=LazyGroup, modules=COMMANDS)
def group() -> None:
    """The dataset versions in datasets/dvc.yaml."""
