"""`sengu similar`: a picture, or an object -> the pictures most like it, by what they show or by class; no TensorFlow."""

import json
import logging
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import jinja2
import markupsafe
import numpy as np

from sengu import embeddings
from sengu.base import params, tables
from sengu.base.atomic import replaced_file
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.base.names import cell, printable
from sengu.base.tables import versions
from sengu.commands import places
from sengu.commands.completion import ObjectPrefix
from sengu.commands.objects import find
from sengu.commands.objects.find import named
from sengu.drawing import pages, thumbnails
from sengu.embeddings import Embeddings
from sengu.objects.store import ObjectStore
from sengu.pictures import images
from sengu.release import bundle

LOOK, CLASS = "look", "class"  # by what
HOW = {LOOK: "By what they show, as the frozen backbone sees it", CLASS: "By their classes, as the trained model sees them"}
ORIGIN = ("url", "page", "site", "filename")  # of a Hit
logger = logging.getLogger("similar")

BEGINNING = re.compile(r"[0-9a-fA-F]{1,40}(\.[a-z0-9]{0,4})?")
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Pictures like {{ name }}</title>
<style>{{ style }}</style>
<main>
<h1>Pictures like {{ name }}</h1>
<p class="soft">{{ how }}; 1 is the same direction, 0 none in common.</p>
<p><img src="{{ thumbnail }}" alt="the query"></p>
<ol class="pictures">
{% for hit, thumbnail in hits -%}
<li><img src="{{ thumbnail }}" alt="{{ hit.objectId }}" loading="lazy">
{{ "%.4f"|format(hit.similarity) }}{% if hit.label %} <b>{{ hit.label }}</b>{% endif %}<br>
<small class="soft">{% for text in (hit.filename, hit.site) if text %}{{ text }}<br>
{% endfor %}{{ hit.objectId }}{% for word, address in (("file", hit.url), ("page", hit.page)) if address %}<br>
{% if address.startswith(("http://", "https://")) %}<a href="{{ address }}">{{ word }}</a>{% else %}{{ address }}{% endif %}
{%- endfor %}</small></li>
{% endfor -%}
</ol>
</main>
</html>
"""


@dataclass(frozen=True)
class Hit:
    """A picture like the query; `label` is the name of its class; unknown texts are empty."""

    objectId: str
    similarity: float  # cosine, up to 1
    label: str
    url: str
    page: str
    site: str = ""
    filename: str = ""


@dataclass(frozen=True)
class Query:
    """The query: vectors (q, d) to look for, and the bytes of a file, or the row of an object among the embeddings."""

    vectors: np.ndarray
    data: bytes = b""
    row: int = -1


def understood(text: str, by: str, stored: Embeddings, store: ObjectStore) -> Query:
    """Runs a file through a model, or looks up an object id or the beginning of one. Else SenguError.

    With `by` look, it also searches for the mirror image.
    """
    path = Path(text)
    if path.is_file():
        data = path.read_bytes()
        try:
            with images.limited(params.section("objects", params.Objects).max_pixels):
                picture = images.checked_pixels(data)
        except images.NotAPicture as error:
            raise SenguError(f"{text} is not a picture that can be read: {error}") from None
        return Query(_both_ways(picture, stored) if by == LOOK else _embedding(picture, stored)[np.newaxis], data)
    if not BEGINNING.fullmatch(text):
        raise SenguError(f"{text!r} is neither a file nor the beginning of an object id")
    object_id = named(text, store)
    row = stored.row(str(object_id))
    if by == CLASS:
        return Query(stored.vectors[row : row + 1], row=row)
    try:
        return Query(_both_ways(store.pixels(object_id), stored), row=row)
    except SenguError as error:
        logger.warning("its mirror image is not looked for: %s", error)
        return Query(stored.features[row : row + 1], row=row)


def _embedding(picture: np.ndarray, stored: Embeddings) -> np.ndarray:
    model = bundle.load(places.RELEASE)
    digest = model.manifest.files[bundle.MODEL]
    if digest != stored.model.sha256:
        raise SenguError(_other(str(stored.model), model.path, digest))
    return model.run(picture)[1]


def _both_ways(picture: np.ndarray, stored: Embeddings) -> np.ndarray:
    """Whitened features (2, d) of a picture and of its mirror image."""
    backbone = bundle.load_backbone(places.RELEASE)
    if backbone.sha256 != stored.model.backbone:
        of = f"a backbone with SHA-256 {stored.model.backbone[:12]}…"
        raise SenguError(_other(of, places.RELEASE / bundle.BACKBONE, backbone.sha256))
    features = np.stack([backbone.run(picture), backbone.run(np.ascontiguousarray(picture[:, ::-1]))])
    return embeddings.whitened(features, stored.whitening)


def _other(known: str, path: Path, digest: str) -> str:
    return (
        f"{places.EMBEDDINGS} is of {known}, but {path} holds another model (SHA-256 {digest[:12]}…): "
        "run `dvc repro embed`, or `dvc checkout` to get the two that belong together"
    )


def similar(query: Query, by: str, stored: Embeddings, number: int) -> list[Hit]:
    """The pictures most like the query, itself left out, the most similar first."""
    among = (stored.features, number + 1, stored.sketch) if by == LOOK else (stored.vectors, number + 1)
    similarities, rows = embeddings.nearest(query.vectors, *among)
    pairs = [(stored.objects[row], similarity) for row, similarity in zip(rows, similarities, strict=True) if row != query.row]
    pairs = pairs[:number]
    seen = find.first_seen({name for name, _ in pairs}, places.DATA)
    labels = _labels()
    return [
        Hit(name, round(float(similarity), 6), labels.get(name, ""), *(seen.get(name, {}).get(key, "") for key in ORIGIN))
        for name, similarity in pairs
    ]


def page(title: tuple[str, str], query: Query, hits: list[Hit], stored: Embeddings, store: ObjectStore) -> str:
    """A self-contained HTML page; its title names the query and the kind of similarity."""
    text, by = title
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, finalize=_printable).from_string(PAGE)
    pairs = [(hit, thumbnails.thumbnail(images.decode(store.read(ObjectId.parse(hit.objectId))))) for hit in hits]
    asked = query.data or store.read(ObjectId.parse(stored.objects[query.row]))
    query_picture = thumbnails.thumbnail(images.decode(asked))
    style = markupsafe.Markup(pages.style())
    return template.render(name=text, thumbnail=query_picture, how=HOW[by], hits=pairs, style=style)


def _printable(value: object) -> object:
    return printable(value) if isinstance(value, str) else value


def _labels() -> dict[str, str]:
    if not places.LABEL.is_file():
        return {}
    classes = params.section("label", params.LabelParams).classes
    labels = tables.read(places.LABEL, tables.Label)
    versions.check(labels, classes, "label.classes in params.yaml")
    return {name: classes[value] for name, value in zip(labels["objectId"], labels["value"], strict=True)}


@click.command("similar")
@click.argument("query", metavar="PICTURE|ID", type=ObjectPrefix())
@click.option(
    "--by",
    type=click.Choice([LOOK, CLASS]),
    default=LOOK,
    show_default=True,
    help="look: what the pictures show, mirrored or not; class: what the trained model tells apart.",
)
@click.option("-n", "number", type=click.IntRange(min=1), default=20, show_default=True, help="How many to show.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a self-contained page with the pictures.")
def command(query: str, by: str, number: int, as_json: bool, html: Path | None) -> None:
    """Find the pictures most like a PICTURE, or like the object ID (the beginning of its hash is enough).

    This prints similarity, object id, label and URL of each.
    """
    stored = embeddings.read(places.EMBEDDINGS)
    store = ObjectStore.below(places.TREES)
    asked = understood(query, by, stored, store)
    hits = similar(asked, by, stored, number)
    if html is not None:
        with replaced_file(html) as partial:
            partial.write_text(page((query, by), asked, hits, stored, store), encoding="utf-8")
        click.echo(f"{html}: written", err=True)
    width = max((len(hit.label) for hit in hits), default=0)
    for hit in hits:
        if as_json:
            click.echo(json.dumps(asdict(hit), ensure_ascii=False))
        else:
            click.echo("  ".join([f"{hit.similarity:.4f}", hit.objectId, hit.label.ljust(width), cell(hit.url)]).rstrip())
