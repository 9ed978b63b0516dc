"""Values and probabilities -> plots as SVG, and the data behind them as CSV for `dvc plots diff`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Template
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure
from sklearn import metrics

PLOTS = ("roc.svg", "confusion.svg")
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Test report</title>
<style>body { font: 16px sans-serif; margin: 2em } td, th { padding: .2em 1em; text-align: right } svg { max-width: 30em }</style>
</head><body>
<h1>Test report</h1>
<p>{{ result.test_images }} test pictures; {{ result.excluded_as_leaks }} rows excluded as leaks.
The network is the fine-tuned one, the head stands on the frozen backbone.</p>
<table><tr><th></th>{% for model in models %}<th>{{ model }}</th>{% endfor %}</tr>
{% for metric in metrics -%}
<tr><th>{{ metric }}</th>{% for model in models %}<td>{{ "%.4f" | format(result[model][metric]) }}</td>{% endfor %}</tr>
{% endfor -%}
</table>
{% for plot in plots %}{{ plot }}
{% endfor %}</body></html>
"""
# the same data must give the same bytes
REPRODUCIBLE: dict[Any, Any] = {"svg.hashsalt": "sengu", "svg.fonttype": "none"}


def roc(values: np.ndarray, probabilities: Mapping[str, np.ndarray], folder: Path) -> None:
    """roc.svg with a curve per model, and roc_<model>.csv; for more than two classes, all one-against-rest decisions pooled."""
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    for name, found in probabilities.items():
        binary = found.shape[1] == 2
        truth = values if binary else (values[:, None] == np.arange(found.shape[1])).ravel()
        false_positives, true_positives, _ = metrics.roc_curve(truth, found[:, 1] if binary else found.ravel())
        axes.plot(false_positives, true_positives, label=f"{name}, AUC {metrics.auc(false_positives, true_positives):.4f}")
        curve = pd.DataFrame({"false_positive_rate": false_positives, "true_positive_rate": true_positives})
        curve.to_csv(folder / f"roc_{name}.csv", index=False, lineterminator="\n", float_format="%.6f")
    axes.plot([0, 1], [0, 1], linestyle=":", color="grey", label="chance")
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title=f"ROC on {len(values)} test pictures")
    axes.legend(loc="lower right")
    _save(figure, folder / "roc.svg")


def confusion(values: np.ndarray, probabilities: np.ndarray, folder: Path) -> None:
    """confusion.svg: actual values in rows, predicted ones in columns."""
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    matrix = metrics.confusion_matrix(values, probabilities.argmax(axis=1), labels=range(probabilities.shape[1]))
    metrics.ConfusionMatrixDisplay(matrix).plot(ax=axes, colorbar=False, cmap="Blues")
    axes.set(xlabel="predicted value", ylabel="actual value", title=f"{len(values)} test pictures")
    _save(figure, folder / "confusion.svg")


def page(result: Mapping[str, Any], folder: Path) -> str:
    """One self-contained HTML page: the metrics of each model side by side, and the plots in `folder`."""
    models = [name for name, value in result.items() if isinstance(value, Mapping)]
    metric_names = [name for name, value in result[models[0]].items() if not isinstance(value, Mapping)]
    inlined = [Markup(_inline(folder / name)) for name in PLOTS]
    return str(Template(PAGE, autoescape=True).render(result=result, models=models, metrics=metric_names, plots=inlined))


def _inline(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return text[text.index("<svg") :]


def _save(figure: Figure, path: Path) -> None:
    with rc_context(REPRODUCIBLE):
        figure.savefig(path, metadata={"Date": None, "Creator": None})
