"""reports/metrics.json <-> typed values: the measurements of `evaluate`, which report, model card and release repeat."""

import json
from dataclasses import asdict, field
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from sengu.base.errors import SenguError

METRICS = ("accuracy", "precision", "recall", "f1", "roc_auc", "average_precision", "calibration_error")
OF_CLASS = ("precision", "recall", "f1")
WORDS = {"f1": "F1", "roc_auc": "ROC AUC"}  # how readers know a metric, if not by its name
LENIENT = ConfigDict(extra="ignore", allow_inf_nan=False)  # a later Sengu may say more


@dataclass(config=LENIENT, frozen=True)
class Estimate:
    """A measured value with its 95% interval, which is None where none is defined.

    `chance` is the calibration error that perfect probabilities would show on the same number of pictures.
    """

    value: float
    low: float | None = None
    high: float | None = None
    chance: float | None = None


@dataclass(config=LENIENT, frozen=True, kw_only=True)
class DecisionThreshold:
    """The lowest probability at which a picture may be called one of a class; `missed` says why there is no `value`.

    `reached` is None if no threshold was wanted. The estimates are from the validation split; `support` counts the validation
    pictures behind the wanted value, near-duplicates once.
    """

    wanted: dict[str, float] | None = None
    reached: bool | None = None
    value: float | None = None
    validation_precision: Estimate | None = None
    validation_recall: Estimate | None = None
    support: int | None = None
    missed: str | None = None


@dataclass(config=LENIENT, frozen=True, kw_only=True)
class Scores:
    """METRICS of a set of pictures; None where a metric is undefined."""

    accuracy: Estimate | None = None
    precision: Estimate | None = None
    recall: Estimate | None = None
    f1: Estimate | None = None
    roc_auc: Estimate | None = None
    average_precision: Estimate | None = None
    calibration_error: Estimate | None = None


@dataclass(config=LENIENT, frozen=True, kw_only=True)
class OfClass:
    """Measurements of one class; `support` counts its test pictures."""

    support: int
    precision: Estimate | None = None
    recall: Estimate | None = None
    f1: Estimate | None = None


@dataclass(config=LENIENT, frozen=True, kw_only=True)
class OfSite(Scores):
    """METRICS of one site's test pictures; groups of near-duplicates count once in `test_groups`."""

    test_images: int
    test_groups: int = 0


@dataclass(config=LENIENT, frozen=True, kw_only=True)
class AtThreshold:
    """Measurements at the threshold of one class: a picture belongs to it from that probability up."""

    accuracy: Estimate | None = None
    precision: Estimate | None = None
    recall: Estimate | None = None
    f1: Estimate | None = None
    called: int = 0  # test pictures at or above the threshold
    right: int = 0  # how many of them are of the class


@dataclass(config=LENIENT, frozen=True, kw_only=True)
class HeldOut(Scores):
    """METRICS of all held-out pictures, in the mix of classes of the data, not only of the balanced test."""

    images: int
    groups: int = 0
    by_class: dict[str, OfClass] = field(default_factory=dict)


@dataclass(config=LENIENT, frozen=True, kw_only=True)
class OfModel(Scores):
    """Measurements of one model, by its most probable class; only `at_threshold` uses its thresholds.

    `threshold` is that of the second of two classes, `thresholds` has one for every class of more than two. `slices` maps a kind,
    such as device, to its parts, the worst first. The confusion matrix maps actual class -> predicted class -> pictures.
    `temperature` is the number by which the logits were divided to calibrate the probabilities.
    """

    validation: Scores = field(default_factory=Scores)
    threshold: DecisionThreshold = field(default_factory=DecisionThreshold)
    thresholds: dict[str, DecisionThreshold] = field(default_factory=dict)
    at_threshold: dict[str, AtThreshold] = field(default_factory=dict)
    by_class: dict[str, OfClass] = field(default_factory=dict)
    by_site: dict[str, OfSite] = field(default_factory=dict)
    slices: dict[str, dict[str, OfSite]] = field(default_factory=dict)
    confusion_matrix: dict[str, dict[str, int]] = field(default_factory=dict)
    all_held_out: HeldOut | None = None
    temperature: float = 1.0


@dataclass(config=LENIENT, frozen=True, kw_only=True)
class Difference:
    """The advantage of the network over the head, on the same pictures."""

    accuracy: Estimate | None = None
    roc_auc: Estimate | None = None


@dataclass(config=LENIENT, frozen=True, kw_only=True)
class Measurements:
    """All of metrics.json."""

    test_images: int
    test_groups: int = 0
    validation_images: int = 0
    train_images: int = 0
    excluded_as_leaks: int = 0
    network: OfModel
    head: OfModel
    head_against_network: Difference = field(default_factory=Difference)
    head_over_folds: HeldOut | None = None  # of all pictures, each judged by a head that was trained on the other folds


def as_json(measured: Measurements) -> dict[str, Any]:
    """The measurements as plain values, with `chance` for the calibration error only."""
    plain: dict[str, Any] = _without_chance(asdict(measured))
    return plain


def from_json(document: Any, source: str) -> Measurements:
    """Measurements from plain values. Raises SenguError, which names the `source`, if they are not valid."""
    try:
        return TypeAdapter(Measurements).validate_python(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise SenguError(f"{source}: {place}: {first['msg']} (found {first['input']!r}): run `dvc repro evaluate`") from error


def read(path: Path) -> Measurements:
    """Reads metrics.json. Raises SenguError if it is missing or damaged."""
    if not path.is_file():
        raise SenguError(f"{path} is missing: run `dvc repro evaluate`")
    try:
        return from_json(json.loads(path.read_text(encoding="utf-8")), str(path))
    except ValueError as error:
        raise SenguError(f"{path} is damaged ({error}): run `dvc repro --force --single-item evaluate`") from error


def write(path: Path, measured: Measurements) -> None:
    path.write_text(json.dumps(as_json(measured), indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _without_chance(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: _without_chance(part) for name, part in value.items() if not (name == "chance" and part is None)}
