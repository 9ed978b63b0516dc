"""Sheets as Excel and others write them, and what is not a sheet."""

import shutil
from pathlib import Path

import pytest
from labels.said import A, B, brief, read, sheet

from sengu.base.errors import SenguError
from sengu.labels import sheets

PLAIN = f"objectId,value,note\n{A},dots,\n{B},stripes,für sie\n"


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.encode("utf-16-be"),
        PLAIN.encode("utf-16-le"),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", "\t").encode("utf-16"),
        PLAIN.replace(",", ", ").encode(),
        PLAIN.replace(",", " , ").encode(),
        PLAIN.removesuffix("\n").encode(),
        PLAIN.replace("objectId", "OBJECTID").replace("value", "Value").encode(),
        PLAIN.replace("\n", ",,\n").encode(),
        "\n".join(f'"{line.replace(",", chr(34) + "," + chr(34))}"' for line in PLAIN.splitlines()).encode(),
    ],
)
def test_a_sheet_is_read_however_it_was_exported(tmp_path: Path, data: bytes) -> None:
    table = read(tmp_path, data)
    assert brief(table) == [[A, 0, 2], [B, 1, 3]]
    assert table["note"].tolist() == ["", "für sie"]


def test_a_first_line_that_names_the_separator_is_passed_over_and_counted(tmp_path: Path) -> None:
    assert brief(read(tmp_path, "sep=;\r\n" + PLAIN.replace(",", ";").replace("\n", "\r\n"))) == [[A, 0, 3], [B, 1, 4]]


def test_blank_lines_pass_and_are_counted(tmp_path: Path) -> None:
    text = f"objectId,value,note\n\n{A},dots,\n,,\n  \n{B},stripes,\n\n\n"
    assert brief(read(tmp_path, text)) == [[A, 0, 3], [B, 1, 6]]
    assert brief(read(tmp_path, f"objectId,value\n{A},dots\n,\n{B},1\n")) == [[A, 0, 2], [B, 1, 4]]


def test_a_line_is_counted_as_an_editor_counts_where_a_note_has_several(tmp_path: Path) -> None:
    text = f'note,objectId,value\n"two\nlines",{A},1\n,{B},0\n'
    assert brief(read(tmp_path, text)) == [[A, 1, 2], [B, 0, 4]]
    with pytest.raises(SenguError, match="mine.csv:5: value 'no' is not a class"):
        read(tmp_path, text + f",{A},no\n")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "mine.csv:1: the first line is empty"),
        (b"objectId,value,value\n", "mine.csv:1: column 'value' appears twice"),
        (b"object,value\n", "mine.csv:1: columns are object,value, expected value and one of objectId and filename"),
        (b"objectId,value\n\xe4\n", "mine.csv:2: neither UTF-8 nor UTF-16 .*save it again as CSV in UTF-8"),
        (f'objectId,value\n{A},"x\n'.encode(), "mine.csv:[23]: not a CSV file"),
        (f"objectId,value\n{A},0,1\n".encode(), f"mine.csv:2: 3 fields, expected 2: '{A},0,1'"),
        (f"objectId,value\n{A},0\n{A}\n".encode(), f"mine.csv:3: 1 fields, expected 2: '{A}'"),
    ],
)
def test_what_is_no_sheet_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(SenguError, match=message):
        read(tmp_path, data)


def test_a_line_with_too_many_cells_is_not_made_up_for_by_one_with_too_few(tmp_path: Path) -> None:
    with pytest.raises(SenguError, match=r"2 lines of sheets are wrong:\n.*mine.csv:2: 3 fields.*\n.*mine.csv:3: 1 fields"):
        read(tmp_path, f"objectId,value\n{A},0,1\n{A}\n")


@pytest.mark.parametrize("name", ["mine.CSV", "more/mine.csv", "mine.xlsx", "mine.csv~", "more"])
def test_a_file_that_would_not_be_read_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "labels"
    for kept in ("a.csv", "b.csv", "RULES.md", "more/notes.md", ".gitkeep", ".trash/old.csv", "._a.csv"):
        (folder / kept).parent.mkdir(parents=True, exist_ok=True)
        (folder / kept).touch()
    assert sheets.sheets(folder) == [folder / "a.csv", folder / "b.csv"]
    if name == "more":  # a folder of sheets that is elsewhere
        shutil.rmtree(folder / "more")
        (folder / "more").symlink_to(tmp_path)
    else:
        (folder / name).touch()
    with pytest.raises(SenguError, match=rf"labels/{name} would not be read: annotation sheets are named \*.csv and lie in "):
        sheets.sheets(folder)


def test_columns_that_are_not_known_are_left_alone(tmp_path: Path) -> None:
    table = sheets.read(sheet(tmp_path, f"objectId,value,distance,file\n{A},1,0.3,x\n")).cells
    assert list(table) == list(sheets.KNOWN)
