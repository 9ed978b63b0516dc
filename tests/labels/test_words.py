"""Who said what, when and by which rule; and all lines that are wrong, in one go."""

import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from labels.said import CLASSES, KNOWN, A, B, C, brief, read, sheet

from sengu.base.errors import SenguError
from sengu.labels.words import NONE, Known, words

HEADER = "objectId,value,annotator,labelledAt,rule,how,note\n"


def test_a_sheet_may_name_objects_or_files_and_classes_or_values(tmp_path: Path) -> None:
    assert brief(read(tmp_path, f"objectId,value,note\n{A},1,\n{B},dots,sure\n")) == [[A, 1, 2], [B, 0, 3]]
    assert brief(read(tmp_path, "filename,value\nx/a.jpg,stripes\n")) == [[A, 1, 2]]


def test_every_column_becomes_part_of_the_word(tmp_path: Path) -> None:
    table = read(tmp_path, HEADER + f"{A},dots,Anna,2026-01-02T03:04:05+02:00,r03@1F2E3D4C,Blind,why not\n")
    (row,) = table.to_dict("records")
    assert row | {"time": 0} == {
        "objectId": A, "value": 0, "annotator": "Anna", "labelledAt": "2026-01-02T01:04:05Z", "time": 0, "rule": "R3@1f2e3d4c",
        "how": "blind", "note": "why not", "subject": "", "line": 2, "sheet": str(tmp_path / "mine.csv"), "object": 0,
    }  # fmt: skip
    assert row["time"] == datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC).timestamp() * 1_000_000


def test_an_old_sheet_is_one_of_the_person_it_is_named_after(tmp_path: Path) -> None:
    table = read(tmp_path, f"objectId,value\n{A},1\n", "anna.csv")
    assert table[["annotator", "labelledAt", "rule", "how"]].to_numpy().tolist() == [["anna", "", "", ""]]


def test_ids_may_be_in_upper_case_or_without_extension(tmp_path: Path) -> None:
    lines = f"objectId,value\n{A.upper()},1\n{'b' * 40},1\n{'C' * 40},0\n"
    assert brief(read(tmp_path, lines)) == [[A, 1, 2], [B, 1, 3], [C, 0, 4]]
    two = Known(pd.DataFrame({"objectId": [A, A.replace("jpg", "png")], "filename": "", "video": ""}))
    with pytest.raises(SenguError, match=f"mine.csv:2: objectId '{'a' * 40}' is one of {A}, .*png: write the extension"):
        read(tmp_path, f"objectId,value\n{'a' * 40},1\n", known=two)


def test_names_and_classes_are_compared_however_a_mac_spells_them(tmp_path: Path) -> None:
    apart = unicodedata.normalize("NFD", "が.jpg")
    assert apart != "が.jpg"
    known = Known(pd.DataFrame({"objectId": [A], "filename": [apart], "video": [""]}))
    path = sheet(tmp_path, "filename,value\nが.jpg,が\n")
    assert brief(words([path], known, [unicodedata.normalize("NFD", "が"), "other"])) == [[A, 0, 2]]


def test_the_file_name_of_a_video_stands_for_its_frames(tmp_path: Path) -> None:
    video = f"{'e' * 40}.mp4"
    known = Known(pd.DataFrame({"objectId": [video, A, B], "filename": "v.mp4", "video": ["", video, video]}))
    table = read(tmp_path, "filename,value\nv.mp4,stripes\n", known=known)
    assert sorted(table["objectId"]) == sorted([video, A, B])
    assert set(table["value"]) == {1}


def test_all_wrong_lines_are_named_in_one_go(tmp_path: Path) -> None:
    future = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    lines = [
        f"{'d' * 40}.jpg,1,,,,,",
        f"{A},2,,,,,",
        f"{A},1,,yesterday,,,",
        f"{A},1,,27.11.2026,,,",
        f"{A},1,,2026-02-30,,,",
        f"{A},1,,{future},,,",
        f"{A},1,,,cartoons,,",
        f"{A},1,,,,guessed,",
        f"{A},1",
        f"{B},0,,,,,",
    ]
    with pytest.raises(SenguError) as error:
        read(tmp_path, HEADER + "\n".join(lines) + "\n")
    first, *rest = str(error.value).split("\n  ")
    assert first == "9 lines of sheets are wrong:"
    reasons = {int(line.split(":")[1]): line.split(": ", 1)[1] for line in rest}
    assert sorted(reasons) == list(range(2, 11))
    assert reasons[2].startswith("no object has the objectId 'ddd")
    assert reasons[3] == "value '2' is not a class: expected one of dots, stripes, 0, 1, or - if no class fits"
    for line in (4, 5, 6):
        assert "write it as 2026-11-27T09:30:00Z, or leave it empty" in reasons[line]
    assert "lies in the future: correct it, or the clock of this machine" in reasons[7]
    assert "rule is 'cartoons': write its number, as R3" in reasons[8]
    assert "how is 'guessed': expected one of blind, suggested, page, group, repeat, quiz, import, model" in reasons[9]
    assert reasons[10].startswith("2 fields, expected 7")


