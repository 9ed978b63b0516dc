import shutil
from pathlib import Path

import pandas as pd
import pytest

from sengu.base import params, tables
from sengu.base.errors import SenguError
from sengu.labels.sheets import from_sheet, sheets
from sengu.stages.label import check, from_devices, from_tags, label

A, B, C = (f"{digit * 40}.jpg" for digit in "abc")
CLASSES = ["dots", "stripes"]
KNOWN = pd.DataFrame({"objectId": [A, B, C, C], "filename": ["x/a.jpg", "same.jpg", "same.jpg", ""], "video": ""})


def sources(*rows: tuple[str, int, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["objectId", "value", "source"])


def sheet(folder: Path, text: str) -> Path:
    path = folder / "mine.csv"
    path.write_text(text)
    return path


def test_agreeing_sources_give_one_label(tmp_path: Path) -> None:
    labels, conflicts = label(sources(), sources((A, 1, "p1"), (A, 1, "p2"), (B, 0, "p1")))
    assert sorted(map(tuple, labels.to_numpy().tolist())) == [(A, 1), (B, 0)]
    assert conflicts.empty
    tables.write(tmp_path / "conflicts.csv", conflicts, tables.Conflict)
    assert (tmp_path / "conflicts.csv").read_text() == "objectId,values,sources\n"


def test_disagreeing_tags_are_left_out_and_listed() -> None:
    labels, conflicts = label(sources(), sources((A, 1, "p1"), (A, 0, "p2"), (B, 0, "p1")))
    assert labels["objectId"].tolist() == [B]
    assert conflicts.to_numpy().tolist() == [[A, "0|1", "p1|p2"]]


def test_an_annotation_outranks_tags_and_settles_their_conflict() -> None:
    labels, conflicts = label(sources((A, 0, "mine.csv:2")), sources((A, 1, "p1"), (A, 0, "p2")))
    assert labels.to_numpy().tolist() == [[A, 0]]
    assert conflicts.empty


def test_annotators_who_disagree_are_listed() -> None:
    labels, conflicts = label(sources((A, 0, "mine.csv:2"), (A, 1, "yours.csv:9")), sources((A, 1, "p1")))
    assert labels.empty
    assert conflicts["sources"].tolist() == ["mine.csv:2|yours.csv:9"]


def test_every_page_of_an_object_counts_on_every_site() -> None:
    captures = pd.DataFrame(
        {
            "site": ["one", "one", "two"],
            "urlId": ["1", "1", "1"],
            "page": ["p1", "p2", "p3"],
            "tags": ["dots|pictures", "pictures", "stripes"],
        }
    )
    index = pd.DataFrame({"site": ["one", "two"], "objectId": [A, A], "urlId": ["1", "1"]})
    assert from_tags(captures, index, {"dots": 0, "stripes": 1}).to_numpy().tolist() == [[A, 0, "p1"], [A, 1, "p3"]]


def test_a_sheet_may_name_objects_or_files_and_classes_or_values(tmp_path: Path) -> None:
    rows = from_sheet(sheet(tmp_path, f"objectId,value,note\n{A},1,\n{B},dots,sure\n"), KNOWN, CLASSES)
    assert rows.to_numpy().tolist() == [[A, 1, "mine.csv:2"], [B, 0, "mine.csv:3"]]
    rows = from_sheet(sheet(tmp_path, "filename,value\nx/a.jpg,stripes\n"), KNOWN, CLASSES)
    assert rows.to_numpy().tolist() == [[A, 1, "mine.csv:2"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"objectId,value\n{A},1\n{'d' * 40}.jpg,1\n", "mine.csv:3: no object has the objectId 'ddd.*: correct the sheet"),
        (f"objectId,value\n{A},2\n", "mine.csv:2: value '2' is no class: expected one of dots, stripes, 0, 1"),
        ("filename,value\nsame.jpg,1\n", "mine.csv:2: 2 objects have the filename 'same.jpg'"),
        ("filename,value\n,1\n", "mine.csv:2: no object has the filename ''"),
        ("object,value\n", "mine.csv:1: columns are object,value, expected value and one of objectId and filename"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SenguError, match=message):
        from_sheet(sheet(tmp_path, text), KNOWN, CLASSES)


@pytest.mark.parametrize(
    ("classes", "tags", "message"),
    [
        (["1", "2", "3"], {}, "label.classes: '1' at position 0"),
        (["dots", "dots"], {}, "label.classes: 'dots' at position 0 stands twice"),
        (["dots", "stripes"], {"x": 2}, "label.tags.x is 2, but there are 2 classes"),
    ],
)
def test_classes_that_could_be_mistaken_are_refused(classes: list[str], tags: dict[str, int], message: str) -> None:
    with pytest.raises(SenguError, match=message):
        check(params.LabelParams(classes=classes, tags=tags))
    check(params.LabelParams(classes=["0", "1"]))


def test_an_empty_sheet_is_no_error(tmp_path: Path) -> None:
    assert from_sheet(sheet(tmp_path, "objectId,value\n"), KNOWN, CLASSES).empty


def test_a_half_filled_sheet_gives_what_is_filled_in(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    rows = from_sheet(sheet(tmp_path, f"objectId,value,distance\n{A},,0.1\n{B},dots,0.2\n{C},,0.3\n"), KNOWN, CLASSES)
    assert rows.to_numpy().tolist() == [[B, 0, "mine.csv:3"]]
    assert "mine.csv: 2 lines without a value" in caplog.text


def test_a_line_is_counted_as_an_editor_counts_where_a_note_has_several(tmp_path: Path) -> None:
    text = f'note,objectId,value\n"two\nlines",{A},1\n,{B},0\n'
    assert from_sheet(sheet(tmp_path, text), KNOWN, CLASSES)["source"].tolist() == ["mine.csv:2", "mine.csv:4"]
    with pytest.raises(SenguError, match="mine.csv:5: value 'no' is no class"):
        from_sheet(sheet(tmp_path, text + f",{C},no\n"), KNOWN, CLASSES)


@pytest.mark.parametrize("name", ["mine.CSV", "more/mine.csv", "mine.xlsx", "mine.csv~", "more"])
def test_a_file_that_would_not_be_read_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "labels"
    for kept in ("a.csv", "b.csv", "RULES.md", "more/notes.md", ".gitkeep", ".trash/old.csv", "._a.csv"):
        (folder / kept).parent.mkdir(parents=True, exist_ok=True)
        (folder / kept).touch()
    assert sheets(folder) == [folder / "a.csv", folder / "b.csv"]
    if name == "more":  # a folder of sheets that is elsewhere
        shutil.rmtree(folder / "more")
        (folder / "more").symlink_to(tmp_path)
    else:
        (folder / name).touch()
    with pytest.raises(SenguError, match=rf"labels/{name} would not be read: annotation sheets are named \*.csv and lie in "):
        sheets(folder)


def test_tables_of_labels_have_their_columns() -> None:
    assert tables.columns(tables.Label) == ["objectId", "value"]
    assert tables.columns(tables.SplitLabel) == ["objectId", "value", "type"]


def test_the_default_of_a_device_counts_where_nothing_else_is_known() -> None:
    captures = pd.DataFrame({"site": "s", "urlId": ["1", "2", "3", "4"], "device": ["scope", "scope", "scope", ""]})
    d = f"{'d' * 40}.jpg"
    index = pd.DataFrame({"site": "s", "objectId": [A, B, C, d], "urlId": ["1", "2", "3", "4"]})
    defaults = from_devices(captures, index, {"scope": 0})
    assert defaults.to_numpy().tolist() == [[A, 0, "scope"], [B, 0, "scope"], [C, 0, "scope"]]
    labels, conflicts = label(sources((A, 1, "mine.csv:2")), sources((B, 1, "p1")), defaults)
    assert sorted(map(tuple, labels.to_numpy().tolist())) == [(A, 1), (B, 1), (C, 0)]
    assert conflicts.empty


def test_the_file_name_of_a_video_stands_for_its_frames(tmp_path: Path) -> None:
    video = f"{'e' * 40}.mp4"
    known = pd.DataFrame({"objectId": [video, A, B], "filename": "v.mp4", "video": ["", video, video]})
    rows = from_sheet(sheet(tmp_path, "filename,value\nv.mp4,stripes\n"), known, CLASSES)
    assert sorted(rows["objectId"]) == sorted([video, A, B])
    assert set(rows["value"]) == {1}
