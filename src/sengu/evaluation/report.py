"""Measurements, plots and pictures -> one self-contained HTML page, for people who read no metrics."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from sengu.base.measurements import METRICS, WORDS, DecisionThreshold, Difference, Estimate, HeldOut, Measurements, OfModel
from sengu.drawing.thumbnails import data_url, thumbnail
from sengu.evaluation.galleries import Gallery

TEMPLATE, STYLE = (Path(__file__).with_suffix(suffix) for suffix in (".html", ".css"))
CURVES = {
    "training_loss.svg": "Loss after each epoch of fine-tuning.",
    "training_accuracy.svg": "Accuracy after each epoch of fine-tuning.",
}
PLOTS = {
    "roc.svg": "ROC: the share of pictures found against the share of false alarms, at every threshold.",
    "precision_recall.svg": "Precision against recall, at every threshold.",
    "calibration.svg": "Calibration: on the dotted line, a probability of 0.8 is right in 8 of 10 cases.",
    "scores.svg": "Scores: how often the network gives each probability.",
}
MEANINGS = {
    "accuracy": "The share of pictures that it puts into the right class.",
    "precision": "Of the pictures that it assigns to {positive}, the share whose label agrees. It is lower where that class is "
    "rarer than here.",
    "recall": "Of the pictures labelled as {positive}, the share that it finds.",
    "F1": "The harmonic mean of precision and recall.",
    "ROC AUC": "How often a picture of {positive} gets a higher score than one of another class; 0.5 is chance.",
    "average precision": "The mean precision over all thresholds, weighted by the recall that each adds.",
    "calibration error": "How far the probabilities are off on average, in 15 bins; 0 is perfect. Even perfect probabilities "
    "would show about the error written below it as “by chance”.",
    "95% interval": "The range in which the value on unlimited pictures of this kind probably lies: of 100 intervals computed "
    "this way, 95 contain it. It allows for near-duplicates, and for mistakes too rare to appear here. It says nothing about "
    "other kinds of pictures.",
}
AVERAGED = ("precision", "recall", "ROC AUC", "average precision")  # if there are more than two classes


@dataclass(frozen=True)
class Fact:
    """One thing that a reader wants to know first: its name, and lines, the first of which matters most."""

    name: str
    lines: Sequence[str]


@dataclass(frozen=True)
class Background:
    """Facts that the page states beside the measurements."""

    dataset: str
    project: str = ""
    facts: Sequence[Fact] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, Sequence[str]] = field(default_factory=dict)  # of the pictures shown, by object id
    warnings: Sequence[str] = ()  # about the data


def page(
    background: Background, classes: Sequence[str], measured: Measurements, plots: Path, galleries: Sequence[Gallery]
) -> str:
    """The HTML page of what was measured; `plots` is the folder that holds PLOTS, and CURVES if there was a fine-tuning."""
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters |= {
        "interval": _interval,
        "words": _words,
        "thumbnail": thumbnail,
        "listed": _listed,
        "percent": lambda share: f"{100 * share:.1f}%",
        "short": _short,
    }
    figure, *sentences = headline(measured)
    positive = classes[1] if len(classes) == 2 else "a given class"
    average = " This is the average over all classes." if len(classes) > 2 else ""
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        style=Markup(STYLE.read_text(encoding="utf-8")),
        dataset=background.dataset,
        headline={"figure": figure, "sentences": sentences},
        facts={"project": background.project, "shown": [*background.facts, *sizes(measured)]},
        settings=background.settings,
        known=background.known,
        held_out=[text for text in (held_out(measured.network, classes), over_folds(measured, classes)) if text],
        thresholds={name: decision.value for name, decision in _of_classes(measured.network, classes).items()},
        curves=_drawn(CURVES, plots),
        classes=classes,
        metrics=METRICS,
        result=measured,
        meanings={
            term: text.format(positive=positive) + (average if term in AVERAGED else "") for term, text in MEANINGS.items()
        },
        summary=summary(measured, classes),
        warnings=[*warnings(measured, classes), *background.warnings],
        comparison=comparison(measured.head_against_network),
        threshold=threshold(measured, classes),
        plots=_drawn(PLOTS, plots),
        galleries=galleries,
    )


def _drawn(names: Mapping[str, str], folder: Path) -> list[dict[str, str]]:
    there = {name: text for name, text in names.items() if (folder / name).is_file()}
    return [{"address": data_url("svg+xml", (folder / name).read_bytes()), "text": text} for name, text in there.items()]


def headline(measured: Measurements) -> list[str]:
    """The accuracy in percent, and what it means for pictures to come."""
    network, count = measured.network, measured.test_images
    right = sum(row[name] for name, row in network.confusion_matrix.items())
    value, low, high = (100 * number for number in _numbers(network.accuracy))
    rounded = f"{value:.1f}".removesuffix(".0")
    figure = rounded if rounded != "100" or right == count else "99.9"
    sentences = [f"The network is right on {right} of {count} test pictures."]
    if not math.isnan(low):
        sentences.append(
            f"Of 100 new pictures like these, expect it to be right on {math.floor(low)} to {math.ceil(high)} (95% interval)."
        )
    return [figure, *sentences]


def sizes(measured: Measurements) -> list[Fact]:
    """Numbers of pictures for training, for choosing, and for testing."""
    tested = f"{measured.test_images:,} test pictures"
    if measured.test_groups and measured.test_groups != measured.test_images:
        tested += f", {measured.test_groups:,} if near-duplicates count once"
    beside = [f"{measured.validation_images:,} validation pictures", tested]
    if measured.excluded_as_leaks:
        beside.append(f"{measured.excluded_as_leaks:,} left out: near-duplicates of held-out pictures")
    trained = f"{measured.train_images:,} pictures" if measured.train_images else ""
    return [Fact("Trained on", [trained, *beside] if trained else beside[1:])]


def over_folds(measured: Measurements, classes: Sequence[str]) -> str:
    """The sentence about the head over folds of all pictures; empty if that was not measured."""
    every = measured.head_over_folds
    return (
        ""
        if every is None
        else f"The head, trained anew for each fold of all {every.images:,} pictures, {_of_all(every, classes)}"
    )


def held_out(network: OfModel, classes: Sequence[str]) -> str:
    """The sentence about all held-out pictures, in the mix of the data; empty if there are no more than the balanced test."""
    every = network.all_held_out
    return "" if every is None else f"On all {every.images:,} held-out pictures, {_of_all(every, classes)}"


def _of_all(every: HeldOut, classes: Sequence[str]) -> str:
    value, low, high = _numbers(every.accuracy)
    mix = ", ".join(f"{every.by_class[name].support:,} {name}" for name in classes)
    ratios = (("precision", every.precision), ("recall", every.recall))
    rest = [f"{name} {estimate.value:.3f} ({_interval(estimate)})" for name, estimate in ratios if estimate]
    return (
        f"in the mix of the data ({mix}): accuracy {value:.3f} ({low:.3f} to {high:.3f}){''.join(f', {part}' for part in rest)}."
    )


def summary(measured: Measurements, classes: Sequence[str]) -> list[str]:
    """Sentences about the network for people who do not know these metrics."""
    sentences = []
    for name in classes:
        of_class = measured.network.by_class[name]
        if (precision := of_class.precision) is None:
            said = f"It never says {name}."
        else:
            said = f"When it says {name}, it is {_right(precision.value)}."
        if (recall := of_class.recall) is not None:
            said += f" It finds {_found(recall.value)} of {name}."
        sentences.append(said)
    return sentences


def warnings(measured: Measurements, classes: Sequence[str]) -> list[str]:
    """Sentences that a reader of the summary needs and would not guess."""
    sentences = []
    accuracy = measured.network.accuracy
    if accuracy is not None and accuracy.low is not None and accuracy.value == 1:
        sentences.append(
            f"No mistake on {measured.test_images} pictures does not prove that it makes none: "
            f"it may be wrong on up to {100 * (1 - accuracy.low):.1f}% of new pictures (95% interval)."
        )
    models = {"network": measured.network, "head": measured.head}
    missed = [
        (name if len(classes) == 2 else f"{name}, for {label},", decision)
        for name, model in models.items()
        for label, decision in _of_classes(model, classes).items()
    ]
    for name, decision in missed:
        if decision.reached is False and decision.wanted:
            ((metric, ratio),) = decision.wanted.items()
            sentences.append(
                f"The {name} has no threshold with a {_words(metric)} of {ratio:g}: {decision.missed}. "
                "The most probable class decides."
            )
    return sentences


def comparison(difference: Difference) -> str:
    """The sentence that compares the fine-tuned network with the frozen head, by the interval of the difference in accuracy."""
    value, low, high = (100 * number for number in _numbers(difference.accuracy))
    if low <= 0 <= high:
        change = f"changes accuracy by {value:+.1f} points, too little to tell from no change with these pictures"
    else:
        change = f"{'gains' if value > 0 else 'loses'} {abs(value):.1f} points of accuracy"
    area, area_low, area_high = _numbers(difference.roc_auc)
    return (
        f"Compared with the head on the frozen backbone, fine-tuning {change} (95% interval: {low:+.1f} to {high:+.1f}). "
        f"ROC AUC changes by {area:+.3f} ({area_low:+.3f} to {area_high:+.3f}). Both models were measured on the same pictures."
    )


def threshold(measured: Measurements, classes: Sequence[str]) -> list[str]:
    """Sentences about the threshold of each model, and its precision and recall on validation."""
    sentences = [
        _decides(name, label, decision)
        for name, model in (("network", measured.network), ("head", measured.head))
        for label, decision in _of_classes(model, classes).items()
        if decision.wanted and decision.value is not None
    ]
    if not sentences:
        return ["The most probable class decides; no threshold is used."]
    return [*sentences, "Thresholds are chosen on validation, so these figures are optimistic. Those of the test are not."]


def _decides(name: str, label: str, decision: DecisionThreshold) -> str:
    ((metric, wanted),) = (decision.wanted or {}).items()
    precision = _on_validation("precision", decision.validation_precision)
    recall = _on_validation("recall", decision.validation_recall)
    goal = (
        f"the least cost, if a missed picture costs as much as {wanted:g} false alarms"
        if metric == "cost"
        else (f"a {_words(metric)} of {wanted:g}" if metric != "f1" else f"the highest F1, of {wanted:g} at least")
    )
    return (
        f"The {name} says {label} from a probability of {decision.value:.4f} up. The aim was {goal}. On validation it reaches "
        f"{precision} and {recall}, based on {decision.support} pictures."
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


def _of_classes(model: OfModel, classes: Sequence[str]) -> dict[str, DecisionThreshold]:
    return dict(model.thresholds) or {classes[1]: model.threshold}


def _short(name: str) -> str:
    """An object id as people tell it from others at a glance."""
    digits, dot, kind = name.partition(".")
    return f"{digits[:10]}…{dot}{kind}" if len(digits) > 16 else name


def _right(share: float) -> str:
    if share in (0, 1):
        return "right every time" if share else "never right"
    return f"right {_of_hundred(share)} times in 100"


def _found(share: float) -> str:
    if share in (0, 1):
        return "every picture" if share else "no picture"
    return f"{_of_hundred(share)} in 100 pictures"


def _of_hundred(share: float) -> str:
    """A count out of 100, which is 0 or 100 only if the share is exactly that."""
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
