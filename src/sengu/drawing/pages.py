"""The one style sheet of all pages that people look at -> its text, to serve or to put into a page that holds all it shows."""

from functools import cache
from pathlib import Path


@cache
def style() -> str:
    """CSS: colours by light, dark and forced colours, type, cards, tables, buttons, pictures."""
    return (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
