"""The sheets, rules and pictures of one label set -> the facts that the commands on labels need."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pandas as pd

from sengu.base import params, tables
from sengu.base.errors import SenguError
from sengu.base.tables import tombstones
from sengu.base.tables import versions as version_files
from sengu.commands import places
from sengu.labels import merging, rules
from sengu.labels.hints import from_devices, from_tags
from sengu.labels.merging import Merged
from sengu.labels.rules import Rule
from sengu.labels.sheets import sheets
from sengu.labels.words import NO_CLASS, NONE, Known, look

if TYPE_CHECKING:
    from sengu.embeddings import Embeddings


WITHOUT_CLASS = {NO_CLASS: "no class fits", NONE: "taken back"}


@dataclass(frozen=True)
class LabelSet:
    """One question about the pictures: `folder` holds its sheets and rules, `data` its tables."""

    folder: Path
    data: Path

    @classmethod
    def called(cls, name: str) -> "LabelSet":
        """The set `name`, or the main set if that is empty."""
        if not name:
            return cls(places.LABELS, places.DATA)
        return cls(Path(f"{params.SET}{name}"), places.DATA / f"{params.SET}{name}")

    @property
    def is_main(self) -> bool:
        return self.folder == places.LABELS

    @cached_property
    def settings(self) -> params.LabelParams:
        return params.labelling(self.folder)[1]

    @cached_property
    def rules(self) -> dict[str, Rule]:
        return rules.read(self.folder)

    @cached_property
    def captures(self) -> pd.DataFrame:
        return tables.read_sites(places.CAPTURES, params.site_names(), tables.Capture)

    @cached_property
    def index(self) -> pd.DataFrame:
        return tables.read_sites(places.INDEX, params.site_names(), tables.IndexRow)

    @cached_property
    def known(self) -> Known:
        rejected = tables.read_sites(places.REJECTED, params.site_names(), tables.Rejected)
        return Known.of(self.captures, self.index, rejected, tombstones.erased())

    @cached_property
    def looked(self) -> tuple[pd.DataFrame, list[str]]:
        return look(sheets(self.folder), self.known, self.settings.classes)

    @property
    def words(self) -> pd.DataFrame:
        """The words of all correct lines."""
        return self.looked[0]

    @cached_property
    def in_force(self) -> pd.DataFrame:
        """The latest word of each annotator on each object, except those that take a label back."""
        latest = merging.latest(self.words)
        return latest[latest["value"] != NONE]

    @cached_property
    def standing(self) -> pd.DataFrame:
        """The words of `in_force` that name a class."""
        return self.in_force[self.in_force["value"] >= 0]

    @cached_property
    def ranks(self) -> list[pd.DataFrame]:
        tags = from_tags(self.captures, self.index, self.settings.tags)
        return merging.ranks(self.words, tags, from_devices(self.captures, self.index, self.settings.devices))

    @cached_property
    def merged(self) -> Merged:
        """The labels that the stage `label` makes of the present sheets."""
        return merging.merge(self.ranks, self.settings.disagreement)

    def class_of(self, value: int) -> str:
        """The name of a value; empty for one that is not a class."""
        return self.settings.classes[value] if value >= 0 else ""

    def decision_of(self, value: int) -> str:
        """The words for a value, also for one that is not a class."""
        return self.class_of(value) or WITHOUT_CLASS[value]

    def value_of(self, text: str) -> int:
        """The number of a class by its name or number. Raises SenguError."""
        classes = self.settings.classes
        if text in classes:
            return classes.index(text)
        if text.isdigit() and int(text) < len(classes):
            return int(text)
        raise SenguError(f"{text!r} is not a class: expected one of {', '.join(classes)}")


def option(function: Callable[..., Any]) -> Callable[..., Any]:
    """The option --set of a command."""
    return click.option("--set", "name", default="", metavar="NAME", help=f"Another label set: the sheets in {params.SET}NAME/.")(
        function
    )


def versions(label_set: LabelSet) -> dict[str, pd.DataFrame]:
    """The labels of each dataset version that is here and has the classes of a label set, by name."""
    folders = sorted(path.parent for path in places.DATASETS.glob("*/label.csv"))
    return {
        folder.name: tables.read(folder / version_files.LABELS, tables.Label)
        for folder in folders
        if _answers_in(folder, label_set)
    }


def _answers_in(folder: Path, label_set: LabelSet) -> bool:
    """True if a dataset version answers the question of a label set. One that does not say belongs to the main set."""
    if not (folder / version_files.METADATA).is_file():
        return label_set.is_main
    return version_files.read(folder).classes == label_set.settings.classes


def learned(label_set: LabelSet) -> bool:
    """True if the version in `split.dataset`, which the model learns, answers the question of a label set."""
    return _answers_in(places.DATASETS / params.section("split", params.Split).dataset, label_set)


def answers(model: "Embeddings", label_set: LabelSet) -> bool:
    """True if the model that made the embeddings answers the question of a label set.

    Its release names its classes. If that is not here, a model with the right number of classes counts as one of the main set.
    """
    classes = label_set.settings.classes
    if model.probabilities.shape[1] != len(classes):
        return False
    path = places.RELEASE / f"{model.model.name}-{model.model.version}.zip"
    if not path.is_file():
        return label_set.is_main
    from sengu.release import bundle  # ONNX Runtime, which most commands need not wait for

    return bundle.load(path).manifest.classes == classes
