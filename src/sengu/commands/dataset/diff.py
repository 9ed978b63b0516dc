"""`sengu dataset diff`: two versions -> what was added, removed and relabelled, by class, and a page that shows it."""

import json
from pathlib import Path
from typing import Any

import click
import pandas as pd

from sengu.base import tables
from sengu.base.atomic import replaced_file
from sengu.base.errors import SenguError
from sengu.base.tables import versions
from sengu.commands import places
from sengu.commands.dataset.sample import page
from sengu.datasets import lineage
from sengu.datasets.recipe import FOLDER
from sengu.objects.store import ObjectStore
from sengu.repository import pipeline

SHOWN = 24  # pictures of a section of the page


def difference(before_name: str, after_name: str) -> dict[str, Any]:
    """Compares two versions: the object ids that only one of them has by class, and the relabelled ones by `old -> new`."""
    family = lineage.tree(pipeline.versions())
    before, after = (_labels(family.node(name).name) for name in (before_name, after_name))
    both = before.merge(after, on="objectId", how="outer", suffixes=("_before", "_after")).fillna("")
    old, new = both["label_before"], both["label_after"]
    changed = both[(old != "") & (new != "") & (old != new)]
    turned = changed["label_before"] + " -> " + changed["label_after"]
    return {
        "added": _by(both[old == ""], both["label_after"]),
        "removed": _by(both[new == ""], both["label_before"]),
        "relabelled": _by(changed, turned),
        "unchanged": int(((old == new) & (old != "")).sum()),
    }


def _labels(name: str) -> pd.DataFrame:
    folder = FOLDER / name
    if not (folder / versions.LABELS).is_file():
        raise SenguError(f"{folder} is not here: `dvc repro datasets/dvc.yaml:{name}`, or `dvc pull {folder}`")
    classes = versions.read(folder).classes
    labels = tables.read(folder / versions.LABELS, tables.Label)
    return pd.DataFrame({"objectId": labels["objectId"], "label": labels["value"].map(dict(enumerate(classes))).astype("str")})


def _by(rows: pd.DataFrame, names: pd.Series) -> dict[str, list[str]]:
    return {str(name): sorted(part["objectId"]) for name, part in rows.groupby(names.loc[rows.index])}


@click.command("diff")
@click.argument("before_name", metavar="A")
@click.argument("after_name", metavar="B")
@click.option("--html", "path", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with the pictures.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, with all object ids.")
def diff_command(before_name: str, after_name: str, path: Path | None, as_json: bool) -> None:
    """Print the objects that B adds to A, lacks, and labels differently, by class."""
    changes = difference(before_name, after_name)
    kinds = ("added", "removed", "relabelled")
    if path is not None:
        sections = {
            f"{kind}: {name}, {len(ids)}" + (f" (the first {SHOWN})" if len(ids) > SHOWN else ""): ids[:SHOWN]
            for kind in kinds
            for name, ids in changes[kind].items()
        }
        with replaced_file(path) as partial:
            partial.write_text(
                page(f"{before_name} and {after_name}", sections, ObjectStore.below(places.TREES)), encoding="utf-8"
            )
        click.echo(f"{path}: written", err=as_json)
    if as_json:
        click.echo(json.dumps(changes, indent=2, ensure_ascii=False))
        return
    for kind in kinds:
        counts = ", ".join(f"{name} {len(ids)}" for name, ids in changes[kind].items())
        click.echo(f"{kind:11} {sum(map(len, changes[kind].values()))}{f' ({counts})' if counts else ''}")
    click.echo(f"unchanged   {changes['unchanged']}")
