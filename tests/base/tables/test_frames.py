import csv
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sengu.base import tables
from sengu.base.errors import SenguError
from sengu.base.tables import csvfile

A = "0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33.jpg"
B = "62cdb7020ff920e5aa642c3d4066950dd1f01f4d.png"


def write(folder: Path, text: str) -> Path:
    path = folder / "label.csv"
    path.write_bytes(text.encode())
    return path


def test_reads_what_it_writes_sorted_and_the_same_twice(tmp_path: Path) -> None:
    table = tables.frame([tables.Label(B, 1), tables.Label(A, 0)], tables.Label)
    path = tmp_path / "deep/label.csv"
    tables.write(path, table, tables.Label)
    assert path.read_text() == f"objectId,value\n{A},0\n{B},1\n"
    tables.write(path, tables.read(path, tables.Label), tables.Label)
    assert path.read_text() == f"objectId,value\n{A},0\n{B},1\n"
    assert [p.name for p in path.parent.iterdir()] == ["label.csv"]


def test_an_empty_table_keeps_its_columns(tmp_path: Path) -> None:
    tables.write(tmp_path / "d.csv", tables.frame([], tables.Duplicate), tables.Duplicate)
    assert tables.read(tmp_path / "d.csv", tables.Duplicate).columns.tolist() == ["objectId", "group", "mirrored"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"label.csv:1: the file is empty"),
        ("value,objectId\n", r"label.csv:1: columns are value,objectId, expected objectId,value"),
        (f"objectId,value\n{A},0\n{B}\n", r"label.csv:3: 1 fields, expected 2"),
        (f"objectId,value\n{A},0,1\n", r"label.csv:2: 3 fields, expected 2"),
        (f"objectId,value\n{A},0\n{B},one\n", r"label.csv:3: value is 'one', expected a class number"),
        (f"objectId,value\n{A},-1\n", r"label.csv:2: value is '-1'"),
        (f"objectId,value\n{A.upper()},0\n", r"label.csv:2: objectId is '0BEEC.*expected an object id"),
        (f'objectId,value\n"{A},0\n', r"label.csv:2: not a CSV file in UTF-8"),
    ],
)
def test_a_malformed_table_is_named_with_line_and_value(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SenguError, match=message):
        tables.read(write(tmp_path, text), tables.Label)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'objectId,reason,date\n{A},0|1,"two\nlines"\n{B},0,x\nwrong,0,x\n', r"c.csv:5: objectId is 'wrong'"),
        (f'objectId,reason,date\n{A},0|1,"two\r\nlines"\r\n{B},0\r\n', r"c.csv:4: 2 fields, expected 3"),
        (f'objectId,reason,date\n{A},0|1\n{B},0,"two\nlines"\n', r"c.csv:2: 2 fields, expected 3"),
        ('objectId,reason,date\n"two\nlines",0,x\n', r"c.csv:2: objectId is 'two\\nlines'"),
    ],
)
def test_a_line_is_counted_as_an_editor_counts_where_cells_have_several(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "c.csv").write_bytes(text.encode())
    with pytest.raises(SenguError, match=message):
        tables.read(tmp_path / "c.csv", tables.Tombstone)


def test_a_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    for text in ("objectId,value,value\n", f"value,objectId,value\n0,{A},1\n"):
        with pytest.raises(SenguError, match="label.csv:1: column 'value' appears twice"):
            csvfile.read(write(tmp_path, text))


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "label.csv"
    path.write_bytes(b"objectId,value\n" + f"{A},0\n".encode() * 5000 + b"\xff\xfe,0\n")
    with pytest.raises(SenguError, match="label.csv:5002: not a CSV file in UTF-8"):
        tables.read(path, tables.Label)


def test_a_type_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "split_label.csv"
    path.write_text(f"objectId,value,type\n{A},0,dev\n")
    with pytest.raises(
        SenguError, match=r"split_label.csv:2: type is 'dev', expected one of train, validation, test, surplus, excluded"
    ):
        tables.read(path, tables.SplitLabel)


def test_a_lone_carriage_return_in_a_cell_is_read_back(tmp_path: Path) -> None:
    row = tables.Tombstone(A, "0|1", "Icon\r")
    tables.write(tmp_path / "c.csv", tables.frame([row], tables.Tombstone), tables.Tombstone)
    assert tables.read(tmp_path / "c.csv", tables.Tombstone)["date"].tolist() == ["Icon\r"]


def test_a_missing_table_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(SenguError, match="label.csv is missing: run `dvc repro`"):
        tables.read(tmp_path / "label.csv", tables.Label)


