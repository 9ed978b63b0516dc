"""The labels of a version and the object store -> plots of classes and sizes, and a contact sheet per class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.drawing import fonts, svg
from sengu.drawing.contact_sheets import COLUMNS, contact_sheet
from sengu.objects.store import ObjectStore
from sengu.pictures import images

CLASSES, SIZES = "classes.svg", "sizes.svg"
PER_CLASS = 4 * COLUMNS  # pictures of a contact sheet
BINS = 24  # of the histogram of sizes
POINTS, AXIS = 10, 160  # the size of a label, and points that the name of a class may be wide


def sheet_name(value: int) -> str:
    """The file of a class; by its number, since a name may hold letters that a file cannot."""
    return f"class-{value}.jpg"


def pick(labels: pd.DataFrame, value: int, count: int) -> list[str]:
    """Objects of a class: the first by id. Ids are hashes, so this is a random draw that is the same every time.

    A larger version keeps most of the pictures that a smaller one shows. Videos are skipped.
    """
    ids = labels.loc[labels["value"] == value, "objectId"]
    chosen = (name for name in sorted(ids) if not ObjectId.parse(name).is_video)
    return [name for name, _ in zip(chosen, range(count), strict=False)]


def draw_classes(counts: Sequence[int], classes: Sequence[str], path: Path) -> None:
    """A bar for each class."""
    names = fonts.shortened_names(fonts.legible(classes), POINTS, AXIS)
    with rc_context({"font.family": fonts.families(names)}):
        figure = Figure(figsize=(7, max(1.5, 0.4 * len(classes) + 1)), layout="constrained")
        axes = figure.subplots()
        places = np.arange(len(classes))[::-1]
        axes.barh(places, counts, color="#2166ac")
        axes.set_yticks(places, [name.replace("$", r"\$") for name in names])
        for place, count in zip(places, counts, strict=True):
            axes.annotate(f" {count}", (count, float(place)), va="center")
        axes.set(xlabel="pictures", title=f"{sum(counts)} pictures by class")
        axes.margins(x=0.12)
        svg.save(figure, path)


def draw_sizes(sizes: pd.DataFrame, path: Path) -> None:
    """A histogram of the longer side; `sizes` has width and height in pixels."""
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    longer = np.maximum(sizes["width"].to_numpy(), sizes["height"].to_numpy())
    longer = longer[longer > 0]
    if len(longer):
        low, high = int(longer.min()), int(longer.max())
        edges = np.geomspace(low, high, BINS + 1) if high > low else np.array([low * 0.9, low * 1.1])
        axes.hist(np.clip(longer, edges[0], edges[-1]), bins=edges.tolist(), color="#2166ac")
        axes.set_xscale("log")
        axes.set_xticks([low, high] if high > low else [low], [str(side) for side in ([low, high] if high > low else [low])])
        axes.minorticks_off()
    axes.set(xlabel="longer side, pixels", ylabel="pictures", title=f"{len(longer)} pictures by size")
    svg.save(figure, path)


def draw_sheet(title: str, ids: Sequence[str], store: ObjectStore, path: Path) -> None:
    """A contact sheet of these pictures, each above its id. Raises SenguError for an object that is not there."""
    with images.limited(None):
        pictures = [store.pixels(ObjectId.parse(name)) for name in ids]
    legible = title if fonts.font_of(title) else fonts.legible([title])[0]
    contact_sheet(legible, pictures, [[name[:22], name[22:]] for name in ids], path)


def pictures_here(ids: Sequence[str], store: ObjectStore) -> list[tuple[str, np.ndarray]]:
    """The pictures that are here, with their ids; a page can leave out an erased one."""
    pictures = []
    with images.limited(None):
        for name in ids:
            try:
                pictures.append((name, store.pixels(ObjectId.parse(name))))
            except SenguError:
                continue
    return pictures
