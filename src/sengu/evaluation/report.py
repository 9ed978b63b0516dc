"""What was measured, plots and pictures -> one HTML page that needs nothing beside itself, for people who read no metrics."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

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


def page(
    dataset: str,
    classes: Sequence[str],
    result: Mapping[str, Any],
    metrics: Sequence[str],
    plots: Path,
    galleries: Sequence[Gallery],
) -> str:
    """The HTML page of `result`, which has the keys of metrics.json; `plots` is the folder that holds PLOTS."""
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"interval": _interval, "words": _words, "thumbnail": thumbnail, "listed": _listed}
    positive = classes[1] if len(classes) == 2 else "a class (averaged over the classes)"
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        dataset=dataset,
        classes=classes,
        metrics=metrics,
        result=result,
        meanings={term: text.format(positive=positive) for term, text in MEANINGS.items()},
        summary=summary(result, classes),
        warnings=warnings(result),
        comparison=comparison(result["head_against_network"]),
        threshold=threshold(result, classes),
        plots=[{"address": data_url("svg+xml", (plots / name).read_bytes()), "text": text} for name, text in PLOTS.items()],
        galleries=galleries,
    )


def summary(result: Mapping[str, Any], classes: Sequence[str]) -> list[str]:
    """What the test says of the network, for people who have not met these metrics."""
    network, count = result["network"], result["test_images"]
    right = sum(network["confusion_matrix"][name][name] for name in classes)
    sentences = [f"The network is right on {right} of {count} test pictures."]
    for name in classes:
        found = network["by_class"][name]
        if (so := found["precision"]) is None:
            sentences.append(f"It called no picture {name}.")
        else:
            sentences.append(f"Of 100 pictures called {name}, {_of_hundred(so['value'])} are.")
        if (seen := found["recall"]) is not None:
            sentences[-1] += f" Of 100 pictures that are {name}, {_of_hundred(seen['value'])} are called so."
    return sentences


def warnings(result: Mapping[str, Any]) -> list[str]:
    """What a reader of the summary should know, and would not guess."""
    found = []
    if (accuracy := result["network"]["accuracy"])["value"] == 1:
        found.append(
            f"No mistake on {result['test_images']} pictures does not mean none at all: "
            f"up to {100 * (1 - accuracy['low']):.1f}% of mistakes would be compatible with it (95% interval)."
        )
    for name, decision in _decisions(result).items():
        if decision["reached"] is False:
            ((metric, ratio),) = decision["wanted"].items()
            found.append(
                f"The {name} has no threshold for the wanted {metric} of {ratio}: {decision['missed']}. "
                "It calls a picture what it most probably is."
            )
    return found


def comparison(difference: Mapping[str, Mapping[str, float]]) -> str:
    """Whether the fine-tuned network is better than the frozen head, by the interval of the difference in accuracy."""
    value, low, high = (100 * difference["accuracy"][name] for name in ("value", "low", "high"))
    if low <= 0 <= high:
        told = f"makes no difference in accuracy that these pictures could prove: {value:+.1f} points"
    else:
        told = f"{'gains' if value > 0 else 'loses'} {abs(value):.1f} points of accuracy"
    area = difference["roc_auc"]
    return (
        f"Against the head on the frozen backbone, fine-tuning {told} (95% interval, both measured on the same pictures: "
        f"{low:+.1f} to {high:+.1f}). ROC AUC changes by {area['value']:+.3f} ({area['low']:+.3f} to {area['high']:+.3f})."
    )


def threshold(result: Mapping[str, Any], classes: Sequence[str]) -> str:
    """How the network decides, and the head, which need not have a threshold if the other one has."""
    if result["threshold"]["wanted"] is None:
        return "A picture is called what it most probably is; no threshold is used."
    return " ".join(_decides(name, decision, classes) for name, decision in _decisions(result).items())


def _decides(name: str, decision: Mapping[str, Any], classes: Sequence[str]) -> str:
    if decision["value"] is None:
        return f"The {name} calls a picture what it most probably is, without a threshold."
    ((metric, ratio),) = decision["wanted"].items()
    return (
        f"The {name} calls a picture {classes[1]} if the probability of it is at least {decision['value']:.4f}. This was chosen "
        f"on the validation pictures for a {metric} of {ratio}, which {decision['support']} of them support (near-duplicates "
        f"count once), and gives {_on_validation(decision, 'precision')} and {_on_validation(decision, 'recall')} there. "
        "The best of many thresholds flatters itself: the test shows what it is worth."
    )


def _on_validation(decision: Mapping[str, Any], metric: str) -> str:
    low, high = decision[f"validation_{metric}_interval"]
    return f"a {metric} of {decision[f'validation_{metric}']:.3f} ({low:.3f} to {high:.3f})"


def _decisions(result: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {"network": result["threshold"], "head": result["head"]["threshold"]}


def _of_hundred(share: float) -> str:
    """As a count, which is 0 or 100 only if the share is exactly that."""
    count = f"{100 * share:.0f}"
    if count == "0" and share > 0:
        return "fewer than 1"
    return "more than 99" if count == "100" and share < 1 else count


def _interval(found: Mapping[str, float]) -> str:
    return "-" if found["low"] is None else f"{found['low']:.3f} to {found['high']:.3f}"


def _words(name: str) -> str:
    return WORDS.get(name, name.replace("_", " "))


def _listed(names: Sequence[str]) -> str:
    return " and ".join((", ".join(names[:-1]), names[-1]))
