"""Words of several people, models, tags and devices -> labels, where they come from, and who disagrees."""

from pathlib import Path

import pandas as pd
import pytest
from labels.said import CLASSES, KNOWN, A, B, C, D, sheet

from sengu.base import tables
from sengu.labels import merging
from sengu.labels.hints import from_devices, from_tags
from sengu.labels.merging import Merged
from sengu.labels.words import words

HEADER = "objectId,value,annotator,labelledAt,rule,how\n"


def hints(*rows: tuple[str, int, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["objectId", "value", "source"]).astype(
        {"objectId": "str", "value": "int64", "source": "str"}
    )


def merged(
    folder: Path,
    said: dict[str, str],
    tags: pd.DataFrame | None = None,
    devices: pd.DataFrame | None = None,
    by: str = "leave_out",
) -> Merged:
    """Merges sheets, each the lines of an annotator: an object, a value, a date and `how`, separated by blanks."""
    nothing = hints()
    paths = []
    for name, text in said.items():
        lines = [line.split(" ") + [""] * 3 for line in text.strip().splitlines()]
        cells = [f"{known},{value},,{date},,{how}" for known, value, date, how, *_ in lines]
        paths.append(sheet(folder, HEADER + "\n".join(cells) + "\n", f"{name}.csv"))
    table = words(paths, KNOWN, CLASSES)
    return merging.merge(merging.ranks(table, nothing if tags is None else tags, nothing if devices is None else devices), by)


def labels(result: Merged) -> dict[str, int]:
    assert result.labels["objectId"].is_unique
    assert result.labels.to_numpy().tolist() == result.details[["objectId", "value"]].to_numpy().tolist()
    return dict(result.labels.to_numpy().tolist())


def test_agreeing_sources_give_one_label(tmp_path: Path) -> None:
    result = merged(tmp_path, {}, hints((A, 1, "p1"), (A, 1, "p2"), (B, 0, "p1")))
    assert labels(result) == {A: 1, B: 0}
    tables.write(tmp_path / "conflicts.csv", result.conflicts, tables.Conflict)
    assert (tmp_path / "conflicts.csv").read_text() == "objectId,values,sources,annotators,labelledAt,rules,label\n"


@pytest.mark.parametrize("count", [2, 62, 63, 90])
def test_all_who_say_so_are_named(count: int, tmp_path: Path) -> None:
    """In the order of their names, each once, however many there are; not those who say something else."""
    people = [f"p{number:02}" for number in range(count)]
    said = {name: f"{A} 1 2026-01-{number % 28 + 1:02}\n{B} {int(number > 0)} 2026-01-01" for number, name in enumerate(people)}
    details = merged(tmp_path, said, by="majority").details.set_index("objectId")
    assert details.loc[A, "annotator"] == "|".join(people)
    assert details.loc[A, "labelledAt"] == f"2026-01-{min(count, 28):02}T00:00:00Z"
    assert count == 2 or details.loc[B, "annotator"] == "|".join(people[1:])


def test_disagreeing_tags_are_left_out_and_listed_whatever_becomes_of_people(tmp_path: Path) -> None:
    for by in ("leave_out", "majority", "latest"):
        result = merged(tmp_path, {}, hints((A, 1, "p1"), (A, 1, "p3"), (A, 0, "p2"), (B, 0, "p1")), by=by)
        assert labels(result) == {B: 0}
        assert result.conflicts.to_numpy().tolist() == [[A, "0|1|1", "p2|p1|p3", "||", "||", "||", ""]]


def test_an_annotation_outranks_tags_and_settles_their_conflict(tmp_path: Path) -> None:
    result = merged(tmp_path, {"anna": f"{A} 0"}, hints((A, 1, "p1"), (A, 0, "p2")))
    assert labels(result) == {A: 0}
    assert result.conflicts.empty


def test_people_outrank_models_and_these_outrank_tags(tmp_path: Path) -> None:
    said = {"anna": f"{A} 0", "net": f"{A} 1  model\n{B} 1  model"}
    result = merged(tmp_path, said, hints((B, 0, "p"), (C, 0, "p")), hints((C, 1, "scope"), (D, 1, "scope")))
    assert labels(result) == {A: 0, B: 1, C: 0, D: 1}
    assert dict(result.details[["objectId", "source"]].to_numpy().tolist()) == {A: "sheet", B: "model", C: "tag", D: "device"}
    assert result.details.set_index("objectId").loc[B, "how"] == "model"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{A} 0\n{A} 1", 1),  # the line decides
        (f"{A} 0 2026-01-02\n{A} 1 2026-01-01", 0),  # the date decides
        (f"{A} 0 2026-01-02T10:00:00+02:00\n{A} 1 2026-01-02T08:30:00Z", 1),  # of two time zones
        (f"{A} 0 2026-01-02\n{A} 1", 0),  # none comes before any
        (f"{A} 0 2026-01-02\n{A} 1 2026-01-02", 1),
    ],
)
def test_what_an_annotator_said_last_counts(tmp_path: Path, text: str, expected: int) -> None:
    result = merged(tmp_path, {"anna": text})
    assert labels(result) == {A: expected}
    assert result.conflicts.empty


def test_correcting_a_label_in_a_second_sheet_does_not_delete_it(tmp_path: Path) -> None:
    first = sheet(tmp_path, f"{HEADER}{A},dots,anna,2026-01-01,,\n", "anna.csv")
    second = sheet(tmp_path, f"{HEADER}{A},stripes,anna,2026-01-02,,\n", "again.csv")
    for paths in ([first, second], [second, first]):
        nothing = hints()
        result = merging.merge(merging.ranks(words(paths, KNOWN, CLASSES), nothing, nothing))
        assert labels(result) == {A: 1}
        assert result.conflicts.empty


