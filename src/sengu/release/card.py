"""The manifest of a release -> its MODEL_CARD.md: what the model is, how good, and what nobody knows of it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sengu.release.bundle import Manifest

FITS = {
    "squash": "both sides are brought to {size} pixels, without keeping the proportions",
    "letterbox": "the longer side is brought to {size} pixels, white fills what is missing of the other",
}

MARKDOWN = re.compile(r"[\\`*_~$&<\[|]")  # what of a name would be taken for more than text, or end the cell of a table

TEMPLATE = """\
# {name} {version}

Says which of {number} classes a picture shows: {classes}. It is an image classifier fine-tuned from a pretrained backbone
(`{source}`), and gives an embedding beside, by which pictures can be compared. Made by {created_by}.

## How to use it

    python predict.py picture.jpg

needs ONNX Runtime, NumPy and Pillow (`pip install onnxruntime numpy pillow`). `model.onnx` takes one picture of any size,
uint8 RGB (height, width, 3), upright; `predict.py` shows how to decode one. It gives `probabilities`, float32, one for each class
in the order above, and `embedding`, float32 with length 1: the scalar product of two of them says how alike the model finds them.

The preprocessing is part of the model: {fit}, bilinear with antialias.

Decision: {decision}.

## Data

Dataset version `{dataset}` (`{md5}`) with {rows} labelled pictures: {counts}.
It was split into {split}.

## How good it is

On {test_images} test pictures{groups}. No stage trained on them or chose by them; whoever compares many experiments by these
numbers chooses by them. Brackets hold 95% intervals where they were computed.

{metrics}

## Limits

- It knows its classes only: a picture of anything else is given to one of them, perhaps with a high probability.
- The figures hold for pictures like those of the dataset. On others they may be far worse: measure before use.
- The test split has as many pictures of each class. Where a class is rare, its precision is lower than here.
- How it treats people and groups of people has not been looked into, nor how it withstands pictures made to mislead it.
- A probability is a score of the model, not how often it is right, unless the calibration was checked on your pictures.

## Licence

The file LICENSE beside this one is that of the software. Rights in the training pictures, and the terms of the backbone's source,
may limit what the model can be used for; this card cannot say.
"""


def write(manifest: Manifest) -> str:
    """The card as Markdown; everything in it comes from the manifest."""
    size, fit = manifest.preprocessing["size"], manifest.preprocessing["fit"]
    counts = manifest.dataset["rows_by_value"]
    return TEMPLATE.format(
        name=manifest.name,
        version=manifest.version,
        number=len(manifest.classes),
        classes=", ".join(map(_literal, manifest.classes)),
        source=manifest.backbone["source"],
        created_by=manifest.created_by,
        fit=FITS[fit].format(size=size),
        decision=_decision(manifest),
        dataset=manifest.dataset["version"],
        md5=manifest.dataset["md5"],
        rows=manifest.dataset["rows"],
        counts=", ".join(f"{counts[str(value)]} {_literal(name)}" for value, name in enumerate(manifest.classes)),
        split=", ".join(f"{number} {kind}" for kind, number in sorted(manifest.dataset["split"].items())),
        test_images=manifest.metrics["test_images"],
        groups=f", {manifest.metrics['test_groups']} if near-duplicates count once" if "test_groups" in manifest.metrics else "",
        metrics="\n".join(_table(manifest.metrics)),
    )


def _decision(manifest: Manifest) -> str:
    found = manifest.metrics.get("threshold") or {}
    asked = " and ".join(f"{metric} of {ratio}" for metric, ratio in (found.get("wanted") or {}).items())
    if manifest.threshold is None or len(manifest.classes) != 2:
        missed = f"; a {asked} was wanted, but {found['missed']}" if found.get("missed") else ""
        return f"the class with the highest probability{missed}"
    first, second = map(_literal, manifest.classes)
    decides = (
        f'"{second}" from a probability of {manifest.threshold} on, which was chosen on the validation split, else "{first}"'
    )
    if not found.get("support"):
        return decides
    gives = " and ".join(f"a {metric} of {_on_validation(found, metric)}" for metric in ("precision", "recall"))
    return f"{decides}. A {asked} was wanted; {found['support']} validation pictures support it, and it gives {gives} there"


def _on_validation(threshold: Mapping[str, Any], metric: str) -> str:
    low, high = threshold[f"validation_{metric}_interval"]
    return _figure({"value": threshold[f"validation_{metric}"], "low": low, "high": high})


def _table(metrics: Mapping[str, Any]) -> Iterator[str]:
    """The fine-tuned network beside the head on the frozen backbone, for every metric that is one number; then by class."""
    network, head = metrics["network"], metrics["head"]
    yield "| metric | this model | head on the frozen backbone |"
    yield "| --- | --- | --- |"
    for name, value in network.items():
        if text := _figure(value):
            yield f"| {_words(name)} | {text} | {_figure(head.get(name))} |"
    if by_class := network.get("by_class"):
        names = [name for name, value in next(iter(by_class.values())).items() if _figure(value)]
        yield ""
        yield f"| class | {' | '.join(map(_words, names))} |"
        yield "| --- |" + " --- |" * len(names)
        for label, values in by_class.items():
            yield f"| {_literal(label)} | {' | '.join(_figure(values[name]) for name in names)} |"


def _literal(name: str) -> str:
    """The name of a class as Markdown that shows it as it is."""
    return MARKDOWN.sub(r"\\\g<0>", name)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _figure(value: Any) -> str:
    """A number, with its interval if it has one; a dash for what is undefined, nothing for what is no number."""
    if value is None:
        return "-"
    if isinstance(value, Mapping) and {"value", "low", "high"} <= value.keys():
        limits = value["low"], value["high"]
        return _figure(value["value"]) + ("" if None in limits else f" [{limits[0]:.4f}, {limits[1]:.4f}]")
    return f"{value:.4f}" if isinstance(value, float) else str(value) if isinstance(value, int) else ""
