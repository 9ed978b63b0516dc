"""Exports of Label Studio, CVAT and taggers, and CSV files -> labels of pictures."""

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

from sengu.base.errors import SenguError
from sengu.base.names import counted
from sengu.labels import sheets

FORMATS = ("label-studio", "cvat", "csv")
PICTURE_COLUMNS = ("objectId", "filename", "path", "file", "image", "picture", "url")
VALUE_COLUMNS = ("value", "class", "label", "choice", "tag", "prediction")
UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")  # what Label Studio puts before the name of an uploaded file


logger = logging.getLogger("label")


@dataclass(frozen=True)
class Said:
    """A label of one picture in an export; `place` is where in the export. Empty texts are unknown."""

    picture: str
    value: str
    place: str
    annotator: str = ""
    labelledAt: str = ""
    how: str = "import"
    rule: str = ""
    note: str = ""


def read(path: Path, kind: str = "") -> list[Said]:
    """Reads an export, in its order; `kind` is one of FORMATS, by default guessed. Raises SenguError."""
    if not path.is_file():
        raise SenguError(f"{path} does not exist: give the path of the export")
    kind = kind or _kind(path)
    readers = {"label-studio": _label_studio, "cvat": _cvat, "csv": _csv}
    said = list(readers[kind](path))
    if not said:
        raise SenguError(f"{path} holds no label: if it is not an export of {kind}, choose another --format")
    return said


def _kind(path: Path) -> str:
    kinds = {".json": "label-studio", ".xml": "cvat"}
    return kinds.get(path.suffix.lower(), "csv")


def _label_studio(path: Path) -> Iterator[Said]:
    """JSON and JSON-MIN exports; choices only: a picture has one class."""
    try:
        tasks = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise SenguError(f"{path} is not JSON ({error}): export it again, as JSON or JSON-MIN") from error
    if not isinstance(tasks, list):
        raise SenguError(f"{path} is not a list of tasks: export it from Label Studio as JSON or JSON-MIN")
    for number, task in enumerate(tasks, 1):
        if not isinstance(task, dict):
            raise SenguError(f"{path}: task {number} is {task!r}: export it from Label Studio as JSON or JSON-MIN")
        if "data" in task:
            yield from _task(task, f"{path}: task {task.get('id', number)}")
        else:
            yield from _flat_task(task, f"{path}: task {task.get('id', number)}")


def _task(task: Mapping[str, Any], place: str) -> Iterator[Said]:
    picture = _picture(task["data"], place)
    for annotation in task.get("annotations") or task.get("completions") or []:
        if annotation.get("was_cancelled"):
            continue
        who = _person(annotation.get("completed_by", ""))
        at = str(annotation.get("updated_at") or annotation.get("created_at") or "")
        for value in _choices(annotation, place):
            yield Said(picture, value, place, who, at)
    for prediction in task.get("predictions") or []:
        if isinstance(prediction, dict):
            for value in _choices(prediction, place):
                yield Said(picture, value, place, str(prediction.get("model_version") or "model"), "", "model")


def _flat_task(task: Mapping[str, Any], place: str) -> Iterator[Said]:
    picture = _picture(task, place)
    value = next((task[name] for name in VALUE_COLUMNS if isinstance(task.get(name), str)), "")
    at = str(task.get("updated_at") or task.get("created_at") or "")
    if value:
        yield Said(picture, value, place, _person(task.get("annotator", "")), at)


def _choices(annotation: Mapping[str, Any], place: str) -> Iterator[str]:
    values = [
        choice
        for result in annotation.get("result", [])
        if result.get("type") == "choices"
        for choice in result["value"].get("choices", [])
    ]
    if len(values) > 1:
        raise SenguError(f"{place} has {len(values)} choices ({', '.join(values)}): a picture has one class")
    yield from values


def _picture(data: Mapping[str, Any], place: str) -> str:
    names = [data[name] for name in PICTURE_COLUMNS if isinstance(data.get(name), str)]
    names += [text for text in data.values() if isinstance(text, str) and re.search(r"\.\w{3,4}$", text)]
    if not names:
        raise SenguError(f"{place} names no picture: its keys are {', '.join(map(str, data))}")
    return str(names[0])


def _person(who: Any) -> str:
    """The annotator's name: Label Studio gives a number, or the data of a person."""
    if isinstance(who, dict):
        return str(who.get("email") or who.get("username") or who.get("id") or "")
    return f"user-{who}" if isinstance(who, int) else str(who)


