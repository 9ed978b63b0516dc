"""Features and labels -> the doubt about each label (cleanlab's confident learning), as reports/label_errors.csv."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sengu.base import tables
from sengu.base.atomic import replaced_file
from sengu.base.errors import SenguError
from sengu.base.tables import csvfile

ROUNDS = 1000  # of the solver; the demo needs 60
# Inverse penalty on the squared weights, divided by the number of features: a model that can learn wrong labels by heart doubts
# right ones (benchmarks/label_errors.py).
STRENGTH = 1.0

logger = logging.getLogger("label_errors")


def rank(examples: pd.DataFrame, features: np.ndarray, folds: int, seed: int, groups: np.ndarray | None = None) -> pd.DataFrame:
    """All examples (objectId, value) as rows of LabelError, the most doubtful first, equally doubtful ones by id.

    Each example is predicted by a logistic regression on the standardised features (n, d) of the other folds. Examples with an
    equal number in `groups`, int (n,), such as near-duplicates, share a fold, or one would vouch for the other. Confident
    learning: Northcutt, Jiang and Chuang, https://arxiv.org/abs/1911.00068. Where a class is in too few groups there are
    fewer folds, and if they still cannot be told apart, no groups. Raises SenguError where a class has one example only.
    """
    classes, labels = np.unique(examples["value"].to_numpy(), return_inverse=True)
    counts = np.bincount(labels)
    if len(classes) < 2:
        raise SenguError(f"the examples are of {len(classes)} class: doubtful labels need two; label more objects")
    if counts.min() < 2:
        raise SenguError(f"class {classes[counts.argmin()]} has one example only: label more objects of it")
    parts = _parts(classes, labels, np.arange(len(labels)) if groups is None else groups, folds, seed)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH / features.shape[1], max_iter=ROUNDS))
    # one thread: sums do not depend on the number of cores, and threads that wait for each other on a busy machine are slow
    with threadpool_limits(1):
        probabilities = cross_val_predict(model, features, labels, cv=PredefinedSplit(parts), method="predict_proba")
    suspect = find_label_issues(labels, probabilities, filter_by="confident_learning", n_jobs=1)
    quality = np.round(get_label_quality_scores(labels, probabilities), 6)
    ranked = pd.DataFrame(
        {
            "objectId": examples["objectId"].to_numpy(),
            "value": classes[labels],
            "predicted": classes[probabilities.argmax(axis=1)],
            "quality": [f"{number:.6f}" for number in quality],
            "suspect": np.where(suspect, "yes", "no"),
        }
    )
    return ranked.iloc[np.lexsort((ranked["objectId"], quality))].reset_index(drop=True)


def _parts(classes: np.ndarray, labels: np.ndarray, groups: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The fold of each example, int (n,), so that every class is in two of them at least."""
    different = np.array([len(np.unique(groups[labels == label])) for label in range(len(classes))])
    least, fewest = different.argmin(), int(different.min())
    which = f"class {classes[least]} is in {fewest} groups of near-duplicates or subjects"
    if fewest < folds:
        logger.warning("%s, fewer than label_errors.folds (%d): with fewer folds, labels are judged less well", which, folds)
    parts = folds_of(labels, groups, max(2, min(folds, fewest)), seed)
    if all(len(np.unique(parts[labels == label])) > 1 for label in range(len(classes))):
        return parts
    logger.warning("%s, too few to keep them together: near-duplicates may vouch for each other's labels", which)
    return folds_of(labels, np.arange(len(labels)), min(folds, int(np.bincount(labels).min())), seed)


def folds_of(labels: np.ndarray, groups: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The fold of each example, int (n,): groups are dealt out class by class, large ones first, equal ones in random order."""
    names, first, members = np.unique(groups, return_index=True, return_inverse=True)
    sizes = np.bincount(members)
    order = np.lexsort((np.random.default_rng(seed).permutation(len(names)), -sizes, labels[first]))
    dealt = np.empty(len(names), np.int64)
    dealt[order] = np.arange(len(names)) % folds
    return np.asarray(dealt[members])


def agreement(ranked: pd.DataFrame) -> float:
    """The share of labels that the doubting model agrees with, which limits the value of its doubts."""
    return float((ranked["predicted"] == ranked["value"]).mean())


def write(path: Path, ranked: pd.DataFrame) -> None:
    """Writes the rows in their present order, unlike `tables.write`."""
    names = tables.columns(tables.LabelError)
    with replaced_file(path) as partial:
        csvfile.write(partial, names, [ranked[name].tolist() for name in names])


def read(path: Path) -> pd.DataFrame:
    return tables.read(path, tables.LabelError)
