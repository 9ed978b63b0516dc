"""`sengu rebuild` of a small repository whose libraries are wheels in a folder: by uv, in environments of their own."""

import os
import shutil
import zipfile
from pathlib import Path

import pytest
from project import ROOT, run
from reruns import stubs

from sengu.reruns import libraries

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("uv") is None, reason="there is no uv")]

PACKAGES = ("ada", "bea", "cleo", "dora", "edda", "fay")
PROGRAM = f"import sys, {', '.join(PACKAGES)}\nopen(sys.argv[2], 'w').write(f'value\\n{{dora.answer()}}\\n')\n"
SENGU = ("python", "-m", "sengu.commands.main", "rebuild", "--latest")


def wheel(folder: Path, name: str, version: str, code: str) -> None:
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", code)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository made with version 1 of six packages, one of which gives an answer."""
    for name in PACKAGES:
        wheel(tmp_path / "wheels", name, "1", "def answer():\n    return 42\n")
    folder = stubs.project(tmp_path / "project", {"extract": stubs.COPY, "train": stubs.COPY})
    (folder / "run_extract.py").write_text(PROGRAM)
    pins = ", ".join(f'"{name}==1"' for name in PACKAGES)
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "stub"\nversion = "1"\ndependencies = [{pins}]\n[project.optional-dependencies]\ntest = []\n'
    )
    (folder / "requirements.txt").write_text("".join(f"{name}==1 \\\n    --hash=sha256:0\n" for name in PACKAGES))
    programs = libraries_in(tmp_path, dict.fromkeys(PACKAGES, "1"))
    run(folder, "dvc", "repro", "--quiet", PATH=f"{programs}{os.pathsep}{os.environ['PATH']}")
    stubs.commit(folder, "libraries")
    run(folder, "dvc", "push", "--quiet")
    return folder


def libraries_in(tmp_path: Path, wanted: dict[str, str]) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in index(tmp_path).items():
            patch.setenv(name, value)
        return libraries.make(tmp_path / "first", wanted)


def index(tmp_path: Path) -> dict[str, str]:
    """Variables by which uv knows of the wheels in the folder, and of nothing else."""
    (tmp_path / "empty").mkdir(exist_ok=True)
    nowhere = (tmp_path / "empty").as_uri()
    return {
        "UV_FIND_LINKS": str(tmp_path / "wheels"),
        "UV_DEFAULT_INDEX": nowhere,
        "UV_INDEX": "",
        "PYTHONPATH": str(ROOT / "src"),
    }


def test_newest_libraries_that_change_nothing_become_a_branch(source: Path, tmp_path: Path) -> None:
    for name in PACKAGES[:2]:
        wheel(tmp_path / "wheels", name, "2", "def answer():\n    return 42\n")
    said = run(source, *SENGU, **index(tmp_path))
    assert "| ada | 1 | 2 |\n| bea | 1 | 2 |\n\n| stage" in said
    branch = said.splitlines()[-1].rpartition("...")[2]
    lock = run(source, "git", "show", f"{branch}:requirements.txt")
    assert "ada==2" in lock
    assert str(tmp_path) not in lock and "sengu-rerun" not in lock
    pyproject = run(source, "git", "show", f"{branch}:pyproject.toml")
    assert '"ada==2"' in pyproject and '"dora==1"' in pyproject
    assert "| ada | 1 | 2 |" in run(source, "git", "show", f"{branch}:reports/rebuild.md")
    assert "ada==1" in (source / "requirements.txt").read_text()
    assert not run(source, "git", "status", "--porcelain")


def test_the_package_that_breaks_a_stage_is_named(source: Path, tmp_path: Path) -> None:
    for name in PACKAGES:
        wheel(tmp_path / "wheels", name, "2", "" if name == "dora" else "def answer():\n    return 42\n")
    said = stubs.fails(source, *SENGU, **index(tmp_path))
    assert "error: the newest libraries do not reproduce this project; guilty: dora (" in said
    assert "has no attribute 'answer'" in (source / "reports/rebuild.md").read_text()
    assert run(source, "git", "branch", "--list", "rebuild/*") == ""
