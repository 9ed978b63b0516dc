"""datasets/dvc.yaml is edited as text: comments and spacing stay."""

import difflib
import re
from pathlib import Path

import pytest
from project import run

from sengu.base.errors import SenguError
from sengu.repository import pipeline

TEXT = """# of versions

stages:
  v1: # the first
    wdir: ..
    # why
    cmd: make   it
    outs: [data/dataset/v1]

# what others fetch
artifacts:
  v1: { path: ../data/dataset/v1, type: dataset }
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "dvc.yaml").write_text(TEXT)
    return tmp_path / "dvc.yaml"


def test_a_version_is_added_and_nothing_else_changes(path: Path) -> None:
    pipeline.add_version(
        pipeline.NewVersion("B", ["make B", '--purpose "a: #b"'], 'it is "B"', ["data/dataset/v1"], ["project"]), path
    )
    lines = path.read_text().splitlines()
    assert pipeline.versions(path)["B"]["cmd"] == 'make B --purpose "a: #b"'
    changes = [line for line in difflib.ndiff(TEXT.splitlines(), lines) if not line.startswith(("  ", "?"))]
    assert all(line.startswith("+") for line in changes)
    assert lines.index("  B:") < lines.index("# what others fetch") < lines.index("artifacts:")


def test_a_version_is_frozen_and_nothing_else_changes(path: Path) -> None:
    pipeline.freeze_version("v1", {"finalised": "1.0.0"}, path)
    new = ["    frozen: true", '    meta: {"finalised": "1.0.0"}']
    lines = TEXT.splitlines()
    assert path.read_text().splitlines() == [*lines[:4], *new, *lines[4:]]
    pipeline.freeze_version("v1", {"finalised": "1.0.1"}, path)
    assert path.read_text().count("frozen") == 1


def test_the_first_version_of_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    pipeline.add_version(pipeline.NewVersion("A", ["make A"], "a", ["x"], []), tmp_path / "dvc.yaml")
    assert pipeline.versions(tmp_path / "dvc.yaml") == {
        "A": {"desc": "a", "wdir": "..", "cmd": "make A", "deps": ["x"], "outs": ["data/dataset/A"]}
    }


def test_a_name_that_is_taken(path: Path) -> None:
    with pytest.raises(SenguError, match="there is a version v1 already"):
        pipeline.add_version(pipeline.NewVersion("v1", ["make"], "", [], []), path)
    assert path.read_text() == TEXT


def test_two_versions_of_one_name_after_a_merge(path: Path) -> None:
    path.write_text(TEXT.replace("\n# what", "  v1:\n    cmd: other\n\n# what"))
    with pytest.raises(SenguError, match='duplicate key "v1".*two branches have a version of this name: rename one of them'):
        pipeline.versions(path)


def test_the_cure_that_a_missing_file_of_versions_names_cures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pipeline.DATASETS.parent.mkdir()
    pipeline.DATASETS.write_text("stages: {}\n")
    run(tmp_path, "git", "init", "--quiet")
    run(tmp_path, "git", "add", "--all")
    run(tmp_path, "git", "commit", "--quiet", "--message", "versions")
    pipeline.DATASETS.unlink()
    with pytest.raises(SenguError, match="is missing: restore it with") as refused:
        pipeline.versions()
    cure = re.search("`(.*)`", str(refused.value))
    assert cure is not None
    run(tmp_path, *cure[1].split())
    assert pipeline.versions() == {}
