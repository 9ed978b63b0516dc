"""What was measured, plots and pictures -> one HTML page that needs nothing beside itself, for people who read no metrics."""

import math
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from sengu.base.measurements import METRICS, DecisionThreshold, Difference, Estimate, Measurements
from sengu.drawing.thumbnails import data_url, thumbnail
from sengu.evaluation.galleries import Gallery

TEMPLATE = Path(__file__).with_suffix(".html")
PLOTS = {
    "confusion.svg": "Confusion: actual classes in rows, what the network calls them in columns.",
    "roc.svg": "ROC: the share of pictures found against the share of false alarms, for every threshold.",
    "precision_recall.svg": "Precision against recall, for every threshold.",
    "calibration.svg": "Calibration: on the dotted line, a probability of 0.8 would be right in 8 of 10 cases.",
    "scores.svg": "Scores: how often the network gives which probability.",
}
MEANINGS = {
    "accuracy": "The share of pictures that are called what they are.",
    "precision": "Of the pictures called {positive}, the share that are. It is lower where they are rarer than in this test.",
    "recall": "Of the pictures that are {positive}, the share that are called so.",
    "F1": "The harmonic mean of precision and recall.",
    "ROC AUC": "How often a picture of {positive} gets a higher score than one of another class; 0.5 is chance.",
    "average precision": "The precision, averaged over all thresholds by how much recall each adds.",
    "calibration error": "How far the probabilities are off on average, in 15 bins; 0 is perfect. Part of it is chance: about as "
    "much as is written below it would show up even if they were perfect.",
    "95% interval": "Where the value lies that endless pictures of this kind would give: 95 of 100 intervals made this way hold "
    "it. It allows for near-duplicates, and for mistakes too rare to have been seen. It says nothing of other kinds of pictures.",
}
WORDS = {"f1": "F1", "roc_auc": "ROC AUC"}


def page(dataset: str, classes: Sequence[str], measured: Measurements, plots: Path, galleries: Sequence[Gallery]) -> str:
    """The HTML page of what was measured; `plots` is the folder that holds PLOTS."""
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"interval": _interval, "words": _words, "thumbnail": thumbnail, "listed": _listed}
    positive = classes[1] if len(classes) == 2 else "a class (averaged over the classes)"
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        dataset=dataset,
        classes=classes,
        metrics=METRICS,
        result=measured,
        meanings={term: text.format(positive=positive) for term, text in MEANINGS.items()},
        summary=summary(measured, classes),
        warnings=warnings(measured),
        comparison=comparison(measured.head_against_network),
        threshold=threshold(measured, classes),
        plots=[{"address": data_url("svg+xml", (plots / name).read_bytes()), "text": text} for name, text in PLOTS.items()],
        galleries=galleries,
    )


def summary(measured: Measurements, classes: Sequence[str]) -> list[str]:
    """What the test says of the network, for people who have not met these metrics."""
    network, count = measured.network, measured.test_images
    right = sum(network.confusion_matrix[name][name] for name in classes)
    sentences = [f"The network is right on {right} of {count} test pictures."]
    for name in classes:
        of_class = network.by_class[name]
        if (precision := of_class.precision) is None:
            sentences.append(f"It called no picture {name}.")
        else:
            sentences.append(f"Of 100 pictures called {name}, {_of_hundred(precision.value)} are.")
        if (recall := of_class.recall) is not None:
            sentences[-1] += f" Of 100 pictures that are {name}, {_of_hundred(recall.value)} are called so."
    return sentences


def warnings(measured: Measurements) -> list[str]:
    """What a reader of the summary should know, and would not guess."""
    found = []
    accuracy = measured.network.accuracy
    if accuracy is not None and accuracy.low is not None and accuracy.value == 1:
        found.append(
            f"No mistake on {measured.test_images} pictures does not mean none at all: "
            f"up to {100 * (1 - accuracy.low):.1f}% of mistakes would be compatible with it (95% interval)."
        )
    for name, decision in _decisions(measured).items():
        if decision.reached is False and decision.wanted:
            ((metric, ratio),) = decision.wanted.items()
            found.append(
                f"The {name} has no threshold for the wanted {metric} of {ratio}: {decision.missed}. "
                "It calls a picture what it most probably is."
            )
    return found


def comparison(difference: Difference) -> str:
    """Whether the fine-tuned network is better than the frozen head, by the interval of the difference in accuracy."""
    value, low, high = (100 * number for number in _numbers(difference.accuracy))
    if low <= 0 <= high:
        told = f"makes no difference in accuracy that these pictures could prove: {value:+.1f} points"
    else:
        told = f"{'gains' if value > 0 else 'loses'} {abs(value):.1f} points of accuracy"
    area, area_low, area_high = _numbers(difference.roc_auc)
    return (
        f"Against the head on the frozen backbone, fine-tuning {told} (95% interval, both measured on the same pictures: "
        f"{low:+.1f} to {high:+.1f}). ROC AUC changes by {area:+.3f} ({area_low:+.3f} to {area_high:+.3f})."
    )


def threshold(measured: Measurements, classes: Sequence[str]) -> str:
    """How the network decides, and the head, which need not have a threshold if the other one has."""
    if measured.network.threshold.wanted is None:
        return "A picture is called what it most probably is; no threshold is used."
    return " ".join(_decides(name, decision, classes) for name, decision in _decisions(measured).items())


def _decides(name: str, decision: DecisionThreshold, classes: Sequence[str]) -> str:
    if decision.value is None or not decision.wanted:
        return f"The {name} calls a picture what it most probably is, without a threshold."
    ((metric, ratio),) = decision.wanted.items()
    precision = _on_validation("precision", decision.validation_precision)
    recall = _on_validation("recall", decision.validation_recall)
    return (
        f"The {name} calls a picture {classes[1]} if the probability of it is at least {decision.value:.4f}. This was chosen "
        f"on the validation pictures for a {metric} of {ratio}, which {decision.support} of them support (near-duplicates "
        f"count once), and gives {precision} and {recall} there. "
        "The best of many thresholds flatters itself: the test shows what it is worth."
    )


def _on_validation(metric: str, estimate: Estimate | None) -> str:
    value, low, high = _numbers(estimate)
    return f"a {metric} of {value:.3f} ({low:.3f} to {high:.3f})"


def _numbers(estimate: Estimate | None) -> tuple[float, float, float]:
    """Value and limits; nan for what is undefined."""
    if estimate is None:
        return math.nan, math.nan, math.nan
    low, high = (math.nan if limit is None else limit for limit in (estimate.low, estimate.high))
    return estimate.value, low, high


def _decisions(measured: Measurements) -> dict[str, DecisionThreshold]:
    return {"network": measured.network.threshold, "head": measured.head.threshold}


def _of_hundred(share: float) -> str:
    """As a count, which is 0 or 100 only if the share is exactly that."""
    count = f"{100 * share:.0f}"
    if count == "0" and share > 0:
        return "fewer than 1"
    return "more than 99" if count == "100" and share < 1 else count


def _interval(estimate: Estimate) -> str:
    return "-" if estimate.low is None else f"{estimate.low:.3f} to {estimate.high:.3f}"


def _words(name: str) -> str:
    return WORDS.get(name, name.replace("_", " "))


def _listed(names: Sequence[str]) -> str:
    return " and ".join((", ".join(names[:-1]), names[-1]))
