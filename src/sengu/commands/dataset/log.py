"""`sengu dataset log`: the family tree of the versions."""

import json

import click

from sengu.datasets import lineage
from sengu.repository import pipeline


@click.command("log")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def log_command(name: str | None, as_json: bool) -> None:
    """Print the family tree of all versions, or that of NAME: each version above its parents."""
    family = lineage.tree(pipeline.versions())
    names = family.ancestors(name) if name else family.ordered()
    if as_json:
        family_tree = [
            {"version": version, "parents": list(family.node(version).parents), "children": family.children(version)}
            for version in names
        ]
        click.echo(json.dumps(family_tree, indent=2, ensure_ascii=False))
        return
    for line in lineage.drawn(family, name):
        node = family.node(line.split("─")[-1].strip().removesuffix(" (above)"))
        final = f"  final {node.finalised}" if node.finalised else ""
        desc = "" if line.endswith("(above)") else f"  {node.stage.get('desc', '')}"
        click.echo(f"{line}{final}{desc}".rstrip())
