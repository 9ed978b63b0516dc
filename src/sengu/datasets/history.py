"""Git history -> the models trained on each version, and their accuracy; it reads only commits and tags."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sengu.datasets import tags
from sengu.repository.git import ask

METRICS = "reports/metrics.json"
LOCK = "dvc.lock"


@dataclass(frozen=True)
class Trained:
    """A model of some commit; accuracy with its 95% interval on its own test pictures."""

    version: str
    commit: str
    date: str
    tags: list[str]  # of the model, where it was released
    accuracy: float
    low: float
    high: float
    test_images: int


def trained() -> list[Trained]:
    """The models that the commits before HEAD pin, and those of tags, newest first, each once."""
    models: list[Trained] = []
    seen: set[tuple[str, str]] = set()
    commits = ask("log", "--format=%H %cs", "--tags", "HEAD", "--", METRICS).splitlines()
    names = _names()
    for commit, _, date in (line.partition(" ") for line in commits):
        text = tags.text_at(commit, METRICS)
        version = _version(commit)
        if not text or not version or (version, text) in seen:
            continue
        seen.add((version, text))
        try:
            metrics: dict[str, Any] = json.loads(text)
            accuracy = metrics["network"]["accuracy"]
            numbers = (accuracy["value"], accuracy["low"], accuracy["high"], metrics["test_images"])
        except (ValueError, KeyError, TypeError):
            continue  # written by a Sengu before these keys
        models.append(Trained(version, commit[:12], date, names.get(commit, []), *numbers))
    return models


def released(version: str) -> list[str]:
    """The tags, except those of dataset versions, whose commit pins a model that learned a version."""
    return sorted(name for commit, names in _names().items() if _version(commit) == version for name in names)


def best(models: Sequence[Trained]) -> Trained | None:
    """The model with the highest accuracy; each was measured on its own test pictures."""
    return max(models, key=lambda model: model.accuracy, default=None)


def trained_on(split: Mapping[str, Any] | None) -> str:
    """The version that the models were trained on, by the entry of `split` in a dvc.lock; empty text if that names none."""
    match = re.search(r"data/dataset/([\w.-]+)", str((split or {}).get("cmd", "")))
    return match[1] if match else ""


def _version(commit: str) -> str:
    return trained_on(tags.lock_entry(tags.text_at(commit, LOCK), "split"))


def _names() -> dict[str, list[str]]:
    tags_of: dict[str, list[str]] = {}
    for line in ask("for-each-ref", "--format=%(refname:strip=2) %(objectname) %(*objectname)", "refs/tags").splitlines():
        name, *objects = line.split()
        if not name.startswith(tags.PREFIX):
            tags_of.setdefault(objects[-1], []).append(name)
    return tags_of
