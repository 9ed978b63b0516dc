"""Judged examples -> the pictures that a report shows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sengu.evaluation.metrics import Judged

SHOWN = 24  # pictures of a gallery
DOUBT = ("objectId", "value", "predicted", "quality", "suspect")


@dataclass(frozen=True)
class Picture:
    """A picture by its object id; pixels are uint8 (height, width, 3). The caption of a `marked` one is set in bold."""

    name: str
    caption: str
    pixels: np.ndarray
    marked: bool = False


@dataclass(frozen=True)
class Gallery:
    title: str
    text: str
    pictures: list[Picture]


def mistakes(
    judged: Judged, ids: Sequence[str], classes: Sequence[str], pictures: Callable[[str], np.ndarray]
) -> dict[str, Gallery]:
    """Name -> the worst mistakes, the surest first; with two classes, false positives and false negatives separately.

    `pictures` gives the pixels of an object id, and is called only for those that are shown.
    """
    values, predicted, probabilities = judged.values, judged.predicted, judged.probabilities
    claimed = probabilities[np.arange(len(ids)), predicted]
    wrong = np.flatnonzero(predicted != values)
    wrong = wrong[np.argsort(-claimed[wrong], kind="stable")]
    if len(classes) == 2:
        first, second = classes
        said = [f"probability of {second}: {probability:.3f}" for probability in probabilities[:, 1]]
        groups = {
            "false_positives": (f"Worst false positives: called {second}, labelled {first}", wrong[predicted[wrong] == 1]),
            "false_negatives": (f"Worst false negatives: called {first}, labelled {second}", wrong[predicted[wrong] == 0]),
        }
    else:
        triples = zip(values, predicted, claimed, strict=True)
        said = [
            f"labelled {classes[actual]}; called {classes[called]} with a probability of {probability:.3f}"
            for actual, called, probability in triples
        ]
        groups = {"mistakes": ("Worst mistakes", wrong)}
    return {
        name: Gallery(
            title,
            f"{len(rows)} of {len(ids)} test pictures, the most confident mistakes first. "
            "Some may be wrong labels rather than mistakes."
            if len(rows)
            else "None of the test pictures.",
            [Picture(ids[i], said[i], pictures(ids[i])) for i in rows[:SHOWN]],
        )
        for name, (title, rows) in groups.items()
    }


def doubted(doubtful: pd.DataFrame, classes: Sequence[str], pictures: Callable[[str], np.ndarray]) -> Gallery:
    """The examples with the most doubtful labels; `doubtful` has the rows of label_errors.csv, in their order."""
    suspects = int((doubtful["suspect"] == "yes").sum())
    agreed = float((doubtful["predicted"] == doubtful["value"]).mean())
    pictures_shown = []
    for name, value, predicted, quality, suspect in zip(*(doubtful[column][:SHOWN].tolist() for column in DOUBT), strict=True):
        rather = f", and say {classes[predicted]}" if predicted != value else ""
        caption = f"labelled {classes[value]}; others give this a probability of {float(quality):.3f}{rather}"
        pictures_shown.append(Picture(name, caption, pictures(name), marked=suspect == "yes"))
    text = (
        f"{suspects:,} of {len(doubtful):,} labels are suspect: other models, trained without the picture, are confident of "
        f"another class. They agree with {agreed:.1%} of all labels, so treat their doubts as hints. The most doubtful labels of "
        "all splits come first, suspects in bold. label_errors.csv lists them all."
    )
    return Gallery("Most doubtful labels", text, pictures_shown)
