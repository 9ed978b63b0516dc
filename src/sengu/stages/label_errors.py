"""List the examples with the most doubtful labels, by confident learning."""

import logging
from pathlib import Path

from sengu.base.errors import run_program
from sengu.base.params import LabelErrors, section
from sengu.examples import read_features
from sengu.labels import label_errors

logger = logging.getLogger("label_errors")


def main(arguments: list[str]) -> None:
    pixels, features, path = map(Path, arguments)
    params = section("label_errors", LabelErrors)
    examples = read_features(pixels, features)
    ranked = label_errors.rank(examples.rows, examples.arrays, params.folds, params.seed)
    label_errors.write(path, ranked)
    logger.info("%d of %d labels are suspect", (ranked["suspect"] == "yes").sum(), len(ranked))


if __name__ == "__main__":
    run_program(main, "PIXELS FEATURES LABEL_ERRORS")
