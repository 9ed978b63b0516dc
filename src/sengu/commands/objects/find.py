"""An object id -> everything in the tables about it: URLs, pages, tags, dates, labels, dataset versions, split."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click

from sengu.base import params, tables
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.base.names import cell
from sengu.base.tables import csvfile, versions
from sengu.commands import places
from sengu.commands.completion import ObjectPrefix
from sengu.labels import sheets
from sengu.labels.words import NO_CLASS_CELL
from sengu.objects.store import ObjectStore


@dataclass
class Known:
    """Facts about an object; lists are in the order of the tables, and empty where a table is not there yet."""

    objectId: str
    files: list[str] = field(default_factory=list)
    format: str = ""
    width: int = 0
    height: int = 0
    bytes: int = 0
    milliseconds: int = 0
    video: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)  # rows of captures, with their site
    label: str = ""  # the class
    decision: dict[str, str] = field(default_factory=dict)  # the row of label_details, without empty cells; lines of sheets
    conflict: str = ""
    group: str = ""
    versions: dict[str, str] = field(default_factory=dict)  # dataset version -> class
    type: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def known(object_id: ObjectId, data: Path) -> Known:
    """Looks up an object in the tables below `data`. Raises SenguError if no index has it.

    Parses no rows but those of the object: a look-up among a million rows takes a fraction of a second.
    """
    name = str(object_id)
    facts = Known(name)
    for index in sorted((data / "index").glob("*.csv")):
        rows = list(csvfile.rows_with(index, "objectId", {name}))
        if not rows:
            continue
        first = rows[0]
        facts.format, facts.video = first["format"], first["video"]
        facts.width, facts.height, facts.bytes = int(first["width"]), int(first["height"]), int(first["bytes"])
        facts.milliseconds = int(first["milliseconds"])
        captures = data / "captures" / index.name
        urls = {row["urlId"] for row in rows}
        facts.seen += [{"site": index.stem, **row} for row in csvfile.rows_with(captures, "urlId", urls)]
    if not facts.format:
        raise SenguError(f"object {name} is in no table of {data / 'index'}: check the id, or run `dvc repro objects`")
    for row in csvfile.rows_with(data / "label_details.csv", "objectId", {name}):
        facts.label = _class(row.pop("value"), _classes())
        facts.decision = {key: cell for key, cell in row.items() if cell and key != "objectId"}
    if lines := _lines(object_id, facts.seen):
        facts.decision["lines"] = ", ".join(lines)
    if values := _cell(data / "label_conflicts.csv", name, "values"):
        facts.conflict = ", ".join(_class(value, _classes()) for value in values.split("|"))
    facts.group = _cell(data / "duplicates.csv", name, "group")
    facts.type = _cell(data / "split_label.csv", name, "type")
    for version in sorted((data / "dataset").glob("*/label.csv")):
        value = _cell(version, name, "value")
        if value:
            facts.versions[version.parent.name] = _class(value, versions.read(version.parent).classes)
    return facts


def _classes() -> list[str]:
    return params.labelling(places.LABELS)[1].classes


def _class(value: str, classes: Sequence[str]) -> str:
    if value == NO_CLASS_CELL:
        return "no class fits"
    return classes[int(value)] if int(value) < len(classes) else f"value {value}, which is not a class now"


def _lines(object_id: ObjectId, seen: Iterable[Mapping[str, str]]) -> list[str]:
    """The lines of annotation sheets that name an object by its hash or by a file name: "labels/anna.csv:12"."""
    names = {object_id.sha1, *(row["filename"] for row in seen)} - {""}
    encoded = [name.encode(encoding) for name in names for encoding in ("utf-8", "utf-16-le", "utf-16-be")]
    lines = []
    for sheet in sheets.sheets(places.LABELS) if places.LABELS.is_dir() else []:
        data = sheet.read_bytes().lower()
        if not any(name.lower() in data for name in encoded):  # most sheets name other objects: quicker than to parse
            continue
        table, numbers, _ = sheets.cells(sheet)
        for column in {"objectId", "filename"} & set(table):
            cells = table[column].str.lower().str.partition(".")[0] if column == "objectId" else table[column]
            lines += [f"{sheet}:{number}" for number in numbers[cells.isin(list(names))]]
    return lines


def first_seen(names: Collection[str], data: Path) -> dict[str, dict[str, str]]:
    """The first row of captures of each object id, with its site; ids that no table has are left out."""
    first: dict[str, dict[str, str]] = {}
    for index in sorted((data / "index").glob("*.csv")):
        of_url: dict[str, list[str]] = {}
        for row in csvfile.rows_with(index, "objectId", names):
            of_url.setdefault(row["urlId"], []).append(row["objectId"])
        for capture in csvfile.rows_with(data / "captures" / index.name, "urlId", of_url):
            for name in of_url[capture["urlId"]]:
                first.setdefault(name, {"site": index.stem, **capture})
    return first


def named_by_file(names: Collection[str], data: Path) -> set[str]:
    """The object ids captured under one of these file names, with the frames of videos."""
    ids: set[str] = set()
    for captures in sorted((data / "captures").glob("*.csv")) if names else ():
        urls = {row["urlId"] for row in csvfile.rows_with(captures, "filename", names)}
        ids |= {row["objectId"] for row in csvfile.rows_with(data / "index" / captures.name, "urlId", urls)}
    return ids


def _cell(path: Path, name: str, column: str) -> str:
    return next((row[column] for row in csvfile.rows_with(path, "objectId", {name})), "")


SHA1_DIGITS = 40
SHOWN = 5  # of the objects that the beginning of a hash may mean


def named(text: str, store: ObjectStore) -> ObjectId:
    """The object with this id, SHA-1 or beginning of one. Raises SenguError if there is none or several."""
    prefix = text.strip().lower()
    if len(prefix) < 4 or not all(digit in "0123456789abcdef" for digit in prefix.partition(".")[0]):
        raise SenguError(f"{text!r} is not the beginning of an object id: give at least four hex digits of the SHA-1")
    matches = store.beginning_with(prefix)
    if not matches or len(prefix) < SHA1_DIGITS:  # a missing leaf is still known to the tables
        matches = sorted({*matches, *indexed(prefix)})
    if not matches:
        raise SenguError(f"no object begins with {text!r}: check the id, or run `dvc repro objects`")
    if len(matches) > 1:
        some = f"{', '.join(map(str, matches[:SHOWN]))}{'…' if len(matches) > SHOWN else ''}"
        raise SenguError(f"{text!r} begins {len(matches)} object ids: {some}: give more digits")
    return matches[0]


def indexed(prefix: str) -> Iterator[ObjectId]:
    """The objects in the tables of all sites whose id begins so; one for each site that has it."""
    for site in params.site_names():
        known = tables.read(places.INDEX / f"{site}.csv", tables.IndexRow)["objectId"]
        yield from map(ObjectId.parse, known[known.str.startswith(prefix)].unique())


@click.command("path")
@click.argument("object_id", metavar="ID", type=ObjectPrefix())
def path_command(object_id: str) -> None:
    """Print the path of the object ID; the beginning of its hash is enough."""
    store = ObjectStore.below(places.TREES)
    click.echo(store.path(named(object_id, store)))


@click.command("info")
@click.argument("object_id", metavar="ID", type=ObjectPrefix())
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def info_command(object_id: str, as_json: bool) -> None:
    """Print everything known about the object ID."""
    store = ObjectStore.below(places.TREES)
    wanted = named(object_id, store)
    facts = known(wanted, places.DATA)
    facts.files = [str(place) for place in store.places(wanted)]
    if as_json:
        click.echo(json.dumps(facts.as_dict(), ensure_ascii=False, indent=2))
        return
    if facts.decision and not facts.label:
        facts.label = f"none; `sengu label why {wanted.sha1[:8]}` says why"
    for key, value in facts.as_dict().items():
        if key == "seen":
            for row in value:
                click.echo("seen")
                for name, text in row.items():
                    if text:
                        click.echo(f"  {name:10} {cell(str(text))}")
        elif value:
            parts = [f"{name}: {text}" for name, text in value.items()] if isinstance(value, dict) else value
            click.echo(f"{key:12} {cell(', '.join(parts) if isinstance(parts, list) else str(parts))}")


@click.command("where")
@click.argument("object_id", metavar="ID", type=ObjectPrefix())
def where_command(object_id: str) -> None:
    """Print where the object ID was seen: site, date, URL and page, separated by tabs."""
    for row in known(named(object_id, ObjectStore.below(places.TREES)), places.DATA).seen:
        click.echo("\t".join(cell(row[key]) for key in ("site", "fetched", "url", "page")))
