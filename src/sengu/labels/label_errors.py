"""Features and labels -> how far each label is to be doubted (cleanlab's confident learning), as reports/label_errors.csv."""

from pathlib import Path

import numpy as np
import pandas as pd
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sengu.base import tables
from sengu.base.atomic import replaced_file
from sengu.base.errors import SenguError
from sengu.base.tables import csvfile

ROUNDS = 1000  # of the solver; the demo needs 60


def rank(examples: pd.DataFrame, features: np.ndarray, folds: int, seed: int) -> pd.DataFrame:
    """All examples (objectId, value) as rows of LabelError, the most doubtful first, equally doubtful ones by id.

    Each example is predicted by a logistic regression on the standardised features (n, d) of the other folds. Confident
    learning: Northcutt, Jiang and Chuang, https://arxiv.org/abs/1911.00068. Raises SenguError where a class is too small.
    """
    classes, labels = np.unique(examples["value"].to_numpy(), return_inverse=True)
    counts = np.bincount(labels)
    if len(classes) < 2:
        raise SenguError(f"the examples are of {len(classes)} class: doubtful labels need two; label more objects")
    if counts.min() < folds:
        raise SenguError(
            f"class {classes[counts.argmin()]} has {counts.min()} examples, fewer than label_errors.folds in params.yaml "
            f"({folds}): label more objects of it, or set fewer folds"
        )
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=ROUNDS))
    parts = StratifiedKFold(folds, shuffle=True, random_state=seed)
    # one thread: sums do not depend on the number of cores, and threads that wait for each other on a busy machine are slow
    with threadpool_limits(1):
        probabilities = cross_val_predict(model, features, labels, cv=parts, method="predict_proba")
    suspect = find_label_issues(labels, probabilities, n_jobs=1)
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


def write(path: Path, ranked: pd.DataFrame) -> None:
    """Writes the rows in the order they have, unlike `tables.write`."""
    names = tables.columns(tables.LabelError)
    with replaced_file(path) as partial:
        csvfile.write(partial, names, [ranked[name].tolist() for name in names])


def read(path: Path) -> pd.DataFrame:
    return tables.read(path, tables.LabelError)
