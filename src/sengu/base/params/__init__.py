"""Reads params.yaml -> frozen dataclasses, one per section; an unknown key or a wrong type is an error that names it."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sengu.base.errors import SenguError
from sengu.base.params.remote import Bucket, Prices, RemoteParams, Retention, StoragePrice, Tiering
from sengu.base.params.sections import (
    Augmentation,
    Backbone,
    Evaluate,
    Export,
    FineTune,
    Head,
    LabelErrors,
    LabelParams,
    Objects,
    Phase,
    Prepare,
    Project,
    Split,
    Threshold,
    Train,
    Video,
)
from sengu.base.params.sites import SOURCES, Archived, Fetch, FolderFetch, GenericFetch, Read, S3Fetch, Site, WarcFetch
from sengu.base.params.upload import UploadDevice
from sengu.base.params.values import Archives, Engine

PARAMS = Path("params.yaml")
SET = "labels_"  # and its name: the folder of another label set

Section = TypeVar("Section")

SECTIONS: Mapping[str, Any] = {
    "project": Project,
    "sites": dict[str, Site],
    "objects": Objects,
    "label": LabelParams,
    "label_sets": dict[str, LabelParams],
    "split": Split,
    "prepare": Prepare,
    "backbone": Backbone,
    "train": Train,
    "label_errors": LabelErrors,
    "evaluate": Evaluate,
    "export": Export,
    "remote": RemoteParams,
    "upload": dict[str, UploadDevice],
    "engine": Engine,
    "archives": Archives,
}
__all__ = [
    "PARAMS",
    "SECTIONS",
    "Archived",
    "Archives",
    "Augmentation",
    "Backbone",
    "Bucket",
    "Evaluate",
    "Export",
    "Fetch",
    "FineTune",
    "FolderFetch",
    "GenericFetch",
    "Head",
    "LabelErrors",
    "LabelParams",
    "Objects",
    "Phase",
    "Prepare",
    "Prices",
    "Project",
    "Read",
    "RemoteParams",
    "Retention",
    "S3Fetch",
    "Site",
    "Split",
    "StoragePrice",
    "Threshold",
    "Tiering",
    "Train",
    "UploadDevice",
    "Video",
    "WarcFetch",
    "archives",
    "check_site_name",
    "document",
    "engine",
    "labelling",
    "project",
    "remote",
    "section",
    "site_names",
    "upload",
]


def section(name: str, kind: type[Section], path: Path = PARAMS) -> Section:
    """The section `name` of the params file (dots go deeper) as `kind`. Raises SenguError naming file, key and value."""
    value = document(path)
    for position, key in enumerate(keys := name.split(".")):
        if not isinstance(value, dict) or key not in value:
            raise SenguError(f"{path}: {'.'.join(keys[: position + 1])} is missing: add it, see params.yaml in the repository")
        value = value[key]
    return _validated(value, kind, name, path)


def engine(path: Path = PARAMS) -> str:
    """The place where the file-parallel stages run. No stage depends on it: the results are the same everywhere."""
    return section("engine", Engine, path) if "engine" in document(path) else "processes"


def archives(path: Path = PARAMS) -> Archives:
    """The place from which stages read payloads of archive files. No stage depends on it, as with `engine`.

    Raises SenguError if the objects have files of their own, where nothing would heed it.
    """
    if "archives" not in document(path):
        return "local"
    where: Archives = section("archives", Archives, path)  # type: ignore[arg-type]  # pydantic takes a Literal, too
    if where == "remote" and section("objects", Objects, path).tree:
        raise SenguError(
            f"{path}: archives is remote, which needs objects without files of their own: set objects.tree to false, "
            "or archives to local"
        )
    return where


def labelling(folder: Path, path: Path = PARAMS) -> tuple[str, LabelParams]:
    """The section that says how to label, and its name, by the folder that holds a label set's sheets or tables.

    `labels/` and `data/` are those of the section `label`; `labels_NAME/` and `data/labels_NAME/` of `label_sets.NAME`, which
    asks another question about the same pictures.
    """
    name = f"label_sets.{folder.name.removeprefix(SET)}" if folder.name.startswith(SET) else "label"
    return name, section(name, LabelParams, path)


def project(path: Path = PARAMS) -> Project:
    """The facts about the whole project; all empty if the file has no such section."""
    return section("project", Project, path) if "project" in document(path) else Project()


def remote(path: Path = PARAMS) -> RemoteParams:
    """The settings of `sengu remote`. No stage depends on them."""
    return section("remote", RemoteParams, path) if "remote" in document(path) else RemoteParams()


def upload(path: Path = PARAMS) -> dict[str, UploadDevice]:
    """The devices that may send pictures to the labelling page, by name. It is not a dependency of any stage."""
    return section("upload", dict[str, UploadDevice], path) if "upload" in document(path) else {}


def document(path: Path = PARAMS) -> dict[str, Any]:
    """The whole params file as plain values, its section names checked."""
    if not path.is_file():
        raise SenguError(f"{path} is missing: run this in the folder that holds it")
    try:
        value = YAML(typ="safe").load(path.read_text(encoding="utf-8"))  # YAML 1.2, as DVC reads it: `yes` is a text
    except (YAMLError, UnicodeDecodeError) as error:
        raise SenguError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(value, dict):
        raise SenguError(f"{path}: expected sections such as `split:`, found {type(value).__name__}")
    for key in value:
        if key not in SECTIONS:
            raise SenguError(f"{path}: unknown section {key!r}: expected one of {', '.join(SECTIONS)}")
    return value


def site_names(path: Path = PARAMS) -> list[str]:
    """The sites, by name; params.yaml is the only list of them."""
    names = sorted(section("sites", dict[str, Any], path))
    if not names:
        raise SenguError(f"{path}: sites is empty: list at least one, see README.md")
    for name in names:
        check_site_name(name, path)
    return names


def check_site_name(name: str, path: Path = PARAMS) -> None:
    """Raises SenguError for a name that cannot be one of a stage and of files."""
    if not re.fullmatch(r"\w[\w-]*", name, re.ASCII):
        raise SenguError(f"{path}: site name {name!r}: use letters, digits, _ and - (DVC cannot take dots or spaces)")


def _validated(value: Any, kind: type[Section], name: str, path: Path) -> Section:
    try:
        text = json.dumps(value)
    except TypeError as error:
        raise SenguError(f"{path}: {name}: {error}: write dates and other special values in quotes") from error
    try:
        # params.yaml has lists only; strict mode would refuse them for tuples, but the JSON rules take them
        return TypeAdapter(kind).validate_json(text)
    except ValidationError as error:
        # a misspelt key is reported as missing, too; the user needs to see the misspelling
        first = min(error.errors(include_url=False), key=lambda e: e["type"] != "unexpected_keyword_argument")
        parts = [str(part) for part in first["loc"]]
        # after `fetch` pydantic names the source, which is no key
        place = ".".join([name, *(p for i, p in enumerate(parts) if i == 0 or parts[i - 1] != "fetch" or p not in SOURCES)])
        message = {"unexpected_keyword_argument": "unknown key", "missing": "missing", "missing_argument": "missing"}.get(
            first["type"], first["msg"].removeprefix("Value error, ")
        )
        instead = "" if first["type"] in ("missing", "missing_argument") else f" (found {_shown(first['input'])})"
        raise SenguError(f"{path}: {place}: {message}{instead}{_choices(kind, first)}") from error


def _shown(value: Any) -> str:
    """A value as an error shows it, without user name and password, which do not belong in a log."""
    return re.sub(r"(?<![^\s/'\"@])[^\s/'\"@]++@", "…@", repr(value)) if "@" in repr(value) else repr(value)


def _choices(kind: Any, error: Any) -> str:
    if error["type"] != "unexpected_keyword_argument":
        return ""
    return f"; the keys are {', '.join(field.name for field in fields(_inside(kind, error['loc'][:-1])))}"


def _inside(kind: Any, places: Iterable[str | int]) -> Any:
    """The dataclass that stands at a place of pydantic's, which names the source of a Fetch as if it were a key."""
    for place in places:
        if is_dataclass(kind):
            kind = get_type_hints(kind)[str(place)]
        elif get_origin(kind) in (dict, list):
            kind = get_args(kind)[-1]
        else:
            kind = next(choice for choice in get_args(kind) if place in get_args(get_type_hints(choice)["source"]))
        if type(None) in get_args(kind):
            kind = next(choice for choice in get_args(kind) if is_dataclass(choice))
    return kind
