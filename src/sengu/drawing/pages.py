"""The style sheet of all pages for people -> its text, to serve or to put into a self-contained page."""

from functools import cache
from pathlib import Path


@cache
def style() -> str:
    """CSS: colours by light, dark and forced colours, type, cards, tables, buttons, pictures."""
    return (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
