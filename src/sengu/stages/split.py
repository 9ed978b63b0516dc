"""Split a version into train, validation, test by the SHA-1's low byte, balanced."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from sengu.base import params, tables
from sengu.base.errors import SenguError, run_program
from sengu.base.ids import are_videos, low_bytes
from sengu.base.tables import grouping, versions

logger = logging.getLogger("split")

HELD_OUT = ("test", "validation")
USED = ("train", *HELD_OUT)
SHOWN = 10  # warnings about groups
FEW = 3  # pictures of each class, that advice on the ranges aims at in test and in validation
WIDEST = 80  # low bytes of 256 that such advice gives to each of them
CERTAINTY = 0.95  # the confidence with which a small test proves something


@dataclass(frozen=True)
class Origins:
    """Facts of a version beside its labels: `subjects` (objectId, subject), and the objects that a model labelled."""

    subjects: pd.DataFrame = field(default_factory=versions.no_subjects)
    by_models: Collection[str] = ()


def split(
    labels: pd.DataFrame, duplicates: pd.DataFrame, rule: params.Split, origins: Origins | None = None, mirrored: bool = False
) -> pd.DataFrame:
    """`labels` (objectId, value) sorted by objectId, with a column type.

    Videos are `excluded`. Objects that only a model labelled are not held out: the opinion of a model, even its own, cannot
    measure a model.

    The low byte of the SHA-1 decides; then, in test and validation, each class is cut to the size of the smallest one in
    table order and the surplus goes to train; with `surplus: hold_out` that of test gets a type of its own, and is neither
    trained on nor chosen by, but measured. With `leaks: exclude`, a train row whose group reaches into test or validation
    becomes `excluded`, and so does a validation row whose group reaches into test; test never moves. A group is a set of rows
    that near-duplicates, subjects and, if `mirrored`, mirror images join through any chain.
    """
    origins = origins or Origins()
    is_sorted = labels["objectId"].is_monotonic_increasing
    table = labels.reset_index(drop=True) if is_sorted else labels.sort_values("objectId", ignore_index=True)
    values = table["value"].to_numpy()
    object_ids = table["objectId"].to_numpy()
    types = np.full(len(table), "train", dtype=object)
    for name in HELD_OUT:
        types[_in_range(object_ids, rule, name)] = name
    types[table["objectId"].isin(list(origins.by_models)).to_numpy(dtype=bool)] = "train"
    types[are_videos(object_ids)] = "excluded"
    for name in HELD_OUT:
        places = [np.flatnonzero((types == name) & (values == value)) for value in np.unique(values)]
        smallest = min(map(len, places), default=0)
        for place in places:
            types[place[smallest:]] = "surplus" if name == "test" and rule.surplus == "hold_out" else "train"
    table["type"] = pd.array(types, dtype="str")
    if rule.leaks == "keep":
        return table
    return _without_leaks(table, pd.Series(grouping.kin(table["objectId"], duplicates, origins.subjects, mirrored), table.index))


def _in_range(object_ids: np.ndarray, rule: params.Split, kind: str) -> np.ndarray:
    """Marks the objects that are pictures with a low byte in the range of `kind`, all of them for train."""
    first, last = getattr(rule, kind, (0, 255))
    low_byte = low_bytes(object_ids)
    return np.asarray((low_byte >= first) & (low_byte <= last) & ~are_videos(object_ids))


def _without_leaks(table: pd.DataFrame, group: pd.Series) -> pd.DataFrame:
    in_test = group.isin(group[table["type"].isin(("test", "surplus"))])
    in_validation = group.isin(group[table["type"] == "validation"])
    leaks = ((table["type"] == "train") & (in_test | in_validation)) | ((table["type"] == "validation") & in_test)
    return table.assign(type=table["type"].mask(leaks, "excluded"))


def of_version(folder: Path, duplicates: pd.DataFrame) -> pd.DataFrame:
    """The split of a dataset version by the rules in params.yaml."""
    labels = tables.read(folder / versions.LABELS, tables.Label)
    rule = params.section("split", params.Split)
    train = params.section("train", params.Train)
    origins = Origins(versions.subjects(folder), versions.labelled_by_models(folder))
    return split(labels, duplicates, rule, origins, mirrored=train.fine_tune.flips or train.mirror)


def check_classes(table: pd.DataFrame, classes: Sequence[str], rule: params.Split, by_models: Collection[str] = ()) -> list[str]:
    """Warnings about classes with fewer test pictures than the rule wants, and what these can still prove.

    `table` is a split by the rule, in which models labelled some of the objects; the class named at position i has value i.
    Raises SenguError for a class that has pictures, but none in train, validation or test. If several have none there, it names
    the one of which the fewest could be held out, since the others are cut to its size.
    """
    counts = table.groupby(["value", "type"]).size().unstack(fill_value=0).reindex(columns=[*USED, "excluded"], fill_value=0)
    is_by_model = table["objectId"].isin(list(by_models)).to_numpy(dtype=bool)
    for kind in USED:
        if not len(missing := counts.index[counts[kind] == 0]):
            continue
        eligible = table["value"][_in_range(table["objectId"].to_numpy(), rule, kind) & ~is_by_model].to_numpy()
        candidates = missing.to_list()
        value = min(candidates, key=lambda value: int((eligible == value).sum())) if kind in HELD_OUT else candidates[0]
        row, name = counts.loc[value], classes[value]
        others = "; ".join(f"{row[part]} {part}" for part in (*USED, "excluded") if row[part])
        lack = f"class {name!r} has no {kind} picture among its {int(row.sum())} labelled ones ({others}): "
        if kind in HELD_OUT and (of_models := int((is_by_model & (table["value"] == value)).sum())):
            by_people = "such pictures are not held out: have people label them"
            raise SenguError(f"{lack}a model gave {of_models} of its labels, and {by_people}")
        wider = _wider(table[~is_by_model & ~are_videos(table["objectId"].to_numpy())], rule) if kind in HELD_OUT else ""
        more = "label more pictures of this class that are not near-duplicates of the labelled ones"
        raise SenguError(f"{lack}{more}; {_advice(counts, row)}{wider}")
    # the limit of Clopper and Pearson if all are right
    few = [(classes[int(str(value))], int(row["test"])) for value, row in counts.iterrows() if row["test"] < rule.minimum]
    return [
        f"class {name!r} has {count} test pictures, fewer than split.minimum ({rule.minimum}): even if all of them are right, "
        f"they prove no more than a recall above {((1 - CERTAINTY) / 2) ** (1 / count):.0%}; label more of it"
        for name, count in few
    ]


def _advice(counts: pd.DataFrame, row: pd.Series) -> str:
    if row["excluded"] > row["train"]:
        return (
            "most are excluded because near-duplicates, mirror images or a subject reach into what is held out: see the log of "
            "`dvc repro --force --single-item duplicates`, and set split.leaks to keep only if those groups are wrong"
        )
    return f"in test and validation each class is cut to the size of the smallest, {int(counts[list(HELD_OUT)].min().min())}"


def _wider(people: pd.DataFrame, rule: params.Split) -> str:
    """Advice on ranges that hold out more, enough of each class; empty if none would do. `people` may be held out."""
    low_byte, values = low_bytes(people["objectId"].to_numpy()), people["value"].to_numpy()
    present = max(last - first + 1 for first, last in (rule.test, rule.validation))
    for width in range(present + 1, WIDEST + 1):
        parts = low_byte // width  # 0 test, 1 validation
        if all((values[parts == part] == value).sum() >= FEW for part in (0, 1) for value in np.unique(values)):
            return (
                "; or hold out a larger share, as long as there are few pictures: in params.yaml, under split, "
                f"test: [0, {width - 1}] and validation: [{width}, {2 * width - 1}] leave at least {FEW} of each class in both"
            )
    return ""


def check(rule: params.Split) -> None:
    """Raises SenguError if the byte ranges of the rule are empty or overlap."""
    for name in HELD_OUT:
        first, last = getattr(rule, name)
        if first > last:
            raise SenguError(f"params.yaml: split.{name} is [{first}, {last}]: the first byte must not be above the last")
    if rule.test[0] <= rule.validation[1] and rule.validation[0] <= rule.test[1]:
        raise SenguError(f"params.yaml: split.test {list(rule.test)} and split.validation {list(rule.validation)} overlap")


def main(arguments: list[str]) -> None:
    version, duplicates, _, output = map(Path, arguments)  # the third is for DVC, which then runs the stage `version` first
    rule = params.section("split", params.Split)
    check(rule)
    labels = tables.read(version / versions.LABELS, tables.Label)
    if labels["value"].nunique() < 2:
        raise SenguError(
            f"{version / versions.LABELS} has {labels['value'].nunique()} class, but a classifier needs two: label more objects"
        )
    grouped, classes = tables.read(duplicates, tables.Duplicate), versions.read(version).classes
    doubtful = grouping.doubts(labels, grouped, classes)
    for warning in doubtful[:SHOWN]:
        logger.warning("%s", warning)
    if len(doubtful) > SHOWN:
        logger.warning("and %d more groups of near-duplicates hold several labels, or much of a class", len(doubtful) - SHOWN)
    table = of_version(version, grouped)
    for warning in check_classes(table, classes, rule, versions.labelled_by_models(version)):
        logger.warning("%s", warning)
    tables.write(output, table, tables.SplitLabel)
    counts = table.groupby("type")["value"].value_counts().unstack(fill_value=0)
    logger.info("rows by type and value\n%s", counts.to_string())


if __name__ == "__main__":
    run_program(main, "VERSION DUPLICATES NAME SPLIT_LABEL")
