"""dvc.yaml against the code: DVC cannot see imports, so this is what stops stale results."""

import importlib
import json
import re
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

import grimp
import pytest
import yaml
from project import ROOT, copy_of_the_project, run

from sengu.base.params import SECTIONS
from sengu.datasets import recipe

# sections that a stage reads besides its own: the network must fit the pictures, and a release tells how it was made
SINGLE_FILES = ("stages", "commands")  # their modules are independent of each other
MOST_CODE_DEPS = 10
READ_TOO = {
    "backbone": {"prepare"},
    "export": {"prepare", "backbone", "project"},
    "evaluate": {"train", "prepare", "backbone"},
    "split": {"train"},
    "version": {"split"},
}


def stages() -> dict[str, dict[str, Any]]:
    """Every stage of both files by name; a foreach stage as its `do`, for the site that stands for all."""
    found = {}
    for path in ("dvc.yaml", "datasets/dvc.yaml"):
        for name, stage in yaml.safe_load((ROOT / path).read_text())["stages"].items():
            found[name] = stage.get("do", stage)
    return found


def is_code(dep: str) -> bool:
    return dep.startswith(("src/", "crawlers"))


def commands(stage: dict[str, Any]) -> list[str]:
    """The commands of a stage; what comes before the last one only looks whether it may run."""
    return [stage["cmd"]] if isinstance(stage["cmd"], str) else list(stage["cmd"])


def module(stage: dict[str, Any]) -> str:
    return str(commands(stage)[-1].split()[2])


def is_version(name: str) -> bool:
    return name in yaml.safe_load((ROOT / "datasets/dvc.yaml").read_text())["stages"]


LONGEST_DESC = 80  # `dvc stage list` cuts what is longer


@pytest.mark.parametrize("name", stages())
def test_a_desc_is_shown_whole(name: str) -> None:
    assert 0 < len(stages()[name]["desc"]) <= LONGEST_DESC


def paths(entries: list[Any]) -> list[str]:
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph("sengu", "crawlers", cache_dir=None)  # its cache missed new modules


def room(name: str) -> str | None:
    """The dep that stands for a module: its room, or the file itself for a stage and for what is a room of one file."""
    package, _, rest = name.partition(".")
    if package == "crawlers":
        return package
    first, _, below = rest.partition(".")
    if first in SINGLE_FILES:
        return f"src/sengu/{first}/{below}.py" if below else None
    place = Path("src/sengu") / first if first else Path("src/sengu/__init__")
    return str(place if first and (ROOT / place).is_dir() else place.with_suffix(".py"))


def closure(name: str, imports: grimp.ImportGraph) -> list[str]:
    """The rooms of a module and of everything of ours that it imports, the stage itself last."""
    rooms = {room(module) for module in {name, "sengu"} | imports.find_upstream_modules(name)} - {None}
    return sorted((str(path) for path in rooms), key=lambda path: ("/stages/" in path, path))


@pytest.mark.parametrize("name", stages())
def test_stage_module_and_params_share_a_name(name: str) -> None:
    stage = stages()[name]
    expected = "dataset" if is_version(name) else name
    assert module(stage).rpartition(".")[2] == expected
    sections = {param.partition(".")[0] for param in stage.get("params", [])}
    of_site = {"sites"} if name in ("crawl", "extract", "objects") else set()
    if is_version(name):  # one with parents alone has their classes
        of_site = {"label", "project"} if "--labels" in stage["cmd"] else {"project"}
    assert sections == of_site | ({name} & set(SECTIONS)) | READ_TOO.get(name, set())


@pytest.mark.parametrize("name", [name for name in stages() if not is_version(name)])
def test_desc_is_the_first_line_of_the_module(name: str) -> None:
    stage = stages()[name]
    source = importlib.util.find_spec(module(stage)).origin
    docstring = re.match(r'"""(.*?)(\n|""")', Path(source).read_text()).group(1)
    assert stage["desc"] == docstring


def test_every_version_is_described() -> None:
    assert all(stage["desc"] for name, stage in stages().items() if is_version(name))


@pytest.mark.parametrize("name", [name for name in stages() if is_version(name)])
def test_paths_in_a_recipe_are_the_deps_and_the_output(name: str) -> None:
    stage = stages()[name]
    made = recipe.of_stage(stage)
    if made is not None:  # else a script of its own
        assert [dep for dep in stage["deps"] if not is_code(dep)] == made.inputs()
        assert stage["outs"] == [str(made.version)]
        assert stage["cmd"] == " ".join(made.command())


