"""data/dataset/<version>: a flat, complete table of labels, and its metadata."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pandas as pd

from sengu.base import tables
from sengu.base.errors import SenguError
from sengu.base.tables import csvfile

LABELS = "label.csv"
METADATA = "dataset.json"
SUBJECTS = "subjects.csv"  # of a version whose pictures have known subjects: objectId,subject
MODELS = "model_labels.csv"  # objectId of the labels that a model gave; absent if there are none


@dataclass(frozen=True)
class Version:
    """The metadata of a dataset version; the class named at position i has value i."""

    version: str
    parents: list[str]
    classes: list[str]
    rows: int
    rows_by_value: dict[str, int]


def describe(version: str, classes: list[str], labels: pd.DataFrame, parents: Sequence[str] = ()) -> Version:
    """Describes a version. Raises SenguError for a value that has no class."""
    check(labels, classes, "label.classes in params.yaml")
    counts = {str(value): int((labels["value"] == value).sum()) for value in range(len(classes))}
    return Version(version, list(parents), classes, len(labels), counts)


def check(labels: pd.DataFrame, classes: list[str], source: str) -> None:
    """Raises SenguError for a value that has no class among those of the `source`."""
    beyond = labels[labels["value"] >= len(classes)]
    if len(beyond):
        row = beyond.iloc[0]
        raise SenguError(
            f"{row['objectId']} has value {row['value']}, but {source} names {len(classes)} classes: "
            "add the class, or correct the label, and run `dvc repro`"
        )


def write(folder: Path, version: Version, labels: pd.DataFrame) -> None:
    tables.write(folder / LABELS, labels, tables.Label)
    (folder / METADATA).write_text(json.dumps(asdict(version), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def no_subjects() -> pd.DataFrame:
    return pd.DataFrame({"objectId": [], "subject": []}, dtype="str")


def subjects(folder: Path) -> pd.DataFrame:
    """The objectId and subject of the pictures whose subject is known."""
    path = folder / SUBJECTS
    if not path.is_file():
        return no_subjects()
    table, lines = csvfile.numbered(path)
    if list(table.columns) != ["objectId", "subject"]:
        raise SenguError(f"{path}:1: columns are {','.join(table.columns)}, expected objectId,subject")
    if (twice := table["objectId"].duplicated()).any():
        row = int(twice.to_numpy().argmax())
        raise SenguError(f"{path}:{lines[row]}: {table['objectId'].iloc[row]} appears twice: run `dvc repro` to make it again")
    return table


def labelled_by_models(folder: Path) -> frozenset[str]:
    """The objects of a version whose label comes from a model, not a person: they must not be in validation or test."""
    path = folder / MODELS
    return frozenset(csvfile.read(path)["objectId"]) if path.is_file() else frozenset()


def read(folder: Path) -> Version:
    """The metadata of a version; dataset.json has more, see `sengu.datasets`. Raises SenguError if it is missing or damaged."""
    path = folder / METADATA
    if not path.is_file():
        raise SenguError(f"{path} is missing: run `dvc repro`, or `dvc pull` if someone else produced it")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Version(**{field.name: document[field.name] for field in fields(Version)})
    except (ValueError, TypeError, KeyError) as error:
        raise SenguError(f"{path} is damaged ({error}): `sengu heal {folder}` restores it") from error
