"""Typed text -> the one spelling in which it is kept and compared."""

import unicodedata


def nfc(text: str) -> str:
    """A text in Unicode's form C; file names of a Mac come in form D, in which \u304c is two characters."""
    return unicodedata.normalize("NFC", text)
