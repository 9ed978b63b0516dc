"""Runs of the demo's pipeline that are killed, or that cannot begin."""

import sys
from pathlib import Path

import pytest
from project import ROOT, attempt, copy_of_the_project, data_stages, kill_at, run

pytestmark = pytest.mark.slow

SIGNS = {"crawl": "data/raw/demo_b/*.open", "objects": "data/object/demo_a/*/*/*.jpg", "prepare": "data/.pixels.partial"}


def test_a_run_that_is_killed_again_and_again_goes_on_to_the_same_result(tmp_path: Path) -> None:
    folder = copy_of_the_project(tmp_path / "project")
    for sign in SIGNS.values():
        kill_at(folder, sign, "dvc", "repro", "prepare")
    run(folder, "dvc", "repro", "prepare")
    assert data_stages(folder) == data_stages(ROOT)
    leftovers = list((folder / "data").rglob("*.partial"))
    assert not leftovers


def test_a_stage_run_by_the_wrong_python_names_the_cure(tmp_path: Path) -> None:
    folder = copy_of_the_project(tmp_path / "project")
    base = Path(sys.base_prefix) / "bin"
    wrong = tmp_path / "bin"
    wrong.mkdir()
    (wrong / "python").symlink_to(base / f"python3.{sys.version_info.minor}")
    for name in ("crawl@demo_a", "backbone"):
        done = attempt(
            folder, str(Path(sys.executable).parent / "dvc"), "repro", "--single-item", name, PATH=f"{wrong}:/usr/bin:/bin"
        )
        assert done.returncode != 0
        assert "source .venv/bin/activate" in done.stdout


def test_a_missing_stage_input_is_named(tmp_path: Path) -> None:
    done = attempt(copy_of_the_project(tmp_path / "project"), "dvc", "repro", "--single-item", "split")
    assert done.returncode != 0
    assert "data/dataset/v1" in done.stdout
