"""Texts are shortened by their width on paper, and names without glyphs are replaced; fonts are those that matplotlib brings."""

import numpy as np
import pytest

from sengu.drawing import fonts

NOWHERE = "\U0010fffd"  # a private letter, which no font has but the one of last resort


def only_stix() -> str:
    """A letter of a font that matplotlib brings, which the default font lacks."""
    stix = next(font for font in fonts._fonts() if font.name == "STIXGeneral")
    lacking = sorted(fonts._glyphs(stix.fname) - fonts._glyphs(fonts._fonts()[0].fname))
    return next(letter for letter in map(chr, lacking) if letter.isprintable() and not letter.isspace())


def test_a_name_that_no_font_has_becomes_the_number_of_its_class() -> None:
    assert fonts.legible(["dots", f"{NOWHERE} stripes", ""]) == ["dots", "class 1", ""]


def test_a_font_of_the_machine_that_has_the_letters_is_taken() -> None:
    letter = only_stix()
    assert fonts.legible([letter]) == [letter]
    first, found = fonts.families(["dots", letter])
    assert first == fonts.DEFAULT and found != fonts.DEFAULT
    font = fonts.font_of(letter)
    assert font is not None and ord(letter) in fonts._glyphs(font.fname)
    drawn, empty = (np.asarray(fonts.loaded(text, 40).getmask(text)) for text in (letter, " "))
    assert drawn.any() and not empty.any()


@pytest.mark.parametrize("text", ["short", "a very long class name that people use in practice", "W" * 90, ""])
def test_a_shortened_text_is_no_wider_and_keeps_both_ends(text: str) -> None:
    found = fonts.shortened(text, 10, 80)
    assert fonts.loaded(found, 10).getlength(found) <= 80
    assert found == text if len(text) < 10 else found[0] == text[0] and "…" in found and found[-1] == text[-1]


def test_names_that_would_look_alike_get_their_numbers() -> None:
    names = [f"a class of {part} pictures that look alike" for part in ("very many", "rather few")]
    assert len({fonts.shortened(name, 10, 80) for name in names}) == 1
    assert [name[:2] for name in fonts.shortened_names(names, 10, 80)] == ["0 ", "1 "]


def test_a_text_is_broken_at_spaces_and_never_too_wide_or_too_long() -> None:
    text = "the first class called the second class, with many more words than three lines can hold in all: 0.873"
    lines = fonts.wrapped(text, 11, 160)
    assert len(lines) == fonts.LINES
    assert all(fonts.loaded(line, 11).getlength(line) <= 160 for line in lines)
    assert lines[0] == "the first class called the" and lines[-1].endswith(" all: 0.873")
    assert fonts.wrapped("0.873", 11, 160) == ["0.873"]
