"""dvc.yaml and datasets/dvc.yaml -> their stages and outputs; versions are written into the latter as text.

It edits text, so that every other line, its spacing and its comments stay the same.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sengu.base.atomic import replaced_file
from sengu.base.errors import SenguError

PIPELINE = Path("dvc.yaml")
DATASETS = Path("datasets/dvc.yaml")
PER_SITE = ("crawl", "extract", "objects")  # the stages of dvc.yaml that run once for each site


@dataclass(frozen=True)
class NewVersion:
    """The stage of a version to be written; `lines` are those of its command, which starts in the root of the repository."""

    name: str
    lines: Sequence[str]
    desc: str
    deps: Sequence[str]
    params: Sequence[str]


def outputs(name: str) -> Iterator[Path]:
    """The paths of the outputs of a site, from dvc.yaml."""
    stages = yaml.safe_load(PIPELINE.read_text(encoding="utf-8"))["stages"]
    for stage in PER_SITE:
        for out in stages[stage]["do"]["outs"]:
            yield Path(str(next(iter(out)) if isinstance(out, dict) else out).replace("${key}", name))


def versions(path: Path = DATASETS) -> dict[str, Any]:
    """The stages of the dataset versions, by name. Raises SenguError for a file that is not YAML or has a name twice."""
    if not path.is_file():
        raise SenguError(f"{path} is missing: restore it with `git checkout -- {path}`")
    return dict(parsed(path.read_text(encoding="utf-8"), str(path)).get("stages") or {})


def parsed(text: str, name: str) -> dict[str, Any]:
    """A file of stages as plain values. PyYAML would silently take the later of two stages of one name."""
    try:
        document = YAML(typ="safe", pure=True).load(text) or {}
    except YAMLError as error:
        words = " ".join(str(error).split())
        cure = (
            "two branches have a version of this name: rename one of them" if "duplicate key" in words else "correct it by hand"
        )
        if "<<<<<<<" in text:
            cure = "a merge stopped here: resolve it; if two branches have a version of one name, rename one of them"
        raise SenguError(f"{name}: {words.partition(' To suppress')[0]}: {cure}") from error
    if not isinstance(document, dict):
        raise SenguError(f"{name}: expected stages, found {type(document).__name__}: correct it by hand")
    return document


def add_version(version: NewVersion, path: Path = DATASETS) -> None:
    """Appends a stage with one output, data/dataset/<name>, and its artifact.

    Raises SenguError if the stage exists.
    """
    name, desc = version.name, version.desc
    if name in versions(path):
        raise SenguError(f"{path}: there is a version {name} already: edit it there, or choose another name")
    text = path.read_text(encoding="utf-8")
    out, quoted = f"data/dataset/{name}", json.dumps(desc, ensure_ascii=False)
    command = " ".join(version.lines)
    stage = [
        f"  {name}:",
        f"    desc: {quoted}",
        "    wdir: ..",
        "    cmd: >-",
        *(f"      {line}" for line in version.lines),
        *_listed("params", version.params),
        *_listed("deps", version.deps),
        *_listed("outs", [out]),
    ]
    artifact = [f"  {name}:", f"    path: ../{out}", "    type: dataset", f"    desc: {quoted}"]
    document = parsed(text, str(path))
    expected = dict(document)
    values = {
        "desc": desc,
        "wdir": "..",
        "cmd": command,
        "params": list(version.params),
        "deps": list(version.deps),
        "outs": [out],
    }
    values = {key: value for key, value in values.items() if value or key == "desc"}
    expected["stages"] = {**(document.get("stages") or {}), name: values}
    expected["artifacts"] = {
        **(document.get("artifacts") or {}),
        name: {"path": f"../{out}", "type": "dataset", "desc": desc},
    }
    _write(path, _appended(_appended(text, "stages", stage), "artifacts", artifact), expected)


def freeze_version(name: str, meta: Mapping[str, str], path: Path = DATASETS) -> None:
    """Sets `frozen: true` and adds to `meta` of a stage, each as a line behind its name."""
    text = path.read_text(encoding="utf-8")
    document = parsed(text, str(path))
    stage = document["stages"][name]
    expected = {**document, "stages": {**document["stages"], name: {**stage, "frozen": True, "meta": dict(meta)}}}
    lines = text.splitlines(keepends=True)
    start = _line_of(lines, name, path)
    end = next((i for i in range(start + 1, len(lines)) if _is_sibling(lines[i])), len(lines))
    body = list(_without_keys(lines[start + 1 : end], ("frozen", "meta")))
    new = ["    frozen: true\n", f"    meta: {json.dumps(dict(meta))}\n"]
    _write(path, "".join([*lines[: start + 1], *new, *body, *lines[end:]]), expected)


def _listed(key: str, entries: Sequence[str]) -> list[str]:
    return [f"    {key}:", *(f"      - {entry}" for entry in entries)] if entries else []


def _appended(text: str, section: str, block: Sequence[str]) -> str:
    """A file with a block at the end of one of its sections; a missing section is added."""
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith(f"{section}:")), None)
    if start is None:
        return "\n".join([*lines, "", f"{section}:", *block, ""])
    lines[start] = lines[start].replace("{}", "").rstrip()
    end = next((i for i in range(start + 1, len(lines)) if lines[i] and not lines[i].startswith((" ", "#"))), len(lines))
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1  # blank lines and comments belong to what follows
    gap = [""] if section == "stages" and end > start + 1 else []
    return "\n".join([*lines[:end], *gap, *block, *lines[end:], ""])


def _line_of(lines: Sequence[str], name: str, path: Path) -> int:
    section = ""
    for i, line in enumerate(lines):
        if line[:1] not in (" ", "#", "\n", ""):
            section = line.partition(":")[0]
        if (
            section == "stages"
            and line.split("#")[0].strip().strip("'\"").rstrip(":").strip("'\"") == name
            and line.startswith("  ")
        ):
            return i
    raise SenguError(f"{path}: the stage {name} is laid out in a way that cannot be edited here: edit it by hand")


def _is_sibling(line: str) -> bool:
    """True if a line begins the next stage or section. A comment between them belongs to what follows."""
    return bool(line.strip()) and len(line) - len(line.lstrip()) <= 2


def _without_keys(lines: Sequence[str], keys: Sequence[str]) -> Iterator[str]:
    dropping = False
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if line.strip() and indent <= 4:
            dropping = line.strip().partition(":")[0] in keys
        if not dropping:
            yield line


def _write(path: Path, text: str, expected: dict[str, Any]) -> None:
    """Replaces the file, if the new text parses as intended: editing text is less certain than editing values."""
    if parsed(text, str(path)) != expected:
        raise SenguError(f"{path} is laid out in a way that cannot be edited here: edit it by hand, see docs/datasets.md")
    with replaced_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
