"""Divide a dataset version into train, validation and test by the low byte of the SHA-1, balanced and without leaks."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from sengu.base import params, tables
from sengu.base.errors import SenguError, run_program
from sengu.base.ids import are_videos, low_bytes

logger = logging.getLogger("split")

HELD_OUT = ("test", "validation")


def split(labels: pd.DataFrame, duplicates: pd.DataFrame, rule: params.Split) -> pd.DataFrame:
    """`labels` (objectId, value) sorted by objectId, with a column type.

    Videos are `excluded`.

    The low byte of the SHA-1 decides; then, in test and validation, each class is cut to the size of the smallest one in
    table order and the surplus goes to train; with `surplus: hold_out` that of test gets a type of its own, and is neither
    trained on nor chosen by, but measured. With `leaks: exclude`, a train row whose duplicate group reaches into test or
    validation becomes `excluded`, and so does a validation row whose group reaches into test; test never moves.
    """
    is_sorted = labels["objectId"].is_monotonic_increasing
    table = labels.reset_index(drop=True) if is_sorted else labels.sort_values("objectId", ignore_index=True)
    values = table["value"].to_numpy()
    object_ids = table["objectId"].to_numpy()
    low_byte = low_bytes(object_ids)
    types = np.full(len(table), "train", dtype=object)
    for name in HELD_OUT:
        first, last = getattr(rule, name)
        types[(low_byte >= first) & (low_byte <= last)] = name
    types[are_videos(object_ids)] = "excluded"
    for name in HELD_OUT:
        places = [np.flatnonzero((types == name) & (values == value)) for value in np.unique(values)]
        smallest = min(map(len, places), default=0)
        for place in places:
            types[place[smallest:]] = "surplus" if name == "test" and rule.surplus == "hold_out" else "train"
    table["type"] = pd.array(types, dtype="str")
    return _without_leaks(table, duplicates) if rule.leaks == "exclude" else table


def _without_leaks(table: pd.DataFrame, duplicates: pd.DataFrame) -> pd.DataFrame:
    group = tables.groups(table["objectId"], duplicates)
    in_test = group.isin(group[table["type"].isin(("test", "surplus"))])
    in_validation = group.isin(group[table["type"] == "validation"])
    leaks = ((table["type"] == "train") & (in_test | in_validation)) | ((table["type"] == "validation") & in_test)
    return table.assign(type=table["type"].mask(leaks, "excluded"))


def check(rule: params.Split) -> None:
    """Raises SenguError if the byte ranges of the rule are empty or overlap."""
    for name in HELD_OUT:
        first, last = getattr(rule, name)
        if first > last:
            raise SenguError(f"params.yaml: split.{name} is [{first}, {last}]: the first byte must not be above the last")
    if rule.test[0] <= rule.validation[1] and rule.validation[0] <= rule.test[1]:
        raise SenguError(f"params.yaml: split.test {list(rule.test)} and split.validation {list(rule.validation)} overlap")


def main(arguments: list[str]) -> None:
    version, duplicates, output = map(Path, arguments)
    rule = params.section("split", params.Split)
    check(rule)
    labels = tables.read(version / "label.csv", tables.Label)
    if labels["value"].nunique() < 2:
        raise SenguError(
            f"{version / 'label.csv'} has {labels['value'].nunique()} class, but a classifier needs two: label more objects"
        )
    table = split(labels, tables.read(duplicates, tables.Duplicate), rule)
    tables.write(output, table, tables.SplitLabel)
    counts = table.groupby("type")["value"].value_counts().unstack(fill_value=0)
    logger.info("rows by type and value\n%s", counts.to_string())


if __name__ == "__main__":
    run_program(main, "VERSION DUPLICATES SPLIT_LABEL")
