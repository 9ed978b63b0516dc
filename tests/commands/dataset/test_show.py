from sengu.commands.dataset.list import as_text
from sengu.commands.dataset.show import _lines


def test_the_sizes_of_pictures_are_told_in_words() -> None:
    lines = _lines({"counts": {"width": [135, 267, 320, 320, 640], "by_class": {"cat": 2}}, "children": ["B", "C"]}, "")
    assert lines == [
        "counts",
        "  width          135 to 640, quartiles 267, 320, 320",
        "  by_class",
        "    cat            2",
        "children       B, C",
    ]


def test_each_model_has_a_line_of_its_own() -> None:
    model = {"commit": "99ba172acc08", "tags": [], "accuracy": 0.991, "low": 0.952, "high": 1.0}
    row = {"version": "v1", "semver": "1.0.0", "parents": [], "by_class": {"dots": 3, "stripes": 4}, "state": "open"}
    released = {**model, "tags": ["classifier@v0.1.0"], "accuracy": 1.0}
    lines = as_text(
        [{**row, "models": [model, released]}, {**row, "version": "v2", "parents": ["v1"], "models": []}]
    ).splitlines()
    assert [line.split() for line in lines[1:3]] == [
        ["v1", "1.0.0", "-", "dots", "3,", "stripes", "4", "open"],
        ["v2", "1.0.0", "v1", "dots", "3,", "stripes", "4", "open"],
    ]
    assert [" ".join(line.split()) for line in lines[5:]] == [
        "v1 0.991 (0.952 to 1.000) 99ba172acc08",
        "v1 1.000 (0.952 to 1.000) classifier@v0.1.0",
    ]
    assert max(map(len, lines)) < 120
    assert as_text([]) == "there is no version yet"
