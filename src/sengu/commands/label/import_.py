"""`sengu label import FILE`: an export of another program, or a filled-in sheet -> lines of the sheets in labels/."""

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click
import pandas as pd

from sengu.base.errors import SenguError
from sengu.base.names import counted
from sengu.commands.label.label_set import LabelSet, option
from sengu.labels import importing
from sengu.labels.importing import Pictures, Said
from sengu.labels.sheets import Line, append
from sengu.labels.words import HOW, NO_CLASS_CELL, SHOWN, Known, look


def resolve(said: Iterable[Said], label_set: LabelSet, translated: dict[str, str], default: str) -> dict[str, list[Line]]:
    """The lines for each annotator's sheet. Raises SenguError with every unknown picture and class."""
    seen = label_set.index[["site", "objectId", "urlId"]].merge(
        label_set.captures[["site", "urlId", "url", "filename"]], on=["site", "urlId"]
    )
    pictures = Pictures(seen["objectId"].unique().tolist(), _only(seen, "filename"), _only(seen, "url"))
    faults: list[str] = []
    lines: dict[str, list[Line]] = {}
    classes = {*label_set.settings.classes, *map(str, range(len(label_set.settings.classes))), NO_CLASS_CELL}
    for word in said:
        object_id = pictures.find(word.picture)
        value = translated.get(word.value, word.value)
        if not object_id:
            several = f"several objects have the name {word.picture!r}: name the picture by its object id"
            none = f"no object has the name {word.picture!r}: correct the name, or crawl the site that the picture comes from"
            faults.append(f"{word.place}: {several if object_id == '' else none}")
        elif value not in classes:
            choices = ", ".join([*label_set.settings.classes, f"or {NO_CLASS_CELL} if no class fits"])
            faults.append(
                f"{word.place}: {word.value!r} is not a class: expected one of {choices}, or translate it: --map '{word.value}=…'"
            )
        else:
            who = word.annotator or default
            if not who:
                raise SenguError(f"{word.place} names no annotator: name one with --annotator")
            lines.setdefault(who, []).append((object_id, value, who, word.labelledAt, word.rule, word.how, word.note))
    if faults:
        raise SenguError(f"{counted(len(faults), 'picture')} cannot be imported:\n  " + "\n  ".join(faults[:SHOWN]))
    return lines


def _only(seen: pd.DataFrame, column: str) -> dict[str, str]:
    """A name -> its object id, empty if several objects have it."""
    pairs = seen.loc[seen[column] != "", [column, "objectId"]].drop_duplicates()
    several = pairs[column].duplicated(keep=False)
    return dict(zip(pairs[column], pairs["objectId"].where(~several, ""), strict=True))


def _checked(said: list[Said], how: str, at: str) -> list[Said]:
    """Words completed by what the command line says of all of them."""
    said = [replace(word, how=how) for word in said] if how else said
    return [word if word.labelledAt or word.how == "model" else replace(word, labelledAt=at) for word in said]


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@option
@click.option("--format", "kind", type=click.Choice(importing.FORMATS), help="By default guessed by the extension.")
@click.option("--annotator", default="", help="The annotator, if the file does not say.")
@click.option("--how", type=click.Choice(HOW), help="How the labels came about; by default as the file says, else import.")
@click.option("--at", "labelled_at", default="", help="The date, if the file does not say; by default now.")
@click.option("--map", "translations", multiple=True, metavar="THEIRS=OURS", help="A class of the file and its name here.")
def command(
    file: Path, name: str, kind: str | None, annotator: str, how: str | None, labelled_at: str, translations: tuple[str, ...]
) -> None:
    """Add the labels in FILE to labels/, in a sheet for each annotator.

    FILE is an export of Label Studio (JSON, JSON-MIN, CSV) or CVAT ("CVAT for images 1.1"), a filled-in sheet, or a tagger's
    CSV file with a column of pictures and one of classes. Lines that the sheets already have are not added again.
    """
    for pair in translations:
        if "=" not in pair:
            raise SenguError(f"--map {pair!r}: write it as THEIRS=OURS")
    translated = dict(pair.split("=", 1) for pair in translations)
    label_set = LabelSet.called(name)
    said = importing.read(file, kind or "")
    known = _said_already(label_set, said)
    now = labelled_at or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = resolve(_checked(said, how or "", now), label_set, translated, annotator)
    _check(lines, label_set.known, label_set.settings.classes)
    total = 0
    for who, theirs in lines.items():
        path = label_set.folder / f"{_file_name(who)}.csv"
        theirs = [line for line in theirs if (line[0], line[1], who, line[4], line[5]) not in known or labelled_at]
        total += (added := append(path, theirs))
        click.echo(f"{path}: {counted(added, 'line')} added")
    if not total:
        click.echo("nothing is new")


def _said_already(label_set: LabelSet, said: list[Said]) -> set[tuple[str, str, str, str, str]]:
    """Undated words that the sheets hold already: importing them twice must not date them anew."""
    if all(word.labelledAt for word in said) or not label_set.folder.is_dir():
        return set()
    standing = label_set.in_force
    names = standing["value"].map(lambda value: label_set.class_of(value) or NO_CLASS_CELL)
    return {
        key
        for value in (names, standing["value"].astype("str"))
        for key in zip(standing["objectId"], value, *(standing[name] for name in ("annotator", "rule", "how")), strict=True)
    }


def _check(lines: dict[str, list[Line]], known: Known, classes: list[str]) -> None:
    """Raises SenguError for lines that a sheet must not have, before any sheet is touched."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, theirs in enumerate(lines.values()):
            paths.append(Path(folder) / f"{number}.csv")
            append(paths[-1], theirs)
        _, faults = look(paths, known, classes)
    if faults:
        listed = [fault.partition(": ")[2] for fault in faults[:SHOWN]]
        raise SenguError(f"{counted(len(faults), 'line')} cannot be imported:\n  " + "\n  ".join(listed))


def _file_name(who: str) -> str:
    """An annotator's name as a file name: an e-mail address up to its @, without separators."""
    name = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in who.partition("@")[0]).strip(".-")
    return name or "imported"
