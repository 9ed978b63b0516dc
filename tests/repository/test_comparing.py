"""Two lock files held against each other, as values and by the program."""

import shutil
import sys
from pathlib import Path

import pytest
from project import ROOT, attempt, run

from sengu.base.errors import SenguError
from sengu.repository import comparing
from sengu.repository.comparing import Output

CODE = str(ROOT / "src")


def lock(**outs: str) -> dict[str, object]:
    return {"outs": [{"path": f"data/{name}.csv", "hash": "md5", "md5": value} for name, value in outs.items()]}


def test_every_output_is_same_changed_missing_or_added() -> None:
    old = {"label": lock(label="1", conflicts="2"), "split": lock(split="3")}
    new = {"label": lock(label="1", conflicts="9"), "prepare": lock(pixels="4")}
    outputs = comparing.compare(old, new)
    assert [(output.stage, output.path, output.state) for output in outputs] == [
        ("label", "data/label.csv", "same"),
        ("label", "data/conflicts.csv", "changed"),
        ("split", "data/split.csv", "missing"),
        ("prepare", "data/pixels.csv", "added"),
    ]
    assert outputs[1] == Output("label", "data/conflicts.csv", "2", "9")


def test_the_digest_is_of_outputs_and_not_of_code() -> None:
    one = {"label": lock(a="1", b="2")}
    other = {"label": {**lock(b="2", a="1"), "deps": [{"path": "src", "md5": "5"}]}}
    assert comparing.digest(one) == comparing.digest(other)
    assert comparing.digest(one) != comparing.digest({"label": lock(a="1", b="3")})


def test_the_program_prints_what_differs_and_exits_with_1(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name / "datasets").mkdir(parents=True)
        for path in comparing.LOCKS:
            shutil.copy(ROOT / path, tmp_path / name / path)
    program = (sys.executable, "-m", "sengu.repository.comparing", "old", "new")
    said = run(tmp_path, *program, PYTHONPATH=CODE).split()
    assert said[0] == said[2] != "0"
    version = tmp_path / "new/datasets/dvc.lock"
    md5 = comparing.stages(tmp_path / "old")["datasets:v1"]["outs"][0]["md5"]
    version.write_text(version.read_text().replace(md5, "0" * 32 + ".dir"))
    done = attempt(tmp_path, *program, PYTHONPATH=CODE)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == f"changed datasets:v1 data/dataset/v1 {md5} {'0' * 32}.dir"


def test_a_folder_without_a_lock_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SenguError, match="has no dvc.lock"):
        comparing.stages(tmp_path)
