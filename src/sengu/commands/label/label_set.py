"""The sheets and rules of one label set, and what there is to label -> all that the commands on labels ask of them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import click
import pandas as pd

from sengu.base import params, tables
from sengu.base.errors import SenguError
from sengu.base.tables import tombstones
from sengu.commands import places
from sengu.labels import merging, rules
from sengu.labels.hints import from_devices, from_tags
from sengu.labels.merging import Merged
from sengu.labels.rules import Rule
from sengu.labels.sheets import sheets
from sengu.labels.words import Known, look


@dataclass(frozen=True)
class LabelSet:
    """One question about the pictures: `folder` holds its sheets and rules, `data` its tables."""

    folder: Path
    data: Path

    @classmethod
    def called(cls, name: str) -> "LabelSet":
        """The set `name`, or the main one if that is empty."""
        if not name:
            return cls(places.LABELS, places.DATA)
        return cls(Path(f"{params.SET}{name}"), places.DATA / f"{params.SET}{name}")

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
        """The words of all lines that are right."""
        return self.looked[0]

    @cached_property
    def standing(self) -> pd.DataFrame:
        """The latest word of each annotator on each object, but for those that take a label back."""
        latest = merging.latest(self.words)
        return latest[latest["value"] >= 0]

    @cached_property
    def ranks(self) -> list[pd.DataFrame]:
        tags = from_tags(self.captures, self.index, self.settings.tags)
        return merging.ranks(self.words, tags, from_devices(self.captures, self.index, self.settings.devices))

    @cached_property
    def merged(self) -> Merged:
        """What the stage `label` makes of the sheets as they are now."""
        return merging.merge(self.ranks, self.settings.disagreement)

    def class_of(self, value: int) -> str:
        return self.settings.classes[value] if value >= 0 else ""

    def value_of(self, text: str) -> int:
        """The number of a class by its name or number. Raises SenguError."""
        classes = self.settings.classes
        if text in classes:
            return classes.index(text)
        if text.isdigit() and int(text) < len(classes):
            return int(text)
        raise SenguError(f"{text!r} is no class: expected one of {', '.join(classes)}")


def option(function: Callable[..., Any]) -> Callable[..., Any]:
    """The option --set of a command."""
    return click.option("--set", "name", default="", metavar="NAME", help=f"Another label set: the sheets in {params.SET}NAME/.")(
        function
    )


def versions() -> dict[str, pd.DataFrame]:
    """The labels of each dataset version that is here, by name."""
    paths = sorted(places.DATASETS.glob("*/label.csv"))
    return {path.parent.name: tables.read(path, tables.Label) for path in paths}
