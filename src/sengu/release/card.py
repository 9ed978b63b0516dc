"""The manifest of a release -> its MODEL_CARD.md: what the model is, how good it is, and what is unknown."""

import math
import re
from collections.abc import Iterator

from sengu.base import measurements
from sengu.base.measurements import METRICS, OF_CLASS, AtThreshold, DecisionThreshold, Estimate, Measurements
from sengu.release.bundle import Manifest

FITS = {
    "squash": "both sides are resized to {size} pixels, without keeping the proportions",
    "letterbox": "the longer side is resized to {size} pixels, and white fills the rest",
}

# the origin of weights, for backbones whose name does not give it
ORIGINS = {
    "embedded": "The backbone is EfficientNet-B0, with weights derived from Google's EfficientNet-Lite0, trained on ImageNet,\n"
    "under the Apache License 2.0.\n\n",
}

MARKDOWN = re.compile(r"[\\`*_~$&<\[|]")  # characters of a name with a meaning in Markdown, or that end the cell of a table

TEMPLATE = """\
# {name} {version}

**{verdict}** These pictures were held out: the model was neither trained on them nor chosen by them.

| | |
| --- | --- |
| Task | says which of {number} classes a picture shows: {classes} |
| Dataset | version `{dataset}`, {rows} labelled pictures: {counts} |
{data}| Split | {split} |
| Model | image classifier fine-tuned from a pretrained backbone (`{source}`), {size} px; it also gives an embedding |
| Decision | {decision} |
| Made by | {created_by} |

## How to use it

    python predict.py picture.jpg

This needs ONNX Runtime, NumPy and Pillow (`pip install onnxruntime numpy pillow`). `model.onnx` takes one picture of any size,
uint8 RGB (height, width, 3), upright; `predict.py` shows how to decode one. It gives `probabilities`, float32, one for each class
in the order above, and `embedding`, float32 with length 1: the scalar product of two embeddings is their similarity.

The preprocessing is part of the model: {fit}, bilinear with antialias.

## How good it is

Measured on {test_images} test pictures{groups}, by the most probable class{but}. Brackets hold 95% intervals.{calibrated}

{metrics}

## Limits

- It knows only its classes. It puts a picture of anything else into one of them, perhaps with a high probability.
- The figures hold for pictures like those of the dataset. On others they may be far worse: measure before use.
- The test split has the same number of pictures of each class. Where a class is rare, its precision is lower than here.
- Nobody has examined how it treats people and groups of people, or how it withstands pictures made to mislead it.
- A probability is a score, not the share of correct answers, unless you have checked the calibration on your pictures.

## Licence

{origin}The file LICENSE beside this one is the licence of the software. Rights in the training pictures, and the terms of the
backbone's source, may limit the use of the model. This card does not know them.
"""


def write(manifest: Manifest) -> str:
    """The card as Markdown; everything in it comes from the manifest."""
    size, fit = manifest.preprocessing["size"], manifest.preprocessing["fit"]
    counts = manifest.dataset["rows_by_value"]
    measured = measurements.from_json(manifest.metrics, "metrics of the manifest")
    return TEMPLATE.format(
        name=manifest.name,
        version=manifest.version,
        number=len(manifest.classes),
        classes=", ".join(map(_literal, manifest.classes)),
        source=manifest.backbone["source"],
        origin=ORIGINS.get(manifest.backbone["source"], ""),
        created_by=manifest.created_by,
        fit=FITS[fit].format(size=size),
        decision=_decision(manifest, measured.network.threshold),
        verdict=_verdict(measured, _deciding(manifest, measured)),
        but=" unless the table names the threshold" if _deciding(manifest, measured) else "",
        size=size,
        data="".join(f"| {name} | {_literal(value)} |\n" for name, value in manifest.dataset.get("facts", {}).items()),
        calibrated=(
            f"\nThe probabilities were scaled by a temperature of {measured.network.temperature:g}, chosen on validation."
            if measured.network.temperature != 1
            else ""
        ),
        dataset=manifest.dataset["version"],
        rows=manifest.dataset["rows"],
        counts=", ".join(f"{counts[str(value)]} {_literal(name)}" for value, name in enumerate(manifest.classes)),
        split=", ".join(f"{number} {kind}" for kind, number in sorted(manifest.dataset["split"].items())),
        test_images=measured.test_images,
        groups=f", {measured.test_groups} if near-duplicates count once"
        if measured.test_groups not in (0, measured.test_images)
        else "",
        metrics="\n".join(_table(manifest, measured)),
    )


