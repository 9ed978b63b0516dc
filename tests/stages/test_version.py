from pathlib import Path

import pytest
import yaml

from sengu.base.errors import SenguError
from sengu.repository import pipeline
from sengu.stages.version import check, known, main


def test_a_name_that_is_no_version_is_an_error_that_lists_those_there_are() -> None:
    check("B", ["B", "A"])
    with pytest.raises(
        SenguError, match=r"split\.dataset is 'nope', which is not a dataset version: the versions are A, B: take one"
    ):
        check("nope", ["B", "A", "B"])
    with pytest.raises(
        SenguError, match=r"split\.dataset is 'A', which is not a dataset version: there is none yet: `sengu dataset create`"
    ):
        check("A", [])


DATASETS = """
stages:
  a: { cmd: x, wdir: .., outs: [data/dataset/A] }
"""
DVC_YAML = """
stages:
  b: { cmd: x, outs: [data/dataset/B, data/x: { persist: true }] }
  c: { foreach: [1], do: { cmd: x } }
"""


def test_versions_are_made_by_a_stage_imported_or_laid_there(tmp_path: Path) -> None:
    assert known(tmp_path) == []
    (tmp_path / "datasets").mkdir()
    (tmp_path / pipeline.DATASETS).write_text(DATASETS)
    (tmp_path / pipeline.PIPELINE).write_text(DVC_YAML)
    for folder in ("data/dataset/D", "data/dataset/empty"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "data/dataset/C.dvc").touch()
    (tmp_path / "data/dataset/D/label.csv").touch()
    assert known(tmp_path) == ["A", "B", "C", "D"]


def test_the_output_is_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = {"dataset": "A", "test": [0, 24], "validation": [25, 49], "leaks": "exclude"}
    Path("params.yaml").write_text(yaml.safe_dump({"split": settings}))
    with pytest.raises(SenguError, match="'A', which is not a dataset version"):
        main(["version.txt"])
    assert not Path("version.txt").exists()
    Path("data/dataset/A").mkdir(parents=True)
    Path("data/dataset/A/label.csv").touch()
    main(["version.txt"])
    assert Path("version.txt").read_text() == "A\n"
