"""`sengu dataset show`: everything known about a version."""

import json
from typing import Any

import click

from sengu.datasets import facts, history, lineage, tags, usage
from sengu.datasets.recipe import FOLDER
from sengu.repository import pipeline


def facts_of(name: str) -> dict[str, Any]:
    """The facts of dataset.json, and those that it cannot hold: children, tag, models, and whether the version may change."""
    family = lineage.tree(pipeline.versions())
    family.node(name)
    known = facts.read(FOLDER / name)
    tag = next((tag.name for tag in tags.tags() if tag.version == name), "")
    models = [vars(model) for model in history.trained() if model.version == name]
    return known | {"children": family.children(name), "tag": tag, "models": models, "may_change": may_change(name, family)}


def may_change(name: str, family: lineage.Tree) -> str:
    """The answer, in words, to whether more labels may go into this version, with the command to use if not."""
    because = usage.reasons(name, family)
    if not because:
        return "yes: nothing depends on it yet"
    return f"no: {', and '.join(because)}: `{usage.next_command(name, family)} --from {name}` makes the next one"


@click.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def show_command(name: str, as_json: bool) -> None:
    """Print everything known about the version NAME, and whether it may be changed."""
    known = facts_of(name)
    if as_json:
        click.echo(json.dumps(known, indent=2, ensure_ascii=False))
        return
    click.echo("\n".join(_lines(known, "")))


def _lines(value: dict[str, Any], indent: str) -> list[str]:
    lines = []
    for key, item in value.items():
        if item in ("", [], {}, None):
            continue
        if isinstance(item, dict):
            lines += [f"{indent}{key}", *_lines(item, indent + "  ")]
        elif isinstance(item, list) and isinstance(item[0], dict):
            lines += [f"{indent}{key}"]
            lines += [f"{indent}  {', '.join(f'{k} {v}' for k, v in entry.items() if v not in ('', [], None))}" for entry in item]
        else:
            lines.append(f"{indent}{key:14} {_listed(key, item) if isinstance(item, list) else item}")
    return lines


def _listed(key: str, items: list[Any]) -> str:
    """A list on one line; of the sizes of pictures dataset.json holds the quantiles without a word."""
    texts = list(map(str, items))
    if key in ("width", "height", "bytes") and len(items) == len(facts.QUANTILES):
        return f"{texts[0]} to {texts[-1]}, quartiles {', '.join(texts[1:-1])}"
    return ", ".join(texts)
