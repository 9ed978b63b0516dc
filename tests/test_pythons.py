"""Data outputs have the same bytes under every supported Python that this machine has."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from project import ROOT, attempt, copy_of_the_project, run

from sengu.base import tables
from sengu.base.tables import versions

SUPPORTED = ("3.11", "3.12", "3.13")
OWN = f"{sys.version_info.major}.{sys.version_info.minor}"
# what the stages from extract to prepare do not import
LEFT_OUT = {
    "cleanlab", "dask", "distributed", "dvc", "dvc-s3", "dvclive", "gto", "kagglehub", "tensorflow", "tensorflow-hub", "tf-keras",
    "tf2onnx",
}  # fmt: skip
STAGES = """
set -e
python -m crawlers.extract demo_a data/raw/demo_a data/captures/demo_a.csv
python -m sengu.stages.objects data/raw/demo_a data/captures/demo_a.csv tombstones.csv data/object/demo_a data/index/demo_a.csv \\
  data/rejected/demo_a.csv
python -m sengu.stages.duplicates data/index data/object duplicate_groups.csv data/duplicates.csv
python -m sengu.stages.version data/version.txt
python -m sengu.stages.split data/dataset/v1 data/duplicates.csv data/version.txt data/split_label.csv
python -m sengu.stages.prepare data/split_label.csv data/object data/pixels
"""


def interpreter(version: str) -> str | None:
    """A Python of a version that runs, from PATH or from pyenv; None if there is none."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    places = [shutil.which(f"python{version}"), *map(str, sorted(root.glob(f"versions/{version}.*/bin/python")))]
    return next((place for place in filter(None, places) if subprocess.run([place, "-c", ""], check=False).returncode == 0), None)


def needed() -> list[str]:
    """The distributions of pyproject.toml that the stages may import, and what builds the project."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        dependencies = tomllib.load(file)["project"]["dependencies"]
    return [name for line in dependencies if (name := Requirement(line).name) not in LEFT_OUT] + ["wheel"]


def closure(names: list[str]) -> set[str]:
    """The distributions that these need, by the metadata of those installed here."""
    found: set[str] = set()
    waiting = [canonicalize_name(name) for name in names]
    while waiting:
        name = waiting.pop()
        try:
            requires = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        if name not in found:
            found.add(name)
            parsed = map(Requirement, requires)
            waiting += [canonicalize_name(one.name) for one in parsed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


def locked(names: set[str]) -> str:
    """The blocks of the lock file for these distributions, hashes and all."""
    blocks = re.split(r"\n(?=\S)", (ROOT / "requirements.txt").read_text())
    return "\n".join(block for block in blocks if canonicalize_name(block.partition("==")[0]) in names) + "\n"


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with the archive of one demo site and a dataset version."""
    folder = copy_of_the_project(tmp_path_factory.mktemp("archived") / "project")
    text = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(re.sub(r"(?m)^  demo_b:\n(?:    .*\n)+", "", text))
    of_site = "data/object/demo_a data/index/demo_a.csv data/rejected/demo_a.csv"
    of_all = "data/captures data/index data/rejected data/label.csv data/label_conflicts.csv data/label_details.csv"
    for command in (
        "crawlers.crawl demo_a data/raw/demo_a data/failed/demo_a.csv",
        "crawlers.extract demo_a data/raw/demo_a data/captures/demo_a.csv",
        f"sengu.stages.objects data/raw/demo_a data/captures/demo_a.csv tombstones.csv {of_site}",
        f"sengu.stages.label labels tombstones.csv {of_all}",
    ):
        run(folder, sys.executable, "-m", *command.split())
    labels = tables.read(folder / "data/label.csv", tables.Label)
    (folder / "data/dataset").mkdir(parents=True)
    versions.write(folder / "data/dataset/v1", versions.describe("v1", ["dots", "stripes"], labels), labels)
    return folder


def outputs(archived: Path, folder: Path, path: str) -> dict[str, bytes]:
    """What the data stages make in `folder` of the same archive, under the Python that comes first in `path`."""
    shutil.copytree(
        archived, folder, symlinks=True, ignore=shutil.ignore_patterns(".sengu", "object", "captures", "index", "__pycache__")
    )
    for name in ("captures", "index", "object"):
        (folder / "data" / name).mkdir(exist_ok=True)
    done = attempt(folder, "bash", "-c", STAGES, PATH=path)
    assert done.returncode == 0, done.stdout[-3000:]
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted((folder / "data").rglob("*")) if path.is_file()
    }


@pytest.fixture(scope="module")
def here(archived: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The outputs under the Python of this environment."""
    return outputs(archived, tmp_path_factory.mktemp("here") / "project", f"{Path(sys.executable).parent}:{os.environ['PATH']}")


@pytest.mark.slow
@pytest.mark.parametrize("version", [version for version in SUPPORTED if version != OWN])
def test_data_outputs_are_the_same_under_another_python(
    version: str, archived: Path, here: dict[str, bytes], tmp_path: Path
) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"this machine has no Python {version}")
    venv = tmp_path / "venv"
    run(tmp_path, "uv", "venv", "--quiet", "--python", python, str(venv))
    (tmp_path / "requirements.txt").write_text(locked(closure(needed())))
    install = ("uv", "pip", "install", "--quiet", "--python", str(venv / "bin/python"), "--no-deps")
    run(tmp_path, *install, "--require-hashes", "--requirement", "requirements.txt")
    run(archived, *install, "--no-build-isolation", "--editable", ".")
    there = outputs(archived, tmp_path / "there", f"{venv / 'bin'}:{os.environ['PATH']}")
    assert here.keys() == there.keys()
    assert len([name for name in here if name.startswith("data/object")]) > 500
    assert [name for name in here if here[name] != there[name]] == []
