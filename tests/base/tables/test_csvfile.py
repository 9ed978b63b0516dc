from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sengu.base.errors import SenguError
from sengu.base.tables import csvfile

TEXTS = st.lists(
    st.sampled_from(["a", "NA", " ", "猫", ",", '"', '""', '","', "\n", '"\n"', "a,b\n", "\r", "\0", "\ufeff", ""])
).map("".join)


def outcome(path: Path, data: bytes) -> tuple[pd.DataFrame, list[int]] | str:
    try:
        table, lines = csvfile._exact(path, data)
    except SenguError as error:
        return str(error)
    return table, list(lines)


@given(TEXTS)
@example("a,b\n1\n1,2,3\n")  # as many commas as there should be, in the wrong rows
@example("a,b\n1,2,3\n1\n")
@example("a,b\n1,2,3\n1,2,3\n")
@example("a,b\n1,2\n1\n2,3,4\n")
@example("a,a\n1,2\n")
@example("a,\n1,2\n")
@example("a\n\nb\n")
@example("a\n \n")
@example('a,b\n"1,""2""",3\n')
@example('a,b\n1,"2"3\n')
@example('"a","b"\n"1","2"\n')
@example("a,b\nNA,\n")
def test_a_table_that_pandas_reads_is_the_one_that_csv_reads(text: str) -> None:
    """Whatever the text, what the quick reader takes is what the exact one reads, with the same lines."""
    table = csvfile._regular(text.encode())
    if table is None:
        return
    exact = outcome(Path("t.csv"), text.encode())
    assert not isinstance(exact, str), exact
    pd.testing.assert_frame_equal(table, exact[0], check_index_type=False, check_column_type=False)
    assert exact[1] == list(range(2, len(table) + 2))


@pytest.mark.parametrize("text", ["a,b\n1,\n", "a\nx\n", 'a,b\n"1,2",NA\n', '\ufeffa,b\n 1,"say ""x"""\n', "a,b\n"])
def test_the_quick_reader_takes_what_is_sound(text: str) -> None:
    assert csvfile._regular(text.encode()) is not None


@pytest.mark.parametrize("text", ["a,b\nNA,\n1,猫\n", "a,b\n", "a\n1\n01\n", 'a,b\n"1,2",true\n'])
def test_cells_are_the_same_texts_whatever_pandas_keeps_them_in(text: str) -> None:
    """pandas keeps texts in Arrow where pyarrow is installed, as the tests have it, and as Python's elsewhere."""
    assert csvfile.parsed(text.encode()).dtypes.map(lambda kind: kind.storage).eq("pyarrow").all()
    with pd.option_context("mode.string_storage", "python"):
        elsewhere = csvfile.parsed(text.encode())
    assert elsewhere.dtypes.map(lambda kind: kind.storage).eq("python").all()
    assert csvfile.parsed(text.encode()).to_dict("list") == elsewhere.to_dict("list")


ROWS = 'id,text,name\na,1,x\nb,"1\n,""a"",\n",a\na,"2, a\n\nb",y\nab,3,a\nc,"",x'


@pytest.mark.parametrize(
    ("column", "wanted", "names"),
    [
        ("id", {"a"}, ["x", "y"]),
        ("id", {"b", "c"}, ["a", "x"]),
        ("name", {"a"}, ["a", "a"]),
        ("id", {"id"}, []),
        ("text", {'1\n,"a",\n'}, ["a"]),
        ("text", {""}, ["x"]),
        ("id", {*map(str, range(csvfile.SEARCHED)), "a"}, ["x", "y"]),
        ("id", set(), []),
    ],
)
def test_rows_are_searched_for_without_parsing_the_others(
    tmp_path: Path, column: str, wanted: set[str], names: list[str]
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(ROWS, newline="")
    assert [row["name"] for row in csvfile.rows_with(path, column, wanted)] == names
    assert list(csvfile.rows_with(tmp_path / "none.csv", column, wanted)) == []


def test_only_rows_that_hold_the_text_are_parsed(tmp_path: Path) -> None:
    """A look-up among 500,000 rows is a search, so what lies between the rows need not even be CSV."""
    path = tmp_path / "t.csv"
    path.write_bytes(b"id,text\na,1\n" + b"\xff\xff\n" * 1000 + b"b,2\n")
    assert [row["text"] for row in csvfile.rows_with(path, "id", {"b"})] == ["2"]
