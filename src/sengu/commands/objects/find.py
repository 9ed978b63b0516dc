"""An object id -> everything that the tables know of it: URLs, pages, tags, dates, labels, dataset versions, split."""

import csv
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId


@dataclass
class Known:
    """What is known of an object; lists are in the order of the tables, and empty where a table is not there yet."""

    objectId: str
    files: list[str] = field(default_factory=list)
    format: str = ""
    width: int = 0
    height: int = 0
    bytes: int = 0
    milliseconds: int = 0
    video: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)  # rows of captures, with their site
    label: str = ""
    conflict: str = ""
    group: str = ""
    versions: dict[str, str] = field(default_factory=dict)  # dataset version -> value
    type: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def known(object_id: ObjectId, data: Path) -> Known:
    """Looks an object up in the tables below `data`. Raises SenguError if no index has it.

    Reads the tables line by line: a look-up among a million rows takes seconds, and little memory.
    """
    name = str(object_id)
    found = Known(name)
    for index in sorted((data / "index").glob("*.csv")):
        rows = list(_rows(index, "objectId", {name}))
        if not rows:
            continue
        first = rows[0]
        found.format, found.video = first["format"], first["video"]
        found.width, found.height, found.bytes = int(first["width"]), int(first["height"]), int(first["bytes"])
        found.milliseconds = int(first["milliseconds"])
        captures = data / "captures" / index.name
        urls = {row["urlId"] for row in rows}
        found.seen += [{"site": index.stem, **row} for row in _rows(captures, "urlId", urls)]
    if not found.format:
        raise SenguError(f"object {name} stands in no table of {data / 'index'}: check the id, or run `dvc repro objects`")
    found.label = _cell(data / "label.csv", name, "value")
    found.conflict = _cell(data / "label_conflicts.csv", name, "values")
    found.group = _cell(data / "duplicates.csv", name, "group")
    found.type = _cell(data / "split_label.csv", name, "type")
    for version in sorted((data / "dataset").glob("*/label.csv")):
        value = _cell(version, name, "value")
        if value:
            found.versions[version.parent.name] = value
    return found


def first_seen(names: Collection[str], data: Path) -> dict[str, dict[str, str]]:
    """The first row of captures of each of these object ids, with its site; what no table has is left out."""
    found: dict[str, dict[str, str]] = {}
    for index in sorted((data / "index").glob("*.csv")):
        of_url: dict[str, list[str]] = {}
        for row in _rows(index, "objectId", names):
            of_url.setdefault(row["urlId"], []).append(row["objectId"])
        for capture in _rows(data / "captures" / index.name, "urlId", of_url):
            for name in of_url[capture["urlId"]]:
                found.setdefault(name, {"site": index.stem, **capture})
    return found


def _cell(path: Path, name: str, column: str) -> str:
    return next((row[column] for row in _rows(path, "objectId", {name})), "")


def _rows(path: Path, column: str, wanted: Collection[str]) -> Iterator[dict[str, str]]:
    """The rows of a table whose `column` is one of `wanted`; none if there is no table."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.reader(stream)
        header = next(reader)
        position = header.index(column)
        for row in reader:
            if row[position] in wanted:
                yield dict(zip(header, row, strict=True))