def _cvat(path: Path) -> Iterator[Said]:
    """ "CVAT for images 1.1": the tags of images."""
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise SenguError(f"{path} is not XML ({error}): export it as `CVAT for images 1.1`") from error
    owner = root.findtext(".//meta//owner/username") or ""
    at = root.findtext(".//meta//updated") or ""
    for image in root.iter("image"):
        place = f"{path}: image {image.get('id', '')} {image.get('name', '')}"
        tags = image.findall("tag")
        if len(tags) > 1:
            names = ", ".join(str(tag.get("label")) for tag in tags)
            raise SenguError(f"{place} has {len(tags)} tags ({names}): a picture has one class")
        for tag in tags:
            by_model = tag.get("source") == "auto"
            who = "model" if by_model else owner
            yield Said(image.get("name", ""), tag.get("label", ""), place, who, _utc(at), "model" if by_model else "import")


def _utc(text: str) -> str:
    """CVAT writes 2026-01-02 03:04:05.678901+00:00."""
    return re.sub(r"\.\d+", "", text.strip())


def _csv(path: Path) -> Iterator[Said]:
    """A sheet of ours, or any CSV file with columns of pictures and classes, as taggers and `sengu predict` write it."""
    table, lines, faults = sheets.cells(path)
    if faults:
        raise SenguError(faults[0])
    names = {str(name).lower(): str(name) for name in table}
    pictures = [names[name.lower()] for name in PICTURE_COLUMNS if name.lower() in names]
    value = next((names[name] for name in VALUE_COLUMNS if name in names), None)
    if not pictures or value is None:
        raise SenguError(
            f"{path}:1: columns are {','.join(table.columns)}, expected one of {', '.join(PICTURE_COLUMNS)} "
            f"and one of {', '.join(VALUE_COLUMNS)}"
        )
    if len(table) and (table[value] == "").all():
        raise SenguError(f"{path}: none of its {len(table)} lines has a {value}: fill in that column, and import it again")
    if without := int((table[value] == "").sum()):
        logger.info("%s: left out, without a %s: %s", path, value, counted(without, "line"))
    for line, row in zip(lines, table.to_dict("records"), strict=True):
        picture = next((row[name] for name in pictures if row[name]), "")
        if row[value]:
            at = row.get("labelledAt") or row.get("updated_at") or row.get("created_at") or ""
            more = {name: row.get(name, "") for name in ("rule", "note")}
            yield Said(picture, row[value], f"{path}:{line}", row.get("annotator", ""), at, row.get("how") or "import", **more)


class Pictures:
    """Names of pictures in exports -> object ids: an id, a file name, the last part of one, a URL."""

    def __init__(self, objects: Sequence[str], filenames: Mapping[str, str], urls: Mapping[str, str]):
        """`filenames` and `urls` map to object ids; names that stand for several objects are mapped to an empty text."""
        self.names: dict[str, str] = {}
        for name in objects:
            self.names[name.partition(".")[0]] = self.names[name] = name
        self.paths = {**urls, **filenames}
        self.ends: dict[str, str] = {}
        for path, object_id in self.paths.items():
            end = unquote(path.rpartition("/")[2])
            self.ends[end] = object_id if self.ends.get(end, object_id) == object_id else ""

    def find(self, text: str) -> str | None:
        """The object that a picture of an export is; empty if it may be several, None if none."""
        for spelling in self._spellings(text):
            end = spelling.rpartition("/")[2]
            for name in (end.lower(), UPLOADED.sub("", end, count=1).lower()):  # the upload may be from an object tree
                for key in (name, name.partition(".")[0]):
                    if key in self.names:
                        return self.names[key]
            if spelling in self.paths:
                return self.paths[spelling]
        for spelling in self._spellings(text):
            end = spelling.rpartition("/")[2]
            for key in (end, UPLOADED.sub("", end, count=1)):
                if key in self.ends:
                    return self.ends[key]
        return None

    def _spellings(self, text: str) -> list[str]:
        parts = urlsplit(text.replace("\\", "/"))
        local = parse_qs(parts.query).get("d", [])  # Label Studio: /data/local-files/?d=folder/name.jpg
        return [text, text.replace("\\", "/"), *local, unquote(parts.path).lstrip("/")]
