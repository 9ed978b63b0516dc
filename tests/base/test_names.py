import pytest

from sengu.base import names


@pytest.mark.parametrize("name", ["cat", "no mask", "猫", "a.b", "..a", "C++", "très", "0"])
def test_what_a_folder_can_be_called_everywhere_is_allowed(name: str) -> None:
    assert names.fault(name) == ""


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("a/b", "contains '/'"),
        ("..\\a", "contains '\\\\'"),
        ("..", "dots"),
        (".", "dots"),
        ("cat.", "ends with a dot"),
        ("cat ", "ends with a dot or space"),
        (" cat", "begins with a space"),
        ("a\x1b[31m", "contains '\\x1b'"),
        ("a\nb", "contains '\\n'"),
        ("a\u202eb", "contains '\\u202e'"),
        ("a:b", "contains ':'"),
        ("NUL", "device"),
        ("com1.txt", "device"),
        ("COM¹", "device"),
        ("conin$", "device"),
        ("\u200b", "no visible character"),
        ("\u200d\ufeff", "no visible character"),
        ("猫" * 86, "more than 255 bytes"),
    ],
)
def test_what_it_cannot_be_has_a_reason(name: str, reason: str) -> None:
    assert reason in names.fault(name)


def test_names_that_differ_in_case_or_composition_are_the_same() -> None:
    assert names.same(["cat", "dog"]) == ""
    assert names.same(["cat", "dog", "Cat"]) == "Cat"
    assert names.same(["が", "か\u3099"]) == "か\u3099"


def test_control_characters_become_escapes() -> None:
    assert names.printable("a\x1b[31mb\x07\x9b\u202e\rc\td\n") == "a\\x1b[31mb\\x07\\x9b\\u202e\\rc\td\n"
    assert names.printable("très 猫") == "très 猫"
    assert names.cell("a\tb\nc\x1b") == "a\\tb\\nc\\x1b"
