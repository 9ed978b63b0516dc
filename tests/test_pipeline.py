"""dvc.yaml against the code: DVC cannot see imports, so this is what stops stale results."""

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import grimp
import pytest
import yaml
from project import ROOT, copy_of_the_project, run

from sengu.base.params import SECTIONS

SPIDERS = "crawlers/spiders"
# sections that a stage reads besides its own: the network must fit the pictures, and a release tells how it was made
READ_TOO = {"backbone": {"prepare"}, "export": {"prepare", "backbone"}}


def stages() -> dict[str, dict[str, Any]]:
    """Every stage of both files by name; a foreach stage as its `do`, for the site that stands for all."""
    found = {}
    for path in ("dvc.yaml", "datasets/dvc.yaml"):
        for name, stage in yaml.safe_load((ROOT / path).read_text())["stages"].items():
            found[name] = stage.get("do", stage)
    return found


def is_code(dep: str) -> bool:
    return dep.endswith((".py", ".html")) or dep == SPIDERS


def module(stage: dict[str, Any]) -> str:
    return str(stage["cmd"].split()[2])


def paths(entries: list[Any]) -> list[str]:
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph("sengu", "crawlers", cache_dir=None)  # its cache missed new modules


def closure(name: str, imports: grimp.ImportGraph) -> list[str]:
    """The files of a module and of everything of ours that it imports, with the packages that hold them."""
    modules = {name} | imports.find_upstream_modules(name)
    modules |= {m.rpartition(".")[0] for m in modules if "." in m} | {m.partition(".")[0] for m in modules}
    files = []
    for m in modules:
        folder = ROOT / ("src" if m.startswith("sengu") else ".") / m.replace(".", "/")
        files.append(folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py"))
    files += [template for path in files if (template := path.with_suffix(".html")).exists()]
    # the spiders are one dep: which of them a site needs stands in params.yaml
    names = (path.relative_to(ROOT).as_posix() for path in files if path.read_text())
    return sorted({SPIDERS if path.startswith(SPIDERS) else path for path in names})


@pytest.mark.parametrize("name", stages())
def test_stage_module_and_params_share_a_name(name: str) -> None:
    stage = stages()[name]
    expected = "dataset" if re.fullmatch(r"v\d+", name) else name
    assert module(stage).rpartition(".")[2] == expected
    sections = {param.partition(".")[0] for param in stage.get("params", [])}
    of_site = {"sites"} if name in ("crawl", "extract", "objects") else {"label"} if expected == "dataset" else set()
    assert sections == of_site | ({name} & set(SECTIONS)) | READ_TOO.get(name, set())


@pytest.mark.parametrize("name", stages())
def test_desc_is_the_first_line_of_the_module(name: str) -> None:
    stage = stages()[name]
    source = importlib.util.find_spec(module(stage)).origin
    docstring = re.match(r'"""(.*?)(\n|""")', Path(source).read_text()).group(1)
    assert stage["desc"] == docstring


@pytest.mark.parametrize("name", stages())
def test_paths_of_the_command_are_the_deps_and_outs(name: str) -> None:
    stage = stages()[name]
    command = [word for word in stage["cmd"].split()[3:] if word != "${key}"]
    data = [dep for dep in stage.get("deps", []) if not is_code(dep)]
    assert command == data + paths(stage["outs"]) + paths(stage.get("metrics", []))


@pytest.mark.parametrize("name", [name for name in stages() if name != "crawl"])
def test_code_deps_are_the_import_closure(name: str, imports: grimp.ImportGraph) -> None:
    stage = stages()[name]
    expected = closure(module(stage), imports)
    assert [dep for dep in stage["deps"] if is_code(dep)] == expected, "\n" + "\n".join(f"- {p}" for p in expected)


def test_crawl_lists_no_code() -> None:
    assert "deps" not in stages()["crawl"]


def test_the_pipeline_reads_as_the_design_orders_it() -> None:
    order = [
        "crawl",
        "extract",
        "objects",
        "label",
        "duplicates",
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
    (folder / "src/sengu/stages/split.py").write_text("from sengu import tables\nprint(tables.__file__)\n")
    assert run(folder, sys.executable, "-m", "sengu.stages.split") == f"{folder / 'src/sengu/tables.py'}\n"