def _deciding(manifest: Manifest, measured: Measurements) -> AtThreshold | None:
    """The measurements at the threshold that decides; None where the most probable class decides, or nobody measured."""
    if manifest.threshold is None or len(manifest.classes) != 2:
        return None
    return measured.network.at_threshold.get(manifest.classes[1])


def _verdict(measured: Measurements, deciding: AtThreshold | None) -> str:
    accuracy, matrix = measured.network.accuracy, measured.network.confusion_matrix
    if deciding is not None:
        accuracy, matrix = deciding.accuracy, {}
    if accuracy is None:
        return f"Measured on {measured.test_images} test pictures."
    right = sum(row[name] for name, row in matrix.items()) if matrix else round(accuracy.value * measured.test_images)
    limits = (
        ""
        if accuracy.low is None or accuracy.high is None
        else (
            f" Of 100 new pictures like these, expect it to be right on {math.floor(100 * accuracy.low)} to "
            f"{math.ceil(100 * accuracy.high)} (95% interval)."
        )
    )
    return f"Right on {right} of {measured.test_images} test pictures{' at the threshold' if deciding else ''}.{limits}"


def _decision(manifest: Manifest, threshold: DecisionThreshold) -> str:
    asked = " and ".join(f"{_words(metric)} {ratio:g}" for metric, ratio in (threshold.wanted or {}).items())
    if manifest.threshold is None or len(manifest.classes) != 2:
        missed = f"; the aim was {asked}, but {threshold.missed}" if threshold.missed else ""
        return f"the class with the highest probability{missed}"
    first, second = map(_literal, manifest.classes)
    decides = f'"{second}" from a probability of {manifest.threshold:.4f} up, chosen on the validation split; else "{first}"'
    if not threshold.support:
        return decides
    estimates = (("precision", threshold.validation_precision), ("recall", threshold.validation_recall))
    gives = " and ".join(f"a {metric} of {_figure(estimate)}" for metric, estimate in estimates)
    wanted = f"The aim was {asked}"
    if cost := (threshold.wanted or {}).get("cost"):
        wanted = f"The aim was the least cost, if a missed picture costs as much as {cost:g} false alarms"
    return f"{decides}. {wanted}; on {threshold.support} validation pictures it reaches {gives}"


def _table(manifest: Manifest, measured: Measurements) -> Iterator[str]:
    """The fine-tuned network beside the head on the frozen backbone, for every metric; then the network by class.

    If a threshold decides, the figures of each at its own threshold come below.
    """
    yield "| metric | this model | head on the frozen backbone |"
    yield "| --- | --- | --- |"
    for name in METRICS:
        values = (getattr(model, name) for model in (measured.network, measured.head))
        yield f"| {_words(name)} | {' | '.join(map(_figure, values))} |"
    if _deciding(manifest, measured):
        called = [model.at_threshold.get(manifest.classes[1], AtThreshold()) for model in (measured.network, measured.head)]
        for name in ("accuracy", *OF_CLASS):
            yield f"| {_words(name)} at the threshold | {' | '.join(_figure(getattr(model, name)) for model in called)} |"
    if measured.network.by_class:
        yield ""
        yield f"| class | support | {' | '.join(map(_words, OF_CLASS))} |"
        yield "| --- | --- |" + " --- |" * len(OF_CLASS)
        for label, of_class in measured.network.by_class.items():
            figures = (_figure(getattr(of_class, name)) for name in OF_CLASS)
            yield f"| {_literal(label)} | {of_class.support} | {' | '.join(figures)} |"


def _literal(name: str) -> str:
    """The name of a class as Markdown that shows it as it is."""
    return MARKDOWN.sub(r"\\\g<0>", name)


def _words(name: str) -> str:
    return measurements.WORDS.get(name, name.replace("_", " "))


def _figure(estimate: Estimate | None) -> str:
    """A value with its interval, if it has one; a dash for what is undefined."""
    if estimate is None:
        return "-"
    limits = "" if estimate.low is None else f" [{estimate.low:.4f}, {estimate.high:.4f}]"
    return f"{estimate.value:.4f}{limits}"