def test_a_spreadsheet_byte_order_mark_is_not_part_of_the_first_column(tmp_path: Path) -> None:
    assert tables.read(write(tmp_path, f"\ufeffobjectId,value\r\n{A},0\r\n"), tables.Label)["value"].tolist() == [0]


def test_site_tables_are_read_together_and_strangers_refused(tmp_path: Path) -> None:
    for site in ("a", "b"):
        tables.write(
            tmp_path / f"{site}.csv", tables.frame([tables.Rejected("0" * 40, "", "", site)], tables.Rejected), tables.Rejected
        )
    assert tables.read_sites(tmp_path, ["b", "a"], tables.Rejected)["site"].tolist() == ["a", "b"]
    with pytest.raises(SenguError, match=r"b.csv belongs to no site in params.yaml"):
        tables.read_sites(tmp_path, ["a"], tables.Rejected)
    with pytest.raises(SenguError, match=r"c.csv is missing"):
        tables.read_sites(tmp_path, ["a", "b", "c"], tables.Rejected)


@pytest.mark.parametrize(
    ("cell", "written"),
    [("a\x1b[2J", "a\\x1b[2J"), ("a\x9bb", "a\\x9bb"), ('"\u202e', '"\\u202e'), ("猫\x00", "猫\\x00")],
)
def test_control_characters_never_reach_a_table(tmp_path: Path, cell: str, written: str) -> None:
    row = tables.Conflict(A, "0|1", cell, "", "", "", "")
    tables.write(tmp_path / "c.csv", tables.frame([row], tables.Conflict), tables.Conflict)
    assert tables.read(tmp_path / "c.csv", tables.Conflict)["sources"].tolist() == [written]


def test_a_table_of_an_older_sengu_is_named_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "duplicates.csv"
    path.write_text(f"objectId,group\n{A},{A}\n")
    with pytest.raises(SenguError, match="expected objectId,group,mirrored; an older Sengu wrote it: run `dvc repro`$"):
        tables.read(path, tables.Duplicate)
    path.write_text(f"objectId\n{A}\n")
    with pytest.raises(SenguError, match="expected objectId,group,mirrored$"):
        tables.read(path, tables.Duplicate)


def test_a_file_where_the_folder_of_a_table_should_be_is_said_to_be_that(tmp_path: Path) -> None:
    (tmp_path / "index").write_bytes(b"")
    with pytest.raises(
        SenguError, match=r"index/a\.csv cannot be there, for \S+/index is a file where a folder should be: move it"
    ):
        tables.read(tmp_path / "index/a.csv", tables.IndexRow)


@pytest.mark.parametrize("tags", ["plain", 'a "b"', "a,b", "a\nb", "a\rb", "\u732b", "a\x1bb", ""])
def test_the_bytes_of_a_table_do_not_depend_on_what_holds_its_texts(tags: str, tmp_path: Path) -> None:
    """More rows than are written at a time, of which the last is another."""
    count = csvfile.ROWS + 100
    table = pd.DataFrame({name: [""] * count for name in tables.columns(tables.Capture)}, dtype="str")
    table = table.assign(urlId=[f"{number:040x}" for number in range(count)], status=200, tags=["x"] * (count - 1) + [tags])
    written = []
    for storage in ("python", "pyarrow"):
        kind = pd.StringDtype(storage, na_value=np.nan)
        tables.write(tmp_path / "a.csv", table.astype({name: kind for name in table if name != "status"}), tables.Capture)
        written.append((tmp_path / "a.csv").read_bytes())
    assert written[0] == written[1]
    rows = list(csv.reader(StringIO(written[0].decode(), newline="")))
    expected = table.assign(tags=table["tags"].str.replace("\x1b", "\\x1b")).astype(str).to_numpy().tolist()
    assert rows == [list(table), *expected]


def test_only_the_columns_that_are_asked_for_are_read_and_checked(tmp_path: Path) -> None:
    row = tables.IndexRow("0" * 40 + ".jpg", "0" * 40, "jpg", 1, 1, 1)
    tables.write(tmp_path / "a.csv", tables.frame([row], tables.IndexRow), tables.IndexRow)
    (tmp_path / "a.csv").write_text((tmp_path / "a.csv").read_text().replace("jpg,1,", "jpg,wide,"))
    read = tables.read_sites(tmp_path, ["a"], tables.IndexRow, only=("objectId", "video"))
    assert read.to_numpy().tolist() == [["a", row.objectId, ""]]
    with pytest.raises(SenguError, match="width is 'wide'"):
        tables.read_sites(tmp_path, ["a"], tables.IndexRow)
