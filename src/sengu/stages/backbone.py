"""Fetch the pretrained backbone from its source, once, as a SavedModel that DVC pins."""

import logging
from pathlib import Path

from sengu import backbones, params
from sengu.atomic import replaced_folder
from sengu.errors import run_program

logger = logging.getLogger("backbone")


def main(arguments: list[str]) -> None:
    embedded, output = map(Path, arguments)
    settings = params.section("backbone", params.Backbone)
    with replaced_folder(output) as partial:
        features = backbones.write(settings.source, embedded, partial)
    logger.info("%s: %d features", settings.source, features)


if __name__ == "__main__":
    run_program(main, "EMBEDDED BACKBONE")