@pytest.mark.parametrize("name", [name for name in stages() if not is_version(name)])
def test_paths_of_the_command_are_the_deps_and_outs(name: str) -> None:
    stage = stages()[name]
    command = [word for word in commands(stage)[-1].split()[3:] if word != "${key}"]
    data = [dep for dep in stage.get("deps", []) if not is_code(dep)]
    assert command == data + paths(stage["outs"]) + paths(stage.get("metrics", []))


@pytest.mark.parametrize("name", [name for name in stages() if name != "crawl"])
def test_code_deps_are_the_import_closure(name: str, imports: grimp.ImportGraph) -> None:
    stage = stages()[name]
    expected = closure(module(stage), imports)
    assert [dep for dep in stage["deps"] if is_code(dep)] == expected, "\n" + "\n".join(f"- {p}" for p in expected)
    assert len(expected) <= MOST_CODE_DEPS


def test_every_room_stands_in_the_contract_of_layers() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["name"] == "Imports go down only")
    named = {name.strip() for layer in layers for name in layer.split("|")}
    places = [path for path in (ROOT / "src/sengu").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()]
    assert named == {"crawlers"} | {f"sengu.{path.stem}" for path in places if path.name != "__init__.py"}


@pytest.mark.parametrize("path", [path for path in (ROOT / "src/sengu").rglob("__init__.py") if path.parent.name != "sengu"])
def test_every_room_says_what_it_is_for(path: Path) -> None:
    assert re.match(r'"""[A-Z].+', path.read_text())


# what is edited -> the stages that see another dep; what depends on their outputs follows
EDITS = {
    "src/sengu/evaluation/report.html": {"evaluate"},
    "src/sengu/evaluation/plots.py": {"evaluate"},
    "src/sengu/commands/similar.py": set(),
    "tests/project.py": set(),
    "src/sengu/training/phases.py": {"train", "evaluate"},
    "src/sengu/backbones/downloads.py": {"backbone"},
    "src/sengu/labels/sheets.py": {"label", "label_errors", "v1"},
    "src/sengu/datasets/lineage.py": {"version", "v1"},
    "src/sengu/base/.ids.py.swp": set(),
    "src/sengu/base/ids.py~": set(),
    "src/sengu/pictures/.DS_Store": set(),
    "crawlers/spiders/4913": set(),
}


@pytest.mark.slow
def test_an_edit_reruns_what_it_concerns(rebuilt: Path, tmp_path: Path) -> None:
    folder = copy_of_the_project(tmp_path / "copy")
    for lock in ("dvc.lock", "datasets/dvc.lock"):
        shutil.copy(rebuilt / lock, folder / lock)
    assert changed_code(folder) == {}
    for name, expected in EDITS.items():
        path = folder / name
        before = path.read_bytes() if path.exists() else None
        path.write_bytes((before or b"") + b"\n")
        found = changed_code(folder)
        assert set(found) == expected, name
        path.write_bytes(before) if before is not None else path.unlink()
    (folder / "crawlers/media.py").write_bytes(b"")
    assert {stage.partition("@")[0] for stage in changed_code(folder)} == {"extract"}


def changed_code(folder: Path) -> dict[str, list[str]]:
    """Stage -> its code deps that are not what the lock file says; there are no outputs in this copy."""
    found = {}
    for stage, states in json.loads(run(folder, "dvc", "status", "--json")).items():
        deps = [
            name
            for state in states
            if isinstance(state, dict)
            for name, how in state.get("changed deps", {}).items()
            if is_code(name) and how == "modified"
        ]
        if deps:
            found[stage.rpartition(":")[2]] = deps
    return found


def test_train_first_looks_whether_final_versions_changed() -> None:
    assert commands(stages()["train"])[0].startswith("python -m sengu.commands.main dataset check --quiet")


def test_no_finalised_version_has_changed() -> None:
    run(ROOT, sys.executable, "-m", "sengu.commands.main", "dataset", "check", "--quiet")


def test_crawl_lists_no_code() -> None:
    assert "deps" not in stages()["crawl"]


def test_the_pipeline_reads_as_the_design_orders_it() -> None:
    order = [
        "crawl",
        "extract",
        "objects",
        "label",
        "duplicates",
        "version",
        "split",
        "prepare",
        "backbone",
        "features",
        "train",
        "label_errors",
        "evaluate",
        "export",
        "embed",
        "v1",
    ]
    assert list(stages()) == order


def test_a_copy_of_the_project_runs_its_own_code(tmp_path: Path) -> None:
    folder = copy_of_the_project(tmp_path / "copy")
    (folder / "src/sengu/stages/split.py").write_text("from sengu.base import tables\nprint(tables.__file__)\n")
    assert run(folder, sys.executable, "-m", "sengu.stages.split") == f"{folder / 'src/sengu/base/tables/__init__.py'}\n"
