"""`sengu predict`: pictures, folders or stdin -> class and probabilities of each, by the released model; no TensorFlow."""

import csv
import json
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from io import StringIO, TextIOWrapper
from pathlib import Path

import click
import numpy as np
from tqdm import tqdm

from sengu.base.errors import SenguError
from sengu.base.names import cell
from sengu.base.threads import map_in_threads
from sengu.commands import places
from sengu.pictures import images
from sengu.release import bundle
from sengu.release.bundle import Release

STDIN = "-"
MAX_PIXELS = 100_000_000
UNREADABLE = 2  # exit code


@dataclass(frozen=True)
class Prediction:
    """The prediction for one picture; `value` is the position of the class that the model decides for."""

    path: str
    value: int
    probabilities: np.ndarray  # float32 (classes,)


@dataclass(frozen=True)
class Unreadable:
    """A file that is not a whole picture, or a folder without files, and the reason."""

    path: str
    reason: str


Form = tuple[str, Callable[[Prediction], str]]  # the first line, and what writes a prediction as one line


def predict(paths: Sequence[str | Unreadable], model: Release, max_pixels: int = MAX_PIXELS) -> Iterator[Prediction | Unreadable]:
    """One result for each path, in order; "-" is a picture from stdin. Unreadable items pass through."""

    def work(path: str | Unreadable) -> Prediction | Unreadable:
        if isinstance(path, Unreadable):
            return path
        try:
            probabilities, _ = model.run(images.checked_pixels(_bytes(path)))
        except images.NotAPicture as error:
            return Unreadable(path, str(error))
        except OSError as error:
            return Unreadable(path, error.strerror or str(error))
        return Prediction(path, model.manifest.decide(probabilities), probabilities)

    with images.limited(max_pixels):
        yield from map(work, paths) if len(paths) == 1 else map_in_threads(work, paths)


def _bytes(path: str) -> bytes:
    if path == STDIN:
        if sys.stdin is None:
            raise OSError("stdin is closed")
        return sys.stdin.buffer.read()
    if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 a pipe may never end, nor a device
        raise OSError("not a regular file")
    return Path(path).read_bytes()


def files(path: str) -> Iterator[str | Unreadable]:
    """Every file below a folder, sorted, except hidden ones, with folders that cannot be read; any other path unchanged.

    Links to folders are followed, and each folder is read once.
    """
    if not os.path.isdir(path):  # noqa: PTH112 Path would change how the user spelled it
        yield path
        return
    refused: list[OSError] = []
    seen: set[tuple[int, int]] = set()

    def is_new(folder: str) -> bool:
        try:
            status = os.stat(folder)  # noqa: PTH116
        except OSError as error:
            refused.append(error)
            return False
        known = len(seen)
        seen.add((status.st_dev, status.st_ino))
        return len(seen) > known

    is_new(path)
    empty = True
    for folder, folders, names in os.walk(path, onerror=refused.append, followlinks=True):
        join = partial(os.path.join, folder)
        folders[:] = [name for name in sorted(folders) if not name.startswith(".") and is_new(join(name))]
        paths = [join(name) for name in sorted(names) if not name.startswith(".")]
        empty = empty and not paths
        yield from paths
    yield from (Unreadable(os.fsdecode(error.filename), error.strerror or str(error)) for error in refused)
    if empty and not refused:
        yield Unreadable(path, "no file in it")


def as_table(classes: Sequence[str]) -> Form:
    widths = [max(6, len(name)) for name in classes]
    first = max(len(name) for name in ("class", *classes))

    def line(class_name: str, cells: Iterable[str], path: str) -> str:
        columns = [class_name.ljust(first), *(text.ljust(width) for text, width in zip(cells, widths, strict=True)), path]
        return "  ".join(columns) + "\n"

    return line("class", classes, "picture"), lambda prediction: line(
        classes[prediction.value], (f"{probability:.4f}" for probability in prediction.probabilities), cell(prediction.path)
    )


def as_csv(classes: Sequence[str]) -> Form:
    def line(cells: Iterable[object]) -> str:
        text = StringIO()
        csv.writer(text, lineterminator="\n").writerow(cells)
        return text.getvalue()

    header = line(["path", "class", *(f"probability_{name}" for name in classes)])
    return header, lambda prediction: line([prediction.path, classes[prediction.value], *map(str, prediction.probabilities)])


def as_json(classes: Sequence[str]) -> Form:
    def line(prediction: Prediction) -> str:
        # the shortest decimals that name the same float32
        probabilities = {name: float(str(share)) for name, share in zip(classes, prediction.probabilities, strict=True)}
        return json.dumps({"path": prediction.path, "class": classes[prediction.value], "probabilities": probabilities}) + "\n"

    return "", line


FORMS: dict[str | None, Callable[[Sequence[str]], Form]] = {None: as_table, "csv": as_csv, "json": as_json}


@click.command("predict")
@click.argument("paths", metavar="PATH|DIR|-…", nargs=-1, required=True)
@click.option("--json", "form", flag_value="json", help="One JSON object per line.")
@click.option("--csv", "form", flag_value="csv", help="CSV with a header.")
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    default=places.RELEASE,
    show_default=True,
    help="A release, or the folder that holds one.",
)
@click.option("--max-pixels", default=MAX_PIXELS, show_default=True, help="Pictures with more pixels are not opened.")
def command(paths: tuple[str, ...], form: str | None, model: Path, max_pixels: int) -> None:
    """Say what pictures show: class and probabilities, one line per picture.

    Folders are searched at any depth, without hidden files; - is one picture from stdin. Files that cannot be read as a
    picture are named on stderr, and the exit code is then 2.
    """
    if model == places.RELEASE and not model.exists() and not Path("dvc.yaml").is_file():
        raise SenguError(f"no project here, so no {model}: name a release with --model, or go to the folder of a project")
    loaded = bundle.load(model)
    header, line = FORMS[form](loaded.manifest.classes)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")  # paths as the file system has them
    pictures = [file for path in paths for file in files(path)]
    click.echo(header, nl=False)
    unreadable = 0
    alone = len(pictures) == 1
    for result in tqdm(predict(pictures, loaded, max_pixels), "predict", len(pictures), unit="picture", disable=alone or None):
        if isinstance(result, Unreadable):
            unreadable += 1
            tqdm.write(f"{cell(click.format_filename(result.path))}: {cell(result.reason)}", file=sys.stderr)
        else:
            tqdm.write(line(result), end="")
    if not alone:
        click.echo(f"{len(pictures) - unreadable} read, {unreadable} unreadable", err=True)
    if unreadable:
        sys.exit(UNREADABLE)
