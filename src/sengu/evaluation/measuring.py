"""Judged examples -> all measurements of the head and the network in metrics.json."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix

from sengu.base.measurements import (
    METRICS,
    OF_CLASS,
    AtThreshold,
    DecisionThreshold,
    Difference,
    Estimate,
    HeldOut,
    Measurements,
    OfClass,
    OfModel,
    OfSite,
    Scores,
)
from sengu.evaluation.intervals import Resampling
from sengu.evaluation.metrics import COMPARED, Judged, compare, estimate, estimate_classes, estimate_quickly
from sengu.evaluation.slices import Slices
from sengu.evaluation.threshold import Decision

MOST = 20  # slices of one kind


@dataclass(frozen=True)
class Beside:
    """Data for measurements beside the balanced test: validation and all held-out pictures by model, each with its resampling.

    `slices` are parts of the test pictures, by kind and name.
    """

    validation: Mapping[str, Judged] = field(default_factory=dict)
    by_validation: Resampling | None = None
    held_out: Mapping[str, Judged] = field(default_factory=dict)
    by_held_out: Resampling | None = None
    slices: Slices = field(default_factory=dict)
    train_images: int = 0
    excluded: int = 0
    temperature: float = 1.0  # of the network


def evaluate(
    judged: Mapping[str, Judged],
    classes: Sequence[str],
    sites: Mapping[str, np.ndarray],
    by: Resampling,
    beside: Beside | None = None,
) -> Measurements:
    """Measures `network` and `head`, also by class, site and slice, and the difference between the two.

    `judged` are the test examples (n,); `sites` says which of them a site holds.
    """
    network, head, beside = judged["network"], judged["head"], beside or Beside()
    better_by = compare(network, head, network.values, by)
    measured = {
        name: replace(_of_model(name, model, classes, by, beside), by_site=_by_site(model, sites, by))
        for name, model in judged.items()
    }
    return Measurements(
        test_images=len(network.values),
        test_groups=len(np.unique(by.groups)),
        validation_images=len(beside.by_validation.groups) if beside.by_validation else 0,
        train_images=beside.train_images,
        excluded_as_leaks=beside.excluded,
        network=replace(measured["network"], temperature=beside.temperature),
        head=measured["head"],
        head_against_network=Difference(**_estimates(COMPARED, better_by)),
    )


def _of_model(name: str, model: Judged, classes: Sequence[str], by: Resampling, beside: Beside) -> OfModel:
    """All measurements of a model except those by site."""
    # within their class: the split, not chance, sets how many test pictures a class has
    thresholds = {classes[value]: _threshold(decision) for value, decision in model.decisions.items()}
    validation = {}
    if name in beside.validation and beside.by_validation is not None and len(beside.by_validation.groups):
        validation = _scores(beside.validation[name], beside.validation[name].values, beside.by_validation)
    confusion = confusion_matrix(model.values, model.predicted, labels=range(len(classes)))
    scores: dict[str, Any] = dict(_scores(model, model.values, by))
    return OfModel(
        **scores,
        validation=Scores(**validation),
        threshold=thresholds[classes[1]] if model.binary and thresholds else DecisionThreshold(),
        thresholds={} if model.binary else thresholds,
        at_threshold={
            label: _at_threshold(called, by)
            for value, label in enumerate(classes)
            if (called := model.at_threshold(value)) is not None
        },
        by_class=_by_class(model, classes, by),
        slices={
            kind: dict(list(_worst_first({part: _of_slice(model, held, by) for part, held in parts.items()}).items())[:MOST])
            for kind, parts in beside.slices.items()
        },
        confusion_matrix={
            label: dict(zip(classes, row.tolist(), strict=True)) for label, row in zip(classes, confusion, strict=True)
        },
        all_held_out=_held_out(beside.held_out[name], classes, beside.by_held_out)
        if name in beside.held_out and beside.by_held_out is not None
        else None,
    )


def _by_class(model: Judged, classes: Sequence[str], by: Resampling) -> dict[str, OfClass]:
    of_class = estimate_classes(model, by.groups, model.values, resamples=by.resamples, seed=by.seed)
    return {
        label: OfClass(support=int((model.values == value).sum()), **_estimates(OF_CLASS, of_class[:, value]))
        for value, label in enumerate(classes)
    }


def _by_site(model: Judged, sites: Mapping[str, np.ndarray], by: Resampling) -> dict[str, OfSite]:
    return _worst_first({site: _of_part(model, held, by) for site, held in sites.items() if held.any()})


def _of_part(model: Judged, held: np.ndarray, by: Resampling) -> OfSite:
    # all together: the mix of classes within a site is chance
    scores = _scores(model.part(held), np.zeros(held.sum()), by.part(held))
    return OfSite(test_images=int(held.sum()), test_groups=len(np.unique(by.groups[held])), **scores)


def _of_slice(model: Judged, held: np.ndarray, by: Resampling) -> OfSite:
    numbers = estimate_quickly(model.part(held), by.groups[held])
    scores = _estimates(METRICS, numbers)
    del scores["calibration_error"]  # it has no score interval
    return OfSite(test_images=int(held.sum()), test_groups=len(np.unique(by.groups[held])), **scores)


def _worst_first(parts: Mapping[str, OfSite]) -> dict[str, OfSite]:
    """Sorted by accuracy, the worst first; names decide between equals."""
    return dict(sorted(parts.items(), key=lambda pair: (pair[1].accuracy.value if pair[1].accuracy else 2, pair[0])))


def _at_threshold(called: Judged, by: Resampling) -> AtThreshold:
    scores = _scores(called, called.values, by)
    hits = int((called.predicted & called.values).sum())
    of_calls = {metric: scores[metric] for metric in ("accuracy", "precision", "recall", "f1")}
    return AtThreshold(**of_calls, called=int(called.predicted.sum()), right=hits)


def over_folds(model: Judged, classes: Sequence[str], by: Resampling) -> HeldOut:
    """METRICS of all examples, in the mix of the data."""
    return _held_out(model, classes, by)


def _held_out(model: Judged, classes: Sequence[str], by: Resampling) -> HeldOut:
    # all together: the mix of classes is that of the data
    scores = _scores(model, np.zeros(len(model.values)), by)
    return HeldOut(images=len(model.values), groups=len(np.unique(by.groups)), by_class=_by_class(model, classes, by), **scores)


def _threshold(decision: Decision) -> DecisionThreshold:
    on_validation = {
        name: None if value is None else Estimate(value, *(limits or (None, None)))
        for name, value, limits in (
            ("validation_precision", decision.validation_precision, decision.validation_precision_interval),
            ("validation_recall", decision.validation_recall, decision.validation_recall_interval),
        )
    }
    return DecisionThreshold(
        wanted=decision.wanted or None,
        reached=decision.value is not None if decision.wanted else None,
        value=decision.value,
        support=decision.support,
        missed=decision.missed,
        **on_validation,
    )


def _scores(model: Judged, strata: np.ndarray, by: Resampling) -> dict[str, Estimate | None]:
    numbers, chance = estimate(model, by.groups, strata, resamples=by.resamples, seed=by.seed)
    scores = _estimates(METRICS, numbers)
    if (error := scores["calibration_error"]) is not None:
        scores["calibration_error"] = replace(error, chance=round(chance, 6))
    return scores


def _estimates(names: Sequence[str], numbers: np.ndarray) -> dict[str, Estimate | None]:
    """Numbers (3, names): values and the limits of their intervals; None for nan."""
    rounded = [[None if np.isnan(number) else round(number, 6) for number in row] for row in numbers.T.tolist()]
    return {
        name: None if value is None else Estimate(value, low, high)
        for name, (value, low, high) in zip(names, rounded, strict=True)
    }
