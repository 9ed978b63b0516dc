"""`sengu dataset sample`: a version -> some pictures of each class, as ids or as one page."""

import json
from html import escape
from pathlib import Path

import click

from sengu.base import tables
from sengu.base.atomic import replaced_file
from sengu.base.names import counted
from sengu.base.tables import versions
from sengu.commands import places
from sengu.datasets import lineage, samples
from sengu.datasets.recipe import FOLDER
from sengu.drawing.thumbnails import thumbnail
from sengu.objects.store import ObjectStore
from sengu.repository import pipeline


def sampled(name: str, count: int) -> dict[str, list[str]]:
    """Object ids by class, the same every time."""
    lineage.tree(pipeline.versions()).node(name)
    classes = versions.read(FOLDER / name).classes
    labels = tables.read(FOLDER / name / versions.LABELS, tables.Label)
    return {label: samples.pick(labels, value, count) for value, label in enumerate(classes)}


def page(title: str, sections: dict[str, list[str]], store: ObjectStore) -> str:
    """A self-contained HTML page: a row of pictures for each section. Missing pictures are named."""
    parts = [f"<!doctype html><meta charset=utf-8><title>{escape(title)}</title><h1>{escape(title)}</h1>"]
    for heading, ids in sections.items():
        parts.append(f"<h2>{escape(heading)}</h2>")
        pictures = dict(samples.pictures_here(ids, store))
        for name in ids:
            picture = f'<img src="{thumbnail(pictures[name])}" alt="">' if name in pictures else "<i>not here</i>"
            parts.append(
                f'<figure style="display:inline-block;margin:4px">{picture}<figcaption>{name[:12]}…</figcaption></figure>'
            )
    return "\n".join(parts) + "\n"


@click.command("sample")
@click.argument("name")
@click.option("--number", default=6, show_default=True, type=click.IntRange(1), help="Pictures of each class.")
@click.option("--html", "path", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with the pictures.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def sample_command(name: str, number: int, path: Path | None, as_json: bool) -> None:
    """Print some object ids of each class of the version NAME, or show them on a page."""
    ids_of = sampled(name, number)
    if path is not None:
        with replaced_file(path) as partial:
            partial.write_text(page(f"{name}: a sample", ids_of, ObjectStore.below(places.TREES)), encoding="utf-8")
        click.echo(f"{path}: {counted(sum(map(len, ids_of.values())), 'picture')}", err=as_json)
    if as_json:
        click.echo(json.dumps(ids_of, indent=2, ensure_ascii=False))
    elif path is None:
        for label, ids in ids_of.items():
            click.echo("\n".join([label, *(f"  {object_id}" for object_id in ids)]))
