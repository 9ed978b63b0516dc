"""Labels, tables and a recipe -> the facts of a version (dataset.json): computed, without a clock and without a commit."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sengu.base import digests, params
from sengu.base.tables import versions
from sengu.datasets import recipe as recipes
from sengu.datasets.merging import Step
from sengu.datasets.recipe import Recipe

RULES = "RULES.md"
SUBJECTS = versions.SUBJECTS
UNKNOWN = ""  # the name of a missing site, device or format
QUANTILES = (0, 0.25, 0.5, 0.75, 1)


@dataclass(frozen=True)
class Words:
    """Facts about how the labels came about; dates are ISO 8601, and empty where no sheet gives one."""

    labelled_first: str = ""
    labelled_last: str = ""
    annotators: int = 0
    by_how: dict[str, int] = field(default_factory=dict)  # how -> words
    rules: str = ""  # lower-case hex SHA-256 of RULES.md
    agreement: dict[str, Any] = field(default_factory=dict)  # version on whose pictures it was measured -> measures


@dataclass(frozen=True)
class Facts:
    """The facts in dataset.json, without the lines that every version had from the start."""

    semver: str
    purpose: str
    description: str
    project: dict[str, str]
    lineage: list[dict[str, Any]]
    recipe: dict[str, Any]
    steps: list[dict[str, Any]]
    counts: dict[str, Any]
    fetched: dict[str, str]
    words: dict[str, Any]
    settings: dict[str, str]


def lineage(parents: Sequence[Path]) -> list[dict[str, Any]]:
    """The parents, each with the MD5s of its two tables, by which DVC knows them, and with its own lineage."""
    parts = []
    for parent in parents:
        document = read(parent)
        parts.append(
            {
                "version": parent.name,
                "semver": document.get("semver", ""),
                versions.LABELS: digests.md5(parent / versions.LABELS),
                versions.METADATA: digests.md5(parent / versions.METADATA),
                "parents": document.get("parents", []),
            }
        )
    return parts


def describe(recipe: Recipe, parents: Sequence[dict[str, Any]], steps: Sequence[Step], seen: pd.DataFrame, words: Words) -> Facts:
    """Describes a version; `seen` has a row per label and place: label and the columns of index and captures."""
    project = params.project()
    purpose = recipe.purpose or project.purpose
    return Facts(
        semver=recipe.semver,
        purpose=purpose,
        description=recipe.description,
        project={name: value for name, value in asdict(project).items() if name != "purpose"},
        lineage=list(parents),
        recipe={"command": recipe.command(), "inputs": recipe.inputs()},
        steps=[asdict(step) for step in steps],
        counts=_counts(seen),
        fetched={"first": _first(seen["fetched"]), "last": _last(seen["fetched"])},
        words=asdict(words),
        settings=recipes.settings(recipe),
    )


def document(version: versions.Version, facts: Facts) -> str:
    """dataset.json as text."""
    return json.dumps(asdict(version) | asdict(facts), indent=2, ensure_ascii=False) + "\n"


def read(folder: Path) -> dict[str, Any]:
    """Reads dataset.json; keys that an earlier Sengu did not write are missing. Raises SenguError as `versions.read` does."""
    versions.read(folder)
    values: dict[str, Any] = json.loads((folder / versions.METADATA).read_text(encoding="utf-8"))
    return values


def of_words(words: pd.DataFrame, folder: Path, agreement: dict[str, Any]) -> Words:
    """Facts about how these objects were labelled, by `words` (labelledAt, annotator, how), and the hash of the rules.

    `folder` holds sheets and rules; `agreement` is that of the version itself, empty where nobody measured it.
    """
    dates = words.loc[words["labelledAt"] != "", "labelledAt"]
    how = {str(name): int(count) for name, count in sorted(words.loc[words["how"] != "", "how"].value_counts().items())}
    rules = folder / RULES
    digest = hashlib.sha256(rules.read_bytes()).hexdigest() if rules.is_file() else ""
    first, last = (str(dates.min()), str(dates.max())) if len(dates) else ("", "")
    return Words(first, last, int(words["annotator"].nunique()), how, digest, agreement)


def inherited(parents: Sequence[Path], own: Words) -> Words:
    """Facts that a version has from its parents: the widest dates, all measured agreement, the hash of the rules if it is one."""
    theirs = [read(parent).get("words", {}) for parent in parents]
    first = [date for words in theirs if (date := words.get("labelled_first"))] + [date for date in [own.labelled_first] if date]
    last = [words.get("labelled_last", "") for words in theirs] + [own.labelled_last]
    rules = {words.get("rules", "") for words in theirs} | ({own.rules} if own.rules else set())
    annotators = max([own.annotators, *(int(words.get("annotators", 0)) for words in theirs)])
    agreement = {version: measures for words in theirs for version, measures in (words.get("agreement") or {}).items()}
    return Words(
        min(first, default=""),
        max(last, default=""),
        annotators,
        own.by_how,
        rules.pop() if len(rules) == 1 else own.rules,
        agreement | own.agreement,
    )


def _counts(seen: pd.DataFrame) -> dict[str, Any]:
    once = seen.drop_duplicates("objectId")
    return {
        "by_class": _tally(once, "label"),
        "by_site": {site: _tally(part.drop_duplicates("objectId"), "label") for site, part in seen.groupby("site")},
        "by_device": _tally(seen.drop_duplicates(["objectId", "device"]), "device"),
        "by_format": _tally(once, "format"),
        "not_in_the_index": int((once["site"] == UNKNOWN).sum()),
        "width": _quantiles(once["width"]),
        "height": _quantiles(once["height"]),
        "bytes": _quantiles(once["bytes"]),
    }


def _tally(rows: pd.DataFrame, column: str) -> dict[str, int]:
    return {str(name): int(count) for name, count in sorted(rows[column].value_counts().items(), key=lambda item: str(item[0]))}


def _quantiles(numbers: pd.Series) -> list[int]:
    """The smallest, the quarters and the largest."""
    known = numbers[numbers >= 0]
    return [int(number) for number in np.quantile(known, QUANTILES, method="lower")] if len(known) else []


def _first(dates: pd.Series) -> str:
    return min((date for date in dates if date), default="")


def _last(dates: pd.Series) -> str:
    return max((date for date in dates if date), default="")
