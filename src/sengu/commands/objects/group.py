"""`sengu objects`: facts about an object, the merged view, verification, healing, export and erasure."""

import click

from sengu.commands.lazy import LazyGroup

COMMANDS = {
    "erase": "sengu.commands.objects.erase:erase_command",
    "export": "sengu.commands.objects.export:export_command",
    "heal": "sengu.commands.objects.verify:heal_command",
    "info": "sengu.commands.objects.find:info_command",
    "link": "sengu.commands.objects.view:link_command",
    "list": "sengu.commands.objects.list:list_command",
    "mount": "sengu.commands.objects.view:mount_command",
    "path": "sengu.commands.objects.find:path_command",
    "umount": "sengu.commands.objects.view:umount_command",
    "verify": "sengu.commands.objects.verify:verify_command",
    "where": "sengu.commands.objects.find:where_command",
}


@click.group("objects", cls=LazyGroup, modules=COMMANDS)
def group() -> None:
    """Find, view, export, repair and erase pictures: the objects of all sites, as one store."""
