"""Freeze the current labels into a dataset version: a flat, complete table and what is known of it."""

import json
import logging
from pathlib import Path

import pandas as pd

from sengu import tables
from sengu.atomic import replaced_folder
from sengu.errors import run_program

logger = logging.getLogger("dataset")


def describe(version: str, labels: pd.DataFrame) -> dict[str, object]:
    """The metadata of a version: its name, its parents, and how many rows it has of each value."""
    counts = labels["value"].value_counts().sort_index()
    return {
        "version": version,
        "parents": [],
        "rows": len(labels),
        "rows_by_value": {str(value): int(count) for value, count in counts.items()},
    }


def main(arguments: list[str]) -> None:
    source, folder = map(Path, arguments)
    labels = tables.read(source, tables.Label)
    with replaced_folder(folder) as partial:
        tables.write(partial / "label.csv", labels, tables.Label)
        (partial / "dataset.json").write_text(json.dumps(describe(folder.name, labels), indent=2) + "\n")
    logger.info("%s: %d rows", folder.name, len(labels))


if __name__ == "__main__":
    run_program(main, "LABEL VERSION")
