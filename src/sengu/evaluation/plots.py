"""Values and probabilities -> plots as SVG, and the data behind them as CSV for `dvc plots`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from sklearn import metrics

from sengu.drawing import fonts

CLAIMS = ("probability of the most probable class", "right", "wrong")
BINS = 20  # of the score histogram
COLOURS = {"network": "#2166ac", "head": "#d6604d"}
# the same data must give the same bytes
REPRODUCIBLE: dict[Any, Any] = {"svg.hashsalt": "sengu", "svg.fonttype": "none"}
ANONYMOUS = dict.fromkeys(("Creator", "Date", "Format", "Type"))
POINTS = 10  # matplotlib's own size of a label
AXIS, LEGEND, LABEL = 80, 75, 200  # points that the name of a class may be wide there


def roc(values: np.ndarray, probabilities: Mapping[str, np.ndarray], folder: Path) -> None:
    """roc.svg with a curve per model, and roc_<model>.csv; for more than two classes, all one-against-rest decisions pooled."""
    figure, axes = _square("false positive rate", "true positive rate", f"ROC on {len(values)} test pictures")
    for name, scores in probabilities.items():
        truth, score = _pooled(values, scores)
        false_positives, true_positives, _ = metrics.roc_curve(truth, score)
        area = metrics.auc(false_positives, true_positives)
        axes.plot(false_positives, true_positives, color=COLOURS[name], label=f"{name}, area {area:.4f}")
        curve = pd.DataFrame({"false_positive_rate": false_positives, "true_positive_rate": true_positives})
        _write(curve, folder / f"roc_{name}.csv")
    axes.plot([0, 1], [0, 1], linestyle=":", color="grey", label="chance")
    axes.legend(loc="lower right")
    _save(figure, folder / "roc.svg")


def precision_recall(values: np.ndarray, probabilities: Mapping[str, np.ndarray], folder: Path) -> None:
    """precision_recall.svg with a curve per model, and precision_recall_<model>.csv; more classes are pooled as in `roc`."""
    figure, axes = _square("recall", "precision", f"Precision and recall on {len(values)} test pictures")
    for name, scores in probabilities.items():
        truth, score = _pooled(values, scores)
        precision, recall, _ = metrics.precision_recall_curve(truth, score, drop_intermediate=True)
        # recall falls, so each precision holds from its recall down to the next: the area is the average precision
        axes.step(recall, precision, where="post", color=COLOURS[name], label=name)
        _write(pd.DataFrame({"recall": recall, "precision": precision}), folder / f"precision_recall_{name}.csv")
    axes.axhline(float(truth.mean()), linestyle=":", color="grey", label="chance")
    axes.legend(loc="lower left")
    _save(figure, folder / "precision_recall.svg")


def confusion(predictions: pd.DataFrame, classes: Sequence[str], folder: Path) -> None:
    """confusion.svg: actual classes in rows, predicted ones in columns; and confusion.csv, a row per picture.

    `predictions` has objectId, actual and predicted (class names).
    """
    side = max(5.0, 0.6 * len(classes))
    names = fonts.shortened_names(fonts.legible(classes), POINTS, AXIS if len(classes) != 4 else AXIS * 3 / 4)
    matrix = metrics.confusion_matrix(predictions["actual"], predictions["predicted"], labels=list(classes))
    turned = "horizontal" if len(classes) <= 4 else "vertical"
    with rc_context({"font.family": fonts.families(names)}):
        figure = Figure(figsize=(side, side), layout="constrained")
        axes = figure.subplots()
        display = metrics.ConfusionMatrixDisplay(matrix, display_labels=list(map(_literal, names)))
        display.plot(ax=axes, colorbar=False, cmap="Blues", values_format="d", xticks_rotation=turned)
        axes.set(xlabel="predicted", ylabel="actual", title=f"Network on {len(predictions)} test pictures")
        _save(figure, folder / "confusion.svg")
    _write(predictions, folder / "confusion.csv")


def calibration(bins: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """calibration.svg, predicted probability against the observed share, with a point per bin, and calibration_<model>.csv.

    A model's bins have confidence, share and examples; the area of a point is the share of the examples in it.
    """
    figure, axes = _square("predicted probability", "share of pictures for which it is true", "Calibration")
    axes.plot([0, 1], [0, 1], linestyle=":", color="grey", label="perfect")
    for name, table in bins.items():
        axes.plot(table["confidence"], table["share"], color=COLOURS[name], linewidth=1, label=name)
        sizes = 400 * table["examples"] / table["examples"].sum()
        axes.scatter(table["confidence"], table["share"], s=sizes, color=COLOURS[name], alpha=0.6)
        _write(table, folder / f"calibration_{name}.csv")
    axes.legend(loc="upper left")
    _save(figure, folder / "calibration.svg")


def training(curves: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """training_<metric>.svg: a metric of train and validation after each epoch of fine-tuning.

    `curves` has by metric a frame with the columns step, and train and validation where there are any.
    """
    for metric, table in curves.items():
        figure = Figure(figsize=(5, 3.2), layout="constrained")
        axes = figure.subplots()
        for name, colour in zip(("train", "validation"), COLOURS.values(), strict=True):
            if name in table:
                axes.plot(table["step"], table[name], marker="o", markersize=4, color=colour, label=name)
        axes.set(xlabel="epoch", ylabel=metric)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if metric == "loss":
            axes.set_ylim(bottom=0)
        else:  # a zoom on the last thousandths would look like a fall
            axes.set_ylim(min(axes.get_ylim()[0], 0.9), 1.01)
        axes.legend()
        _save(figure, folder / f"training_{metric}.svg")


def histogram(claimed: np.ndarray, correct: np.ndarray, threshold: float | None, classes: Sequence[str], folder: Path) -> None:
    """scores.svg and scores.csv: how often the network claims which probability (n,), apart where `correct` (n,) and not.

    With two classes that is the probability of the second one, with more that of the most probable class.
    """
    known = fonts.legible(classes)
    label, *names = CLAIMS
    if len(classes) == 2:
        label = f"probability of {fonts.shortened(known[1], POINTS, LABEL)}"
        names = fonts.shortened_names(known, POINTS, LEGEND)[::-1]
    edges = np.linspace(0, 1, BINS + 1)
    counts = [np.histogram(claimed[chosen], edges)[0] for chosen in (correct, ~correct)]
    with rc_context({"font.family": fonts.families([label, *names])}):
        figure = Figure(figsize=(5, 4), layout="constrained")
        axes = figure.subplots()
        # given to the legend with their names: by itself it leaves out a name that begins with _
        entries: list[Artist] = [
            axes.stairs(count, edges, fill=True, alpha=0.6, color=colour)
            for count, colour in zip(counts, COLOURS.values(), strict=True)
        ]
        if threshold is not None:
            entries.append(axes.axvline(threshold, linestyle="--", color="black"))
            names = [*names, f"threshold {threshold:.3f}"]
        axes.set(xlabel=_literal(label), ylabel="test pictures", title="Scores of the network", xlim=(0, 1))
        figure.legend(entries, list(map(_literal, names)), loc="outside upper center", ncols=3)
        _save(figure, folder / "scores.svg")
    table = pd.DataFrame({"score": (edges[:-1] + edges[1:]) / 2, "positive": counts[0], "negative": counts[1]})
    _write(table, folder / "scores.csv")


def _pooled(values: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    classes = probabilities.shape[1]
    if classes == 2:
        return values == 1, probabilities[:, 1]
    return (values[:, None] == np.arange(classes)).ravel(), probabilities.ravel()


def _literal(name: str) -> str:
    """The name of a class as a label that shows it as it is: what stands between two $ would be set as a formula."""
    return name.replace("$", r"\$")


def _square(x: str, y: str, title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=x, ylabel=y, title=title, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    with rc_context(REPRODUCIBLE):
        figure.savefig(path, metadata=ANONYMOUS)


def _write(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False, lineterminator="\n", float_format="%.6f")
