"""Freeze the current labels into a dataset version: a flat, complete table and what is known of it."""

import logging
from pathlib import Path

from sengu.base import params, tables
from sengu.base.atomic import replaced_folder
from sengu.base.errors import run_program
from sengu.base.tables import versions

logger = logging.getLogger("dataset")


def main(arguments: list[str]) -> None:
    source, folder = map(Path, arguments)
    classes = params.section("label", params.LabelParams).classes
    labels = tables.read(source, tables.Label)
    version = versions.describe(folder.name, classes, labels)
    with replaced_folder(folder) as partial:
        versions.write(partial, version, labels)
    logger.info("%s: %d rows", folder.name, len(labels))


if __name__ == "__main__":
    run_program(main, "LABEL VERSION")
