"""Measure the head and the fine-tuned network on the test split: metrics, plots and a report."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import metrics

from sengu import classifier, figures, tables
from sengu.atomic import replaced_file, replaced_folder
from sengu.errors import SenguError, run_program
from sengu.ids import VIDEOS
from sengu.pixels import read_features, read_pixels

logger = logging.getLogger("evaluate")


def evaluate(values: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    """Metrics of probabilities (n, classes) against values (n,).

    With two classes, precision, recall and F1 are those of value 1 and ROC AUC that of its probability; with more, they are
    averaged over the classes without weights, ROC AUC one class of `values` against the rest. The confusion matrix is by
    actual, then predicted value.
    """
    classes = list(range(probabilities.shape[1]))
    predicted = probabilities.argmax(axis=1)
    binary = len(classes) == 2
    average = {"average": "binary" if binary else "macro", "zero_division": 0}
    areas = [metrics.roc_auc_score(values == c, probabilities[:, c]) for c in ([1] if binary else np.unique(values))]
    confusion = metrics.confusion_matrix(values, predicted, labels=classes)
    return {
        "accuracy": float(metrics.accuracy_score(values, predicted)),
        "precision": float(metrics.precision_score(values, predicted, **average)),
        "recall": float(metrics.recall_score(values, predicted, **average)),
        "f1": float(metrics.f1_score(values, predicted, **average)),
        "roc_auc": float(np.mean(areas)),
        "confusion_matrix": {str(a): {str(p): int(confusion[a, p]) for p in classes} for a in classes},
    }


def main(arguments: list[str]) -> None:
    split, pixels_folder, features_folder, model, plots, report, metrics_path = map(Path, arguments)
    rows = tables.read(split, tables.SplitLabel)
    types = rows.loc[~rows["objectId"].str.slice(41).isin(VIDEOS), "type"].value_counts()
    pixels = read_pixels(pixels_folder).of_type("test")
    features = read_features(pixels_folder, features_folder).of_type("test")
    values = pixels.values
    if len(np.unique(values)) < 2:
        raise SenguError(f"{split} has test examples of {len(np.unique(values))} class: a metric needs two; label more objects")
    probabilities = {
        "network": classifier.network_probabilities(model, pixels.arrays),
        "head": classifier.head_probabilities(model, features.arrays),
    }
    result: dict[str, Any] = {"test_images": len(values), "excluded_as_leaks": int(types.get("excluded", 0))}
    result |= {name: evaluate(values, found) for name, found in probabilities.items()}
    with replaced_folder(plots) as partial:
        figures.roc(values, probabilities, partial)
        figures.confusion(values, probabilities["network"], partial)
        predictions = pd.DataFrame({"objectId": pixels.rows["objectId"], "actual": values})
        predictions["predicted"] = probabilities["network"].argmax(axis=1)
        predictions.to_csv(partial / "predictions.csv", index=False, lineterminator="\n")
    with replaced_file(metrics_path) as file:
        file.write_text(json.dumps(result, indent=2) + "\n")
    with replaced_file(report) as file:
        file.write_text(figures.page(result, plots), encoding="utf-8")
    logger.info("accuracy on %d test pictures: %.4f", len(values), result["network"]["accuracy"])


if __name__ == "__main__":
    run_program(main, "SPLIT_LABEL PIXELS FEATURES CLASSIFIER PLOTS REPORT METRICS")
