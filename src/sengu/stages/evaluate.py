"""Measure head and network on the test split; write metrics, plots and a report."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd

from sengu.base import measurements, params, tables
from sengu.base.atomic import replaced_file, replaced_folder
from sengu.base.errors import SenguError, run_program
from sengu.base.ids import are_videos
from sengu.base.measurements import (
    HeldOut,
    Measurements,
    OfModel,
    Scores,
)
from sengu.base.params import Evaluate
from sengu.base.tables import grouping, versions
from sengu.drawing import fonts
from sengu.drawing.contact_sheets import contact_sheet
from sengu.evaluation import background, calibration, plots, report, slices, threshold
from sengu.evaluation.galleries import Gallery, doubted, mistakes
from sengu.evaluation.intervals import Resampling
from sengu.evaluation.measuring import Beside, evaluate, over_folds
from sengu.evaluation.metrics import Judged
from sengu.examples import Examples, read_features, read_pixels
from sengu.networks import classifier
from sengu.training import folds

logger = logging.getLogger("evaluate")

HELD_OUT = ("validation", "test", "surplus")
SHORT = {"accuracy": "accuracy", "roc_auc": "auc", "calibration_error": "ece"}  # metric -> its name in reports/summary


def judge(name: str, rows: pd.DataFrame, probabilities: np.ndarray, wanted: params.Threshold | None) -> Judged:
    """All examples of `rows` (value, type, group) judged by probabilities (n, classes), with thresholds from validation."""
    values, validation = rows["value"].to_numpy(), rows["type"].to_numpy() == "validation"
    classes = probabilities.shape[1]
    decisions = {}
    for value in [] if wanted is None else [1] if classes == 2 else range(classes):
        assert wanted is not None
        groups, actual = rows["group"].to_numpy()[validation], (values[validation] == value).astype(np.int64)
        decisions[value] = threshold.decide(actual, probabilities[validation, value], groups, wanted)
        if (missed := decisions[value].missed) is not None:
            which = "" if classes == 2 else f" for class {value}"
            goal = " and ".join(f"{measurements.WORDS.get(of, of)} {least:g}" for of, least in decisions[value].wanted.items())
            logger.warning("the %s has no threshold%s with %s: %s; the most probable class decides", name, which, goal, missed)
    return Judged(values, probabilities, decisions)


def draw(judged: Mapping[str, Judged], classes: Sequence[str], ids: Sequence[str], folder: Path) -> None:
    """Every plot with its data."""
    network = judged["network"]
    probabilities = {name: model.probabilities for name, model in judged.items()}
    plots.roc(network.values, probabilities, folder)
    plots.precision_recall(network.values, probabilities, folder)
    plots.calibration({name: calibration.curve(*model.claims) for name, model in judged.items()}, folder)
    decision = network.decisions.get(1) if network.binary else None
    plots.histogram(*network.claims, decision.value if decision else None, classes, folder)
    names = np.array(classes, dtype=object)
    called = {"objectId": ids, "actual": names[network.values], "predicted": names[network.predicted]}
    plots.confusion(pd.DataFrame(called), classes, folder)


def predictions(rows: pd.DataFrame, judged: Mapping[str, Judged], classes: Sequence[str]) -> pd.DataFrame:
    """Every held-out picture with its type and class, the network's class, and all probabilities of each model.

    The columns of the probabilities are called `<model>: <class>`. `judged` has the examples of `rows`.
    """
    names = np.array(classes, dtype=object)
    network = judged["network"]
    known = {
        "objectId": rows["objectId"],
        "type": rows["type"],
        "actual": names[network.values],
        "predicted": names[network.predicted],
    }
    return pd.DataFrame(
        known
        | {
            f"{model}: {label}": judgement.probabilities[:, value].astype(np.float64)
            for model, judgement in judged.items()
            for value, label in enumerate(classes)
        }
    )


def galleries(
    network: Judged, ids: Sequence[str], classes: Sequence[str], doubtful: pd.DataFrame, examples: Examples
) -> tuple[list[Gallery], dict[str, Gallery]]:
    """The worst mistakes and the most doubtful labels for the page, and the mistakes by name for contact sheets.

    `examples` has the pictures of all splits. Contact sheets number a class if no font here can show its name.
    """
    rows = pd.Index(examples.rows["objectId"])

    def pictures(name: str) -> np.ndarray:
        return np.asarray(examples.arrays[rows.get_loc(name)])

    on_page, sheets = (mistakes(network, ids, names, pictures) for names in (classes, fonts.legible(classes)))
    return [*on_page.values(), doubted(doubtful, classes, pictures)], sheets


@dataclass(frozen=True)
class Written:
    """Data written beside the measurements: all probabilities, the curves of fine-tuning, the text and pictures of the page.

    `sheets` are galleries, by name, whose pictures go to contact sheets.
    """

    predictions: pd.DataFrame
    curves: Mapping[str, pd.DataFrame]
    background: report.Background
    on_page: list[Gallery]
    sheets: Mapping[str, Gallery]


def write(
    measured: Measurements,
    judged: Mapping[str, Judged],
    test: tuple[Sequence[str], Sequence[str]],
    beside: Written,
    outputs: Sequence[Path],
) -> None:
    """The folder of plots, the page, metrics.json, and a folder with a short file per model: what `dvc metrics show` shows.

    `test` are the names of the classes and the ids of the test pictures.
    """
    (classes, ids), (plots_folder, page, metrics_file, summary) = test, outputs
    with replaced_folder(plots_folder) as folder:
        draw(judged, classes, ids, folder)
        if beside.curves:
            plots.training(beside.curves, folder)
        beside.predictions.to_csv(folder / "predictions.csv", index=False, lineterminator="\n", float_format="%.9g")
        (folder / "mistakes").mkdir()
        for name, gallery in beside.sheets.items():
            contact_sheet(
                gallery.title,
                [picture.pixels for picture in gallery.pictures],
                [[picture.caption, *wrap(picture.name, 22)] for picture in gallery.pictures],
                folder / "mistakes" / f"{name}.jpg",
            )
    with replaced_file(page) as file:
        text = report.page(beside.background, classes, measured, plots_folder, beside.on_page)
        file.write_text(text, encoding="utf-8")
    with replaced_file(metrics_file) as file:
        measurements.write(file, measured)
    with replaced_folder(summary) as folder:
        for name in judged:
            scores: OfModel = getattr(measured, name)
            _write_json(folder / f"{name}.json", {"val": _short(scores.validation), "test": _short(scores)})


def _short(scores: Scores) -> dict[str, float | None]:
    """The numbers for `dvc metrics show`: few enough for a terminal of 120 columns, with validation beside test."""
    estimates = {short: getattr(scores, name) for name, short in SHORT.items()}
    return {short: None if estimate is None else round(estimate.value, 4) for short, estimate in estimates.items()}


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _excluded(split: Path) -> int:
    rows = tables.read(split, tables.SplitLabel)
    return int(((rows["type"] == "excluded") & ~are_videos(rows["objectId"].to_numpy())).sum())


def _sites(indexed: pd.DataFrame, ids: Sequence[str]) -> dict[str, np.ndarray]:
    return {str(site): np.isin(ids, of_site["objectId"].tolist()) for site, of_site in indexed.groupby("site")}


def _test_ids(rows: pd.DataFrame, split: Path) -> list[str]:
    test = rows[rows["type"] == "test"]
    if (classes := test["value"].nunique()) < 2:
        raise SenguError(f"{split} has test examples of {classes} class: a metric needs two; label more objects")
    return test["objectId"].tolist()


def _over_folds(
    dataset: Path, features: Examples, duplicates: pd.DataFrame, settings: Evaluate, classes: Sequence[str]
) -> HeldOut:
    """The head trained and measured over folds that keep near-duplicates, mirror images and subjects together."""
    from sengu.training.head import train_head  # with TensorFlow, which nothing else here needs before the network runs

    training = params.section("train", params.Train)
    groups = grouping.kin(features.rows["objectId"], duplicates, versions.subjects(dataset), mirrored=True)

    def train(examples: Examples) -> tuple[np.ndarray, np.ndarray]:
        return train_head(examples, len(classes), training, lambda *arguments: None)

    probabilities = folds.probabilities(features, groups, settings.folds, settings.seed, train)
    return over_folds(Judged(features.values, probabilities), classes, Resampling(groups, settings.bootstrap, settings.seed))


def main(arguments: list[str]) -> None:
    dataset, split, duplicates, *tables_of_sites, details, pixels, features, model, training, label_errors = map(
        Path, arguments[:-4]
    )
    outputs, site_names = [Path(argument) for argument in arguments[-4:]], params.site_names()
    settings = params.section("evaluate", Evaluate)
    captured, indexed = (
        tables.read_sites(folder, site_names, kind)
        for folder, kind in zip(tables_of_sites, (tables.Capture, tables.IndexRow), strict=True)
    )
    labelled = tables.read(details, tables.LabelDetail)
    version = versions.read(dataset)
    every, doubtful = read_pixels(pixels), tables.read(label_errors, tables.LabelError)
    chosen = np.flatnonzero(every.rows["type"].isin(HELD_OUT))
    rows = every.rows.iloc[chosen].reset_index(drop=True)
    same = tables.read(duplicates, tables.Duplicate)
    rows["group"] = tables.groups(rows["objectId"], same)
    ids = _test_ids(rows, split)
    vectors = read_features(pixels, features)
    head = classifier.head_probabilities(model, vectors.arrays[chosen])
    network, _ = classifier.run_network(model, every.arrays, chosen)
    held_out = {name: judge(name, rows, by, settings.threshold) for name, by in (("network", network), ("head", head))}
    types, groups = rows["type"].to_numpy(), pd.factorize(rows["group"])[0]

    def part(*names: str) -> tuple[dict[str, Judged], Resampling]:
        held = np.isin(types, names)
        drawn = Resampling(groups[held], settings.bootstrap, settings.seed)
        return {name: model.part(held) for name, model in held_out.items()}, drawn

    judged, by = part("test")
    validation, by_validation = part("validation")
    every_one, by_every_one = part("test", "surplus") if (types == "surplus").any() else ({}, None)
    beside = Beside(
        validation,
        by_validation,
        every_one,
        by_every_one,
        slices=slices.slices(ids, indexed, captured, labelled),
        train_images=int((every.rows["type"] == "train").sum()),
        excluded=_excluded(split),
        temperature=classifier.temperature(model),
    )
    measured = evaluate(judged, version.classes, _sites(indexed, ids), by, beside)
    if settings.folds:
        measured = replace(measured, head_over_folds=_over_folds(dataset, vectors, same, settings, version.classes))
    on_page, sheets = galleries(judged["network"], ids, version.classes, doubtful, every)
    names = [picture.name for gallery in on_page for picture in gallery.pictures]
    around = background.of_dataset(dataset, version, background.known(names, indexed, captured, labelled), same)
    beside_it = Written(predictions(rows, held_out, version.classes), background.curves(training), around, on_page, sheets)
    write(measured, judged, (version.classes, ids), beside_it, outputs)
    accuracy = measured.network.accuracy
    logger.info("accuracy on %d test pictures: %.4f", len(ids), accuracy.value if accuracy else np.nan)


if __name__ == "__main__":
    run_program(
        main,
        "DATASET SPLIT_LABEL DUPLICATES CAPTURES INDEX DETAILS PIXELS FEATURES CLASSIFIER TRAINING LABEL_ERRORS "
        "PLOTS REPORT METRICS SUMMARY",
    )
