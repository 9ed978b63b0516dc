"""List the examples with the most doubtful labels, by confident learning."""

import logging
from pathlib import Path

from sengu.base import tables
from sengu.base.errors import run_program
from sengu.base.params import LabelErrors, section
from sengu.base.tables import grouping, versions
from sengu.examples import read_features
from sengu.labels import label_errors

logger = logging.getLogger("label_errors")


def main(arguments: list[str]) -> None:
    version, duplicates, pixels, features, path = map(Path, arguments)
    params = section("label_errors", LabelErrors)
    examples = read_features(pixels, features)
    ids, marked = examples.rows["objectId"], tables.read(duplicates, tables.Duplicate)
    groups = grouping.kin(ids, marked, versions.subjects(version), mirrored=True)
    ranked = label_errors.rank(examples.rows, examples.arrays, params.folds, params.seed, groups)
    label_errors.write(path, ranked)
    suspects, agreed = int((ranked["suspect"] == "yes").sum()), label_errors.agreement(ranked)
    logger.info("%d of %d labels are suspect; the doubting model agrees with %.1f%% of them", suspects, len(ranked), 100 * agreed)


if __name__ == "__main__":
    run_program(main, "VERSION DUPLICATES PIXELS FEATURES LABEL_ERRORS")
