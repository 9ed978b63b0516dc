"""The stage `label` as a program: its tables, another label set, and settings that cannot be."""

import hashlib
from pathlib import Path

import pytest
import yaml
from labels.said import A, B, C
from project import attempt, run

from sengu.base import params, tables
from sengu.base.errors import SenguError
from sengu.stages.label import check

STAGE = (
    "python -m sengu.stages.label {0} tombstones.csv data/captures data/index data/rejected "
    "{1}label.csv {1}conflicts.csv {1}details.csv"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    settings = {"sites": {"s": {"fetch": {"source": "folder", "folder": "x"}}}}
    settings["label"] = {"classes": ["dots", "stripes"], "tags": {"spots": 0}}
    settings["label_sets"] = {"sharpness": {"classes": ["sharp", "blurred", "half"], "disagreement": "latest"}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings))
    index, captures = [], []
    for digit, name in (("a", A), ("b", B), ("c", C), ("d", None)):
        captures.append(
            tables.Capture(digit * 40, f"file:{digit}", "page", "spots", "", f"{digit}.jpg", "2026-01-01T00:00:00Z", "", 200)
        )
        if name:
            index.append(tables.IndexRow(name, digit * 40, "jpg", 60, 40, 100))
    (tmp_path / "data").mkdir()
    tables.write(tmp_path / "data/index/s.csv", tables.frame(index, tables.IndexRow), tables.IndexRow)
    tables.write(tmp_path / "data/captures/s.csv", tables.frame(captures, tables.Capture), tables.Capture)
    rejected = tables.frame(
        [tables.Rejected(urlId="d" * 40, url="file:d", filename="d.jpg", reason="the file ends early")], tables.Rejected
    )
    tables.write(tmp_path / "data/rejected/s.csv", rejected, tables.Rejected)
    (tmp_path / "tombstones.csv").write_text("objectId,reason,date\n")
    (tmp_path / "labels").mkdir()
    return tmp_path


def stage(folder: Path, sheets: str = "labels", outputs: str = "data/") -> str:
    return run(folder, *STAGE.format(sheets, outputs).split())


def test_old_sheets_of_two_columns_give_the_same_bytes_as_ever(folder: Path) -> None:
    (folder / "labels/mine.csv").write_text(f"objectId,value\n{A},stripes\n{B},\n")
    (folder / "labels/yours.csv").write_text("filename,value\nb.jpg,1\n")
    stage(folder)
    labels = folder / "data/label.csv"
    assert labels.read_text() == f"objectId,value\n{A},1\n{B},1\n{C},0\n"
    (folder / "labels/yours.csv").write_text("filename,value\nb.jpg,1\na.jpg,0\n")
    assert "2 objects labelled, 1 left out because their sources disagree" in stage(folder)
    assert labels.read_text() == f"objectId,value\n{B},1\n{C},0\n"
    before = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("data/*.csv")}
    stage(folder)
    assert before == {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("data/*.csv")}
    assert len(before) == 3


def test_a_rejected_picture_in_a_sheet_is_a_warning(folder: Path) -> None:
    (folder / "labels/mine.csv").write_text("filename,value\nd.jpg,1\na.jpg,1\n")
    assert "labels/mine.csv: 1 line ignored, because the picture was rejected or erased: the file ends early" in stage(folder)
    assert tables.read(folder / "data/label.csv", tables.Label)["value"].tolist() == [1, 0, 0]


def test_wrong_lines_leave_the_tables_as_they_were(folder: Path) -> None:
    stage(folder)
    before = (folder / "data/label.csv").read_bytes()
    (folder / "labels/mine.csv").write_text("filename,value\na.jpg,no\nb.jpg,never\n")
    done = attempt(folder, *STAGE.format("labels", "data/").split())
    assert done.returncode == 1
    assert "error: 2 lines of sheets are wrong:\n  labels/mine.csv:2: value 'no'" in done.stdout
    assert (folder / "data/label.csv").read_bytes() == before


def test_another_label_set_asks_another_question_of_the_same_pictures(folder: Path) -> None:
    (folder / "labels_sharpness").mkdir()
    (folder / "labels_sharpness/mine.csv").write_text("filename,value\na.jpg,half\n")
    (folder / "data/labels_sharpness").mkdir()
    stage(folder)
    stage(folder, "labels_sharpness", "data/labels_sharpness/")
    assert (folder / "data/labels_sharpness/label.csv").read_text() == f"objectId,value\n{A},2\n"
    assert (folder / "data/label.csv").read_text() == f"objectId,value\n{A},0\n{B},0\n{C},0\n"
    done = attempt(folder, *STAGE.format("labels_colour", "data/").split())
    assert "params.yaml: label_sets.colour is missing" in done.stdout


@pytest.mark.parametrize(
    ("classes", "tags", "message"),
    [
        (["1", "2", "3"], {}, "label.classes: '1' at position 0"),
        (["dots", "stripes"], {"x": 2}, "label.tags.x is 2, but there are 2 classes"),
    ],
)
def test_classes_that_could_be_mistaken_are_refused(classes: list[str], tags: dict[str, int], message: str) -> None:
    with pytest.raises(SenguError, match=message):
        check(params.LabelParams(classes=classes, tags=tags))
    check(params.LabelParams(classes=["0", "1"]))


def test_tables_of_labels_have_their_columns() -> None:
    assert tables.columns(tables.Label) == ["objectId", "value"]
    assert tables.columns(tables.SplitLabel) == ["objectId", "value", "type"]
