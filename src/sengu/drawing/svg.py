"""Figures -> SVG files whose bytes are the same on every run."""

from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

REPRODUCIBLE: dict[Any, Any] = {"svg.hashsalt": "sengu", "svg.fonttype": "none"}
ANONYMOUS = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def save(figure: Figure, path: Path) -> None:
    with rc_context(REPRODUCIBLE):
        figure.savefig(path, format="svg", metadata=ANONYMOUS)