def test_wrong_lines_of_several_sheets_come_together(tmp_path: Path) -> None:
    paths = [sheet(tmp_path, f"objectId,value\n{A},{value}\n", name) for name, value in (("a.csv", "x"), ("b.csv", "y"))]
    with pytest.raises(SenguError, match=r"2 lines of sheets are wrong:\n  .*a.csv:2: value 'x'.*\n  .*b.csv:2: value 'y'"):
        words(paths, KNOWN, CLASSES)


def test_a_file_of_another_kind_does_not_fill_the_screen(tmp_path: Path) -> None:
    with pytest.raises(SenguError, match=r"99 lines of sheets are wrong:(\n.*){50}\n  … and 49 more$"):
        read(tmp_path, "objectId,value\n" + "x,1\n" * 99)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("filename,value\nsame.jpg,1\n", "mine.csv:2: 2 objects have the filename 'same.jpg': use the column objectId"),
        ("filename,value\n,1\n", "mine.csv:2: no object has the objectId ''"),
        ("filename,value\nother.jpg,1\n", "mine.csv:2: no object has the filename 'other.jpg'"),
        (f"objectId,filename,value\n{B},x/a.jpg,1\n", f"mine.csv:2: objectId {B} and filename 'x/a.jpg', which is {A}, are diff"),
        (f"objectId,filename,value\n{B},new.jpg,1\n", "filename 'new.jpg', which no object has, are different pictures"),
        (
            f"{HEADER}{A},1,anna,,,,\n{B},1,ben,,,,\n",
            r"mine.csv:3: the sheet names 2 annotators, anna \(line 2\) and ben \(line 3\): give each of them a separate",
        ),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SenguError, match=message):
        read(tmp_path, text)


def test_both_names_of_one_picture_are_right(tmp_path: Path) -> None:
    text = f"objectId,filename,value\n{A},x/a.jpg,1\n,x/a.jpg,0\n{B},,0\n{C},same.jpg,1\n"
    assert brief(read(tmp_path, text)) == [[A, 1, 2], [A, 0, 3], [B, 0, 4], [C, 1, 5]]


def test_rejected_and_erased_pictures_are_counted_with_the_reason(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = f"filename,objectId,value\nx/a.jpg,,1\ntorn.jpg,,1\n,{'e' * 40}.png,1\n,{'E' * 40},0\n"
    assert brief(read(tmp_path, text)) == [[A, 1, 2]]
    assert "mine.csv: 1 line ignored, because the picture was rejected or erased: the JPEG ends early" in caplog.text
    assert "mine.csv: 2 lines ignored, because the picture was rejected or erased: erased" in caplog.text


def test_an_annotator_is_one_person_and_spelt_one_way(tmp_path: Path) -> None:
    at = "2026-01-01T00:00:00Z"
    one = sheet(tmp_path, f"{HEADER}{A},dots,anna,{at},,,\n", "anna.csv")
    other = sheet(tmp_path, f"{HEADER}{A},stripes,anna,{at},,,\n", "other.csv")
    with pytest.raises(
        SenguError, match=f"other.csv:2: annotator 'anna' gives {A} two different labels at {at}, here and in .*anna.csv:2"
    ):
        words([one, other], KNOWN, CLASSES)
    other = sheet(tmp_path, f"{HEADER}{B},stripes,Anna,{at},,,\n", "other.csv")
    with pytest.raises(SenguError, match="other.csv:2: annotator 'Anna' is spelled 'anna' elsewhere"):
        words([one, other], KNOWN, CLASSES)


def test_a_half_filled_sheet_gives_what_is_filled_in(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert brief(read(tmp_path, f"objectId,value,distance\n{A},,0.1\n{B},dots,0.2\n{C},,0.3\n")) == [[B, 0, 3]]
    assert "mine.csv: 2 lines without a value" in caplog.text


def test_an_empty_value_takes_back_what_stands_above_it_or_was_said_before_its_date(tmp_path: Path) -> None:
    assert brief(read(tmp_path, f"objectId,value\n{A},1\n{A},\n")) == [[A, 1, 2], [A, NONE, 3]]
    assert brief(read(tmp_path, f"objectId,value,labelledAt\n{A},,2026-01-01\n")) == [[A, NONE, 2]]


def test_no_sheet_at_all_and_an_empty_one(tmp_path: Path) -> None:
    assert words([], KNOWN, CLASSES).empty
    assert read(tmp_path, "objectId,value\n").empty
    assert list(read(tmp_path, "objectId,value\n")) and set(read(tmp_path, "objectId,value\n")) == set(words([], KNOWN, CLASSES))
