"""Texts and a width -> a font of this machine with their glyphs, and the texts cut to fit."""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from matplotlib.font_manager import FontEntry, fontManager, get_font
from PIL import ImageFont

DEFAULT = "DejaVu Sans"  # comes with matplotlib
LAST_RESORT = "Last Resort"  # comes with it too, and has a box for every character
LINES = 3  # of a wrapped text


def legible(classes: Sequence[str]) -> list[str]:
    """Names of classes that a font can show; `class 1` instead of a name that none can."""
    return [name if font_of(name) else f"class {value}" for value, name in enumerate(classes)]


def families(texts: Sequence[str]) -> list[str]:
    """Names of fonts that together have the glyphs of legible texts."""
    names = [font.name for text in texts if (font := font_of(text))]
    return list(dict.fromkeys([DEFAULT, *names]))


def shortened(text: str, size: float, width: float) -> str:
    """The text, or its beginning and end with an ellipsis between, no wider than `width`; both in points, or both in pixels."""
    return _fitting(text, loaded(text, size), width)


def shortened_names(names: Sequence[str], size: float, width: float) -> list[str]:
    """Names of classes no wider than `width`, with their numbers in front if the shortened names would be the same."""
    short = [shortened(name, size, width) for name in names]
    if len(set(short)) < len(set(names)):
        return [shortened(f"{value} {name}", size, width) for value, name in enumerate(names)]
    return short


def wrapped(text: str, size: float, width: float) -> list[str]:
    """The text in at most LINES lines, broken at spaces, each no wider than `width`."""
    font, lines = loaded(text, size), [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if not lines[-1] or len(lines) == LINES or font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [_fitting(line, font, width) for line in lines]


def loaded(text: str, size: float) -> ImageFont.FreeTypeFont:
    """A font for Pillow that has the glyphs of the text, or else the default one."""
    font = font_of(text) or font_of("")
    assert font is not None  # matplotlib brings the default
    # only scripts that need it are shaped: the library for that is not on every machine, and draws other bytes
    engine = None if any(map(_is_shaped, text)) else ImageFont.Layout.BASIC
    return ImageFont.truetype(font.fname, size, layout_engine=engine)


def _is_shaped(letter: str) -> bool:
    """True if a letter is written from right to left, or joins with the letter before it."""
    return unicodedata.bidirectional(letter) in ("R", "AL", "AN") or unicodedata.category(letter) in ("Mn", "Mc")


@lru_cache
def font_of(text: str) -> FontEntry | None:
    """The default font if it has every glyph of the text, else the first of this machine that has, else none."""
    needed = {ord(letter) for letter in text if not letter.isspace()}
    return next((font for font in _fonts() if needed <= _glyphs(font.fname)), None)


@lru_cache(1)
def _fonts() -> list[FontEntry]:
    """The plain fonts of this machine, the default first."""
    plain = [
        font
        for font in fontManager.ttflist
        if font.style == "normal" and font.weight == 400 and not font.name.startswith(LAST_RESORT)
    ]
    return sorted(plain, key=lambda font: (font.name != DEFAULT, font.name, font.fname))


@lru_cache
def _glyphs(path: str) -> frozenset[int]:
    return frozenset(get_font(path).get_charmap())


def _fitting(text: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    if font.getlength(text) <= width:
        return text
    for kept in range(len(text) - 1, 1, -1):
        shorter = f"{text[: -(-kept // 2)]}…{text[-(kept // 2) :]}"
        if font.getlength(shorter) <= width:
            return shorter
    return "…"
