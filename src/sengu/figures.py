"""Values and probabilities -> plots as SVG, and the data behind them as CSV for `dvc plots diff`."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib

matplotlib.use("svg")

import numpy as np
import pandas as pd
from matplotlib import pyplot
from matplotlib.figure import Figure
from sklearn import metrics

# the same data must give the same bytes
REPRODUCIBLE = {"svg.hashsalt": "sengu", "svg.fonttype": "none"}


def roc(values: np.ndarray, probabilities: Mapping[str, np.ndarray], folder: Path) -> None:
    """roc.svg and roc.csv: a curve per model; for more than two classes, all one-against-rest decisions pooled."""
    figure, axes = pyplot.subplots(figsize=(5, 5), layout="constrained")
    curves = []
    for name, found in probabilities.items():
        binary = found.shape[1] == 2
        truth = values if binary else (values[:, None] == np.arange(found.shape[1])).ravel()
        false_positives, true_positives, _ = metrics.roc_curve(truth, found[:, 1] if binary else found.ravel())
        axes.plot(false_positives, true_positives, label=f"{name}, AUC {metrics.auc(false_positives, true_positives):.4f}")
        curves.append(
            pd.DataFrame({"model": name, "false_positive_rate": false_positives, "true_positive_rate": true_positives})
        )
    axes.plot([0, 1], [0, 1], linestyle=":", color="grey", label="chance")
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title=f"ROC on {len(values)} test pictures")
    axes.legend(loc="lower right")
    _save(figure, folder / "roc.svg")
    pd.concat(curves).to_csv(folder / "roc.csv", index=False, lineterminator="\n", float_format="%.6f")


def confusion(values: np.ndarray, probabilities: np.ndarray, folder: Path) -> None:
    """confusion.svg: actual values in rows, predicted ones in columns."""
    figure, axes = pyplot.subplots(figsize=(5, 5), layout="constrained")
    matrix = metrics.confusion_matrix(values, probabilities.argmax(axis=1), labels=range(probabilities.shape[1]))
    metrics.ConfusionMatrixDisplay(matrix).plot(ax=axes, colorbar=False, cmap="Blues")
    axes.set(xlabel="predicted value", ylabel="actual value", title=f"{len(values)} test pictures")
    _save(figure, folder / "confusion.svg")


def _save(figure: Figure, path: Path) -> None:
    with pyplot.rc_context(REPRODUCIBLE):
        figure.savefig(path, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)
