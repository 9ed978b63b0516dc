"""Exports as Label Studio, CVAT and taggers write them."""

import json
from pathlib import Path

import pytest
from labels.said import A, B, sheet

from sengu.base.errors import SenguError
from sengu.labels import importing
from sengu.labels.importing import Pictures, Said

TASKS = [
    {
        "id": 7,
        "data": {"image": "/data/upload/1/1a2b3c4d-cat%20one.jpg"},
        "annotations": [
            {
                "completed_by": {"id": 3, "email": "anna@example.org"},
                "created_at": "2026-01-01T10:00:00.123456Z",
                "updated_at": "2026-01-02T10:00:00.123456Z",
                "was_cancelled": False,
                "result": [{"type": "choices", "from_name": "kind", "value": {"choices": ["dots"]}}],
            },
            {"completed_by": 4, "was_cancelled": True, "result": [{"type": "choices", "value": {"choices": ["stripes"]}}]},
        ],
        "predictions": [{"model_version": "net-2", "result": [{"type": "choices", "value": {"choices": ["stripes"]}}]}],
    }
]
CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<meta><task><updated>2026-01-02 03:04:05.678901+00:00</updated><owner><username>ben</username></owner></task></meta>
<image id="0" name="x/a.jpg" width="6" height="4"><tag label="dots" source="manual"/></image>
<image id="1" name="b.jpg" width="6" height="4"><tag label="stripes" source="auto"/></image>
<image id="2" name="c.jpg" width="6" height="4"/>
</annotations>"""


def test_label_studio_gives_annotations_and_predictions(tmp_path: Path) -> None:
    path = sheet(tmp_path, json.dumps(TASKS), "export.json")
    picture = "/data/upload/1/1a2b3c4d-cat%20one.jpg"
    assert importing.read(path) == [
        Said(picture, "dots", f"{path}: task 7", "anna@example.org", "2026-01-02T10:00:00.123456Z"),
        Said(picture, "stripes", f"{path}: task 7", "net-2", "", "model"),
    ]
    flat = [{"id": 1, "image": "b.jpg", "choice": "dots", "annotator": 5, "updated_at": "2026-01-01T00:00:00Z"}]
    (said,) = importing.read(sheet(tmp_path, json.dumps(flat), "min.json"))
    assert (said.picture, said.value, said.annotator, said.how) == ("b.jpg", "dots", "user-5", "import")


def test_cvat_gives_the_tags_of_images(tmp_path: Path) -> None:
    path = sheet(tmp_path, CVAT, "annotations.xml")
    first, second = importing.read(path)
    assert first == Said("x/a.jpg", "dots", f"{path}: image 0 x/a.jpg", "ben", "2026-01-02 03:04:05+00:00")
    assert (second.value, second.annotator, second.how) == ("stripes", "model", "model")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("path,class,probability_dots,probability_stripes\nx/a.jpg,dots,0.9,0.1\n", ("x/a.jpg", "dots", "")),
        ("image;choice;annotator\nx/a.jpg;dots;7\n", ("x/a.jpg", "dots", "7")),
        (f"objectId,value,annotator\n{A},dots,anna\n{B},,anna\n", (A, "dots", "anna")),
    ],
)
def test_a_csv_file_of_a_tagger_is_read(tmp_path: Path, text: str, expected: tuple[str, str, str]) -> None:
    (said,) = importing.read(sheet(tmp_path, text, "tags.csv"))
    assert (said.picture, said.value, said.annotator) == expected


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.json", "{", "x.json is not JSON"),
        ("x.json", "{}", "x.json is not a list of tasks: export it from Label Studio as JSON"),
        ("x.json", "[]", "x.json holds no label"),
        ("x.xml", "<a>", "x.xml is not XML .*CVAT for images 1.1"),
        (
            "x.xml",
            CVAT.replace('"/></image>\n<image id="1"', '"/><tag label="b"/></image>\n<image id="1"'),
            "has 2 tags .dots, b.",
        ),
        ("x.csv", f"objectId,value\n{A},\n{B},\n", "x.csv: none of its 2 lines has a value: fill in that column, and import"),
        ("x.csv", "a,b\n1,2\n", "x.csv:1: columns are a,b, expected one of objectId, filename"),
    ],
)
def test_another_file_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(SenguError, match=message):
        importing.read(sheet(tmp_path, text, name))


def test_a_picture_is_found_by_whatever_an_export_calls_it() -> None:
    pictures = Pictures([A, B], {"x/cat one.jpg": A, "y/b.jpg": B, "z/b.jpg": ""}, {"http://a.example/p.png": B})
    for text in (
        A, A.upper(), "a" * 40, f"/some/where/{A}", f"/data/upload/1/1a2b3c4d-{A}", "x/cat one.jpg", "cat one.jpg",
        "/data/upload/1/1a2b3c4d-cat%20one.jpg",
        "/data/local-files/?d=x/cat%20one.jpg", "C:\\pictures\\cat one.jpg",
    ):  # fmt: skip
        assert pictures.find(text) == A, text
    assert pictures.find("http://a.example/p.png") == B
    assert pictures.find("y/b.jpg") == B
    assert pictures.find("b.jpg") == ""
    assert pictures.find("c.jpg") is None
