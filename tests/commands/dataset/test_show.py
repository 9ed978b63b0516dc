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