def test_an_empty_value_takes_a_label_back(tmp_path: Path) -> None:
    said = {"anna": f"{A} 0\n{A} \n{B} 1\n{B} \n{B} 0", "ben": f"{C} 1\n{C}  2026-01-01"}
    result = merged(tmp_path, said, hints((C, 0, "p")))
    assert labels(result) == {B: 0, C: 0}
    assert result.conflicts.empty


@pytest.mark.parametrize("word", ["- 2026-01-01", "-", " 2026-01-01 blind", " 2026-01-01 group"])
def test_a_person_who_says_that_no_class_fits_outranks_tags_and_devices(tmp_path: Path, word: str) -> None:
    result = merged(tmp_path, {"anna": f"{A} 0 2025-01-01\n{A} {word}\n{B} {word}"}, hints((B, 1, "p")), hints((B, 0, "scope")))
    expected = {A: 0} if word == "-" else {}  # without a date it comes before the other
    assert labels(result) == expected
    assert result.conflicts.empty
    assert len(result.classless) == 2 - len(expected)


@pytest.mark.parametrize("word", [" 2026-01-01", "  blind", ""])
def test_an_empty_value_without_how_or_date_does_not(tmp_path: Path, word: str) -> None:
    result = merged(tmp_path, {"anna": f"{B} {word}"}, hints((B, 1, "p")))
    assert (labels(result), result.classless) == ({B: 1}, [])


@pytest.mark.parametrize(("by", "expected", "label"), [("leave_out", {}, ""), ("majority", {}, "-"), ("latest", {A: 1}, "1")])
def test_people_of_whom_some_say_that_no_class_fits_differ(tmp_path: Path, by: str, expected: dict[str, int], label: str) -> None:
    said = {"anna": f"{A} - 2026-01-01", "ben": f"{A} - 2026-01-02", "eve": f"{A} 1 2026-01-03"}
    result = merged(tmp_path, said, hints((A, 0, "p")), by=by)
    assert labels(result) == expected
    assert result.conflicts[["values", "annotators", "label"]].to_numpy().tolist() == [["-|-|1", "anna|ben|eve", label]]


def test_the_answer_to_a_quiz_says_nothing_of_the_picture(tmp_path: Path) -> None:
    result = merged(tmp_path, {"anna": f"{A} 0 2026-01-01\n{A} 1 2026-01-02 quiz\n{B} 0  quiz"})
    assert labels(result) == {A: 0}


THREE = {"anna": f"{A} 0 2026-01-01 blind", "ben": f"{A} 1 2026-01-03 blind", "eve": f"{A} 0 2026-01-02 import"}


@pytest.mark.parametrize(
    ("by", "said", "expected"),
    [
        ("leave_out", THREE, {}),
        ("majority", THREE, {A: 0}),
        ("latest", THREE, {A: 1}),
        ("majority", {"anna": f"{A} 0", "ben": f"{A} 1"}, {}),
        ("latest", {"anna": f"{A} 0", "ben": f"{A} 1"}, {}),  # undated lines of two sheets: neither is later
        ("latest", {"anna": f"{A} 0 2026-01-01", "ben": f"{A} 1"}, {A: 0}),
    ],
)
def test_annotators_who_differ_are_always_listed(tmp_path: Path, by: str, said: dict[str, str], expected: dict[str, int]) -> None:
    result = merged(tmp_path, said, hints((A, 1, "p1")), by=by)
    assert labels(result) == expected
    assert result.conflicts["label"].tolist() == [str(expected.get(A, ""))]


def test_a_conflict_shows_both_sides_who_when_and_by_which_rule(tmp_path: Path) -> None:
    lines = {"anna": "0,anna,2026-01-01,R1", "ben": "1,ben,2026-01-03T12:00:00Z,R2@1f2e3d4c", "eve": "0,,,"}
    paths = [
        sheet(tmp_path, f"objectId,value,annotator,labelledAt,rule\n{A},{text}\n", f"{name}.csv") for name, text in lines.items()
    ]
    result = merging.merge(merging.ranks(words(paths, KNOWN, CLASSES), hints(), hints()), "majority")
    (row,) = tables.rows(result.conflicts, tables.Conflict)
    assert row == tables.Conflict(
        A, "0|0|1", f"{paths[0]}:2|{paths[2]}:2|{paths[1]}:2", "anna|eve|ben", "2026-01-01T00:00:00Z||2026-01-03T12:00:00Z",
        "R1||R2@1f2e3d4c", "0",
    )  # fmt: skip
    (detail,) = tables.rows(result.details, tables.LabelDetail)
    assert detail == tables.LabelDetail(A, 0, "sheet", "anna|eve", "2026-01-01T00:00:00Z", "R1", "", "")


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


def test_the_default_of_a_device_counts_where_nothing_else_is_known(tmp_path: Path) -> None:
    captures = pd.DataFrame({"site": "s", "urlId": ["1", "2", "3", "4"], "device": ["scope", "scope", "scope", ""]})
    index = pd.DataFrame({"site": "s", "objectId": [A, B, C, D], "urlId": ["1", "2", "3", "4"]})
    defaults = from_devices(captures, index, {"scope": 0})
    assert defaults.to_numpy().tolist() == [[A, 0, "scope"], [B, 0, "scope"], [C, 0, "scope"]]
    result = merged(tmp_path, {"anna": f"{A} 1"}, hints((B, 1, "p1")), defaults)
    assert labels(result) == {A: 1, B: 1, C: 0}
    assert result.conflicts.empty
