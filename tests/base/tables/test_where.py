"""Conditions over the columns of tables: what they select, and that nothing but the grammar gets through."""

import pandas as pd
import pytest

from sengu.base.errors import SenguError
from sengu.base.tables import where

TABLE = pd.DataFrame(
    {
        "site": ["a", "b", "a", "b"],
        "width": [10, 224, 500, 224],
        "height": [10, 300, 500, 100],
        "taken": ["", "2026-01-02T10:00:00Z", "2025-12-31", "2026-03-01"],
        "tags": ["cat|dog", "catalogue", "", "dog"],
    }
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("site == 'a'", [0, 2]),
        ("site != 'a'", [1, 3]),
        ("'a' == site", [0, 2]),
        ("site == 'b' and width >= 224 and taken > '2026-01-01'", [1, 3]),
        ("200 < width <= 224", [1, 3]),
        ("224 <= width", [1, 2, 3]),
        ("taken < '2026-01-01'", [2]),
        ("taken == ''", [0]),
        ("not taken < '2026-01-01'", [0, 1, 3]),
        ("'cat' in tags", [0]),
        ("'cat' not in tags", [1, 2, 3]),
        ("site in ['b', 'c']", [1, 3]),
        ("width in (10, 500)", [0, 2]),
        ("width not in [224]", [0, 2]),
        ("width > height", [3]),
        ("width == height", [0, 2]),
        ("(site == 'a' or width == 224) and not width > 400", [0, 1, 3]),
        ("width > -1", [0, 1, 2, 3]),
    ],
)
def test_a_condition_selects_rows(text: str, expected: list[int]) -> None:
    assert where.parse(text).of(TABLE).nonzero()[0].tolist() == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour == 'red'", "there is no column 'colour': the columns are site, width, height, taken, tags"),
        ("width == '224'", "width is a number: '224' is a text"),
        ("site == 5", "site is a text: write '5' in quotes"),
        ("site > width", "site and width are a number and a text"),
        ("5 in width", "width holds numbers: write `width == 5`"),
        ("site = 'a'", "is not a condition"),
        ("", "is not a condition"),
        ("site", "'site' is not understood"),
        ("True", "'True' is not understood"),
        ("1 == 1", "one side of a comparison must be a column"),
        ("site is 'a'", "`is` is not understood"),
        ("site == f'{width}'", "is not understood"),
        ("site == None", "'None' is not understood"),
        ("width == True", "'True' is not understood"),
        ("__import__('os').system('true') == 1", "is not understood"),
        ("site.__class__ == 'a'", "is not understood"),
        ("(lambda: 1)() == width", "is not understood"),
        ("width + 1 == 225", "'width + 1' is not understood"),
        ("[x for x in site] == 'a'", "is not understood"),
        ("site in [open('x')]", "is not understood"),
        ("not " * 60 + "site == 'a'", "is nested more than"),
        ("(" * 5000, "is not a condition"),
    ],
)
def test_what_is_not_in_the_grammar_is_an_error_that_names_it(text: str, message: str) -> None:
    with pytest.raises(SenguError) as error:
        where.parse(text).of(TABLE)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_the_columns_of_a_condition() -> None:
    assert where.parse("site == 'a' and ('x' in tags or width > height)").columns == {"site", "tags", "width", "height"}


def test_an_empty_table_selects_nothing() -> None:
    assert where.parse("'cat' in tags or width > 3").of(TABLE.iloc[:0]).tolist() == []


def test_tables_are_joined_by_their_keys() -> None:
    index = pd.DataFrame({"site": ["a", "a"], "urlId": ["u", "v"], "width": [1, 2]})
    captures = pd.DataFrame({"site": ["a", "a"], "urlId": ["u", "u"], "page": ["p", "q"], "status": [200, 200]})
    table = where.joined([index, captures], ("site", "urlId"))
    assert table.to_dict("list") == {
        "site": ["a", "a", "a"],
        "urlId": ["u", "u", "v"],
        "width": [1, 1, 2],
        "page": ["p", "q", ""],
        "status": [200, 200, -1],
    }
