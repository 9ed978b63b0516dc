"""`sengu dataset list`: every version with its parents, pictures, state, and the models that were trained on it."""

import json
from typing import Any

import click
import pandas as pd

from sengu.base.tables import versions
from sengu.datasets import facts, history, lineage, tags
from sengu.datasets.recipe import FOLDER
from sengu.repository import pipeline


def overview() -> list[dict[str, Any]]:
    """The versions, parents first; counts are None where a version is not here."""
    family = lineage.tree(pipeline.versions())
    tagged = {tag.version: tag for tag in tags.tags()}
    models = history.trained()
    rows = []
    for name in family.ordered():
        node, folder = family.node(name), FOLDER / name
        here = (folder / versions.METADATA).is_file()
        known = facts.read(folder) if here else {}
        rows.append(
            {
                "version": name,
                "semver": known.get("semver", node.semver),
                "parents": list(node.parents),
                "pictures": known.get("rows"),
                "by_class": known.get("counts", {}).get("by_class") or known.get("rows_by_value"),
                "state": state(node, name in tagged, here),
                "models": [vars(model) for model in models if model.version == name],
            }
        )
    return rows


def state(node: lineage.Node, tagged: bool, here: bool) -> str:
    if node.finalised:
        return "final" if tagged else "final, but its tag is not here"
    if not here:
        return "not here"
    return "frozen" if node.stage.get("frozen") else "open"


def as_text(rows: list[dict[str, Any]]) -> str:
    """A table of the versions, and one of the models that were trained on them, a line each."""
    if not rows:
        return "there is no version yet"
    versions_table = [
        (
            row["version"],
            row["semver"],
            ", ".join(row["parents"]) or "-",
            "-" if row["by_class"] is None else ", ".join(f"{name} {count}" for name, count in row["by_class"].items()),
            row["state"],
        )
        for row in rows
    ]
    text = pd.DataFrame(versions_table, columns=["version", "semver", "parents", "pictures", "state"]).to_string(index=False)
    models = [
        (
            row["version"],
            f"{model['accuracy']:.3f} ({model['low']:.3f} to {model['high']:.3f})",
            (model["tags"] or [model["commit"]])[0],
        )
        for row in rows
        for model in row["models"]
    ]
    if not models:
        return text
    names = ["trained on", "accuracy (95% interval)", "tag or commit"]
    return f"{text}\n\n{pd.DataFrame(models, columns=names).to_string(index=False)}"


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def list_command(as_json: bool) -> None:
    """List the versions: parents, pictures by class, state, and models trained on them with accuracy and 95% interval."""
    rows = overview()
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    click.echo(as_text(rows))
