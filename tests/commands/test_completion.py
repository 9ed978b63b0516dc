"""A shell asks the command itself what can follow."""

from pathlib import Path

import pytest
from project import run

from sengu.base.ids import ObjectId

PARAMS = "sites:\n  birds: {}\n  boats: {}\n  scope: {}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_text(PARAMS)
    for payload in (b"1", b"2"):
        leaf = tmp_path / "data/object/birds" / ObjectId.of(payload, "jpg").path
        leaf.parent.mkdir(parents=True)
        leaf.write_bytes(payload)
    return tmp_path


def completed(folder: Path, *words: str) -> list[str]:
    answer = run(folder, "sengu", COMP_WORDS=" ".join(words), COMP_CWORD=str(len(words) - 1), _SENGU_COMPLETE="bash_complete")
    return [line.partition(",")[2] for line in answer.split()]


def test_commands_sites_and_objects_are_completed(project: Path) -> None:
    assert completed(project, "sengu", "objects", "ver") == ["verify"]
    assert completed(project, "sengu", "objects", "verify", "b") == ["birds", "boats"]
    assert completed(project, "sengu", "site", "remove", "s") == ["scope"]
    name = str(ObjectId.of(b"1", "jpg"))
    assert completed(project, "sengu", "objects", "info", name[:6]) == [name]
    assert completed(project, "sengu", "objects", "info", name[:3]) == []


def test_outside_a_project_nothing_is_completed_and_nothing_fails(tmp_path: Path) -> None:
    assert completed(tmp_path, "sengu", "site", "remove", "s") == []


def test_the_version_and_the_help_of_a_stage_are_printed(tmp_path: Path) -> None:
    assert run(tmp_path, "sengu", "--version").startswith("sengu, version ")
    told = run(tmp_path, "python", "-m", "sengu.stages.split", "--help")
    assert told.startswith("usage: python -m sengu.stages.split VERSION DUPLICATES NAME SPLIT_LABEL\n\nSplit a version into")
