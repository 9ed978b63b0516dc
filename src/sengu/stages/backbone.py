"""Fetch the pretrained backbone from its source as a SavedModel."""

import logging
import os
import re
from pathlib import Path

from sengu.backbones import sources
from sengu.base import params
from sengu.base.atomic import replaced_folder
from sengu.base.errors import SenguError, run_program
from sengu.base.io_errors import REFUSALS
from sengu.networks.backbone import features
from sengu.networks.runtime import tf
from sengu.repository import dvc_lock

STAGE = "backbone"

logger = logging.getLogger(STAGE)


def backbone(source: str, embedded: Path, output: Path, size: int) -> int:
    """Brings the backbone into the folder `output`; returns the number of its features.

    What came over the network and is pinned is not fetched again: a change of size or code must not need a Hub that may be gone.
    """
    if sources.is_remote(source) and is_pinned(source, output):
        logger.info("%s is pinned by %s and is kept: remove it to have it fetched again", output, dvc_lock.LOCK)
        return features(output, source, size)
    try:
        with replaced_folder(output) as partial:
            return sources.write(source, embedded, partial, size)
    except SenguError:  # before TensorFlow is asked for its own, which may not be loaded yet
        raise
    except tf.errors.OpError as error:
        if full := re.search("|".join(map(os.strerror, REFUSALS)), str(error)):
            raise OSError(next(code for code in REFUSALS if os.strerror(code) == full[0]), full[0], str(output)) from error
        raise


def is_pinned(source: str, output: Path) -> bool:
    """True if `output` holds, byte by byte, what dvc.lock says was made from this source."""
    settings = dvc_lock.stages().get(STAGE, {}).get("params", {}).get(params.PARAMS.name, {}).get(STAGE)
    pinned = dvc_lock.pinned_output(STAGE, output)
    return settings == {"source": source} and pinned is not None and dvc_lock.dvc_hash(output) == pinned["md5"]


def main(arguments: list[str]) -> None:
    embedded, output = map(Path, arguments)
    source = params.section("backbone", params.Backbone).source
    size = params.section("prepare", params.Prepare).size
    natural = sources.natural_size(source)
    if natural not in (None, size):
        logger.warning("%s was made for %d x %d pixels, prepare.size is %d", source, natural, natural, size)
    count = backbone(source, embedded, output, size)
    logger.info("%s: %d features", source, count)


if __name__ == "__main__":
    run_program(main, "EMBEDDED BACKBONE")
