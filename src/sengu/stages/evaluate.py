"""Measure the head and the fine-tuned network on the test split: metrics with intervals, plots and a report."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from sengu.base import measurements, params, tables
from sengu.base.atomic import replaced_file, replaced_folder
from sengu.base.errors import SenguError, run_program
from sengu.base.ids import are_videos
from sengu.base.measurements import (
    METRICS,
    OF_CLASS,
    DecisionThreshold,
    Difference,
    Estimate,
    Measurements,
    OfClass,
    OfModel,
    OfSite,
)
from sengu.base.params import Evaluate
from sengu.base.tables import versions
from sengu.drawing import fonts
from sengu.drawing.contact_sheets import contact_sheet
from sengu.evaluation import calibration, plots, report, threshold
from sengu.evaluation.galleries import Gallery, doubted, mistakes
from sengu.evaluation.metrics import COMPARED, Judged, compare, estimate, estimate_classes
from sengu.evaluation.threshold import Decision
from sengu.examples import Examples, read_features, read_pixels
from sengu.networks import classifier

logger = logging.getLogger("evaluate")


def judge(rows: pd.DataFrame, probabilities: np.ndarray, wanted: params.Threshold | None) -> Judged:
    """The test examples of `rows` (value, type, group) by probabilities (n, classes), the threshold by the validation ones."""
    values = rows["value"].to_numpy()
    test, validation = (rows["type"].to_numpy() == name for name in ("test", "validation"))
    decision = threshold.MOST_PROBABLE
    if wanted is not None:
        groups = rows["group"].to_numpy()[validation]
        decision = threshold.decide(values[validation], probabilities[validation, 1], groups, wanted)
        if decision.missed is not None:
            logger.warning("no threshold for %s: %s; the most probable class is the prediction", decision.wanted, decision.missed)
    return Judged(values[test], probabilities[test], decision)


@dataclass(frozen=True)
class Resampling:
    """The bootstrap: which test pictures are near-duplicates, groups (n,), how many resamples, and their seed."""

    groups: np.ndarray
    resamples: int
    seed: int

    def part(self, held: np.ndarray) -> "Resampling":
        return Resampling(self.groups[held], self.resamples, self.seed)


def evaluate(
    judged: Mapping[str, Judged], classes: Sequence[str], sites: Mapping[str, np.ndarray], by: Resampling, excluded: int = 0
) -> Measurements:
    """What is measured of `network` and `head`, by class and by site too, and by how much the first is better.

    `sites` says which of the examples (n,) a site holds; `excluded` counts the pictures that were left out as leaks.
    """
    network, head = judged["network"], judged["head"]
    better_by = compare(network, head, by.groups, network.values, resamples=by.resamples, seed=by.seed)
    return Measurements(
        test_images=len(network.values),
        test_groups=len(np.unique(by.groups)),
        excluded_as_leaks=excluded,
        network=_of_model(network, classes, sites, by),
        head=_of_model(head, classes, sites, by),
        head_against_network=Difference(**_estimates(COMPARED, better_by)),
    )


def _of_model(model: Judged, classes: Sequence[str], sites: Mapping[str, np.ndarray], by: Resampling) -> OfModel:
    # within their class: how many test pictures a class has was set by the split, not by chance
    drawn = {"resamples": by.resamples, "seed": by.seed}
    of_class = estimate_classes(model, by.groups, model.values, **drawn)
    confusion = confusion_matrix(model.values, model.predicted, labels=range(len(classes)))
    return OfModel(
        **_scores(model, model.values, by),
        threshold=_threshold(model.decision),
        by_class={
            label: OfClass(support=int(confusion[value].sum()), **_estimates(OF_CLASS, of_class[:, value]))
            for value, label in enumerate(classes)
        },
        by_site={
            # all together: how many of them are of a class is chance
            site: OfSite(
                test_images=int(held.sum()),
                test_groups=len(np.unique(by.groups[held])),
                **_scores(model.part(held), np.zeros(held.sum()), by.part(held)),
            )
            for site, held in sites.items()
            if held.any()
        },
        confusion_matrix={
            label: dict(zip(classes, row.tolist(), strict=True)) for label, row in zip(classes, confusion, strict=True)
        },
    )


def draw(judged: Mapping[str, Judged], classes: Sequence[str], ids: Sequence[str], folder: Path) -> None:
    """Every plot with its data."""
    network = judged["network"]
    probabilities = {name: model.probabilities for name, model in judged.items()}
    plots.roc(network.values, probabilities, folder)
    plots.precision_recall(network.values, probabilities, folder)
    plots.calibration({name: calibration.curve(*model.claims) for name, model in judged.items()}, folder)
    plots.histogram(*network.claims, network.decision.value, classes, folder)
    names = np.array(classes, dtype=object)
    predictions = {"objectId": ids, "actual": names[network.values], "predicted": names[network.predicted]}
    plots.confusion(pd.DataFrame(predictions | {"score": network.claims[0]}), classes, folder)


def galleries(
    network: Judged, ids: Sequence[str], classes: Sequence[str], doubtful: pd.DataFrame, examples: Examples
) -> tuple[list[Gallery], dict[str, Gallery]]:
    """The worst mistakes and the most doubtful labels for the page, and the mistakes by name for contact sheets.

    `examples` has the pictures of all splits. Contact sheets call a class by its number if no font here can show its name.
    """
    rows = pd.Index(examples.rows["objectId"])

    def pictures(name: str) -> np.ndarray:
        return np.asarray(examples.arrays[rows.get_loc(name)])

    mistaken, sheets = (
        mistakes(ids, network.values, network.predicted, network.probabilities, names, pictures)
        for names in (classes, fonts.legible(classes))
    )
    return [*mistaken.values(), doubted(doubtful, classes, pictures)], sheets


def write(
    measured: Measurements,
    judged: Mapping[str, Judged],
    version: versions.Version,
    ids: Sequence[str],
    shown: tuple[list[Gallery], dict[str, Gallery]],
    outputs: Sequence[Path],
) -> None:
    """The folder of plots, the page, metrics.json, and a folder with a short file per model: what `dvc metrics show` shows."""
    (on_page, sheets), (plots_folder, page, metrics_file, summary) = shown, outputs
    with replaced_folder(plots_folder) as folder:
        draw(judged, version.classes, ids, folder)
        (folder / "mistakes").mkdir()
        for name, gallery in sheets.items():
            contact_sheet(
                gallery.title,
                [picture.pixels for picture in gallery.pictures],
                [[picture.caption, *wrap(picture.name, 22)] for picture in gallery.pictures],
                folder / "mistakes" / f"{name}.jpg",
            )
    with replaced_file(page) as file:
        text = report.page(version.version, version.classes, measured, plots_folder, on_page)
        file.write_text(text, encoding="utf-8")
    with replaced_file(metrics_file) as file:
        measurements.write(file, measured)
    with replaced_folder(summary) as folder:
        for name, model in judged.items():
            scores: OfModel = getattr(measured, name)
            values = {metric: getattr(scores, metric) for metric in METRICS}
            numbers = {metric: estimate and estimate.value for metric, estimate in values.items()}
            _write_json(folder / f"{name}.json", numbers | {"threshold": model.decision.value})


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
    estimates = _estimates(METRICS, numbers)
    if (error := estimates["calibration_error"]) is not None:
        estimates["calibration_error"] = replace(error, chance=round(chance, 6))
    return estimates


def _estimates(names: Sequence[str], numbers: np.ndarray) -> dict[str, Estimate | None]:
    """Numbers (3, names): values and the limits of their intervals; None for nan."""
    rounded = [[None if np.isnan(number) else round(number, 6) for number in row] for row in numbers.T.tolist()]
    return {
        name: None if value is None else Estimate(value, low, high)
        for name, (value, low, high) in zip(names, rounded, strict=True)
    }


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _excluded(split: Path) -> int:
    rows = tables.read(split, tables.SplitLabel)
    return int(((rows["type"] == "excluded") & ~are_videos(rows["objectId"].to_numpy())).sum())


def _sites(index: Path, ids: Sequence[str]) -> dict[str, np.ndarray]:
    table = tables.read_sites(index, params.site_names(), tables.IndexRow)
    return {str(site): np.isin(ids, of_site["objectId"].tolist()) for site, of_site in table.groupby("site")}


def _test_ids(rows: pd.DataFrame, split: Path) -> list[str]:
    test = rows[rows["type"] == "test"]
    if (classes := test["value"].nunique()) < 2:
        raise SenguError(f"{split} has test examples of {classes} class: a metric needs two; label more objects")
    return test["objectId"].tolist()


def main(arguments: list[str]) -> None:
    dataset, split, duplicates, index, pixels, features, model, label_errors, *outputs = map(Path, arguments)
    settings, version = params.section("evaluate", Evaluate), versions.read(dataset)
    excluded, every, doubtful = _excluded(split), read_pixels(pixels), tables.read(label_errors, tables.LabelError)
    chosen = np.flatnonzero(every.rows["type"].isin(("validation", "test")))
    rows = every.rows.iloc[chosen].reset_index(drop=True)
    rows["group"] = tables.groups(rows["objectId"], tables.read(duplicates, tables.Duplicate))
    ids = _test_ids(rows, split)
    if settings.threshold is not None and len(version.classes) > 2:
        raise SenguError(f"evaluate.threshold in params.yaml is for two classes, {dataset} has {len(version.classes)}: remove it")
    head = classifier.head_probabilities(model, read_features(pixels, features).arrays[chosen])
    network, _ = classifier.run_network(model, every.arrays, chosen)
    judged = {
        name: judge(rows, probabilities, settings.threshold) for name, probabilities in (("network", network), ("head", head))
    }
    groups = pd.factorize(rows.loc[rows["type"] == "test", "group"])[0]
    by = Resampling(groups, settings.bootstrap, settings.seed)
    measured = evaluate(judged, version.classes, _sites(index, ids), by, excluded)
    write(measured, judged, version, ids, galleries(judged["network"], ids, version.classes, doubtful, every), outputs)
    accuracy = measured.network.accuracy
    logger.info("accuracy on %d test pictures: %.4f", len(ids), accuracy.value if accuracy else np.nan)


if __name__ == "__main__":
    run_program(main, "DATASET SPLIT_LABEL DUPLICATES INDEX PIXELS FEATURES CLASSIFIER LABEL_ERRORS PLOTS REPORT METRICS SUMMARY")
