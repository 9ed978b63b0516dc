"""`sengu label import FILE`: an export of another program, or a sheet that was filled in -> lines of the sheets in labels/."""

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click
import pandas as pd

from sengu.base.errors import SenguError
from sengu.commands.label.label_set import LabelSet, option
from sengu.labels import importing
from sengu.labels.importing import Pictures, Said
from sengu.labels.sheets import Line, append
from sengu.labels.words import HOW, SHOWN, Known, look


def resolve(said: Iterable[Said], found: LabelSet, translated: dict[str, str], default: str) -> dict[str, list[Line]]:
    """The lines of each annotator's sheet. Raises SenguError with everything that is no picture or class of ours."""
    seen = found.index[["site", "objectId", "urlId"]].merge(
        found.captures[["site", "urlId", "url", "filename"]], on=["site", "urlId"]
    )
    pictures = Pictures(seen["objectId"].unique().tolist(), _only(seen, "filename"), _only(seen, "url"))
    faults: list[str] = []
    lines: dict[str, list[Line]] = {}
    classes = {*found.settings.classes, *map(str, range(len(found.settings.classes)))}
    for one in said:
        object_id = pictures.find(one.picture)
        value = translated.get(one.value, one.value)
        if not object_id:
            several = "several objects have" if object_id == "" else "no object has"
            faults.append(f"{one.place}: {several} the name {one.picture!r}: correct it, or crawl the site it comes from")
        elif value not in classes:
            choices = ", ".join(found.settings.classes)
            faults.append(
                f"{one.place}: {one.value!r} is no class: expected one of {choices}; translate it with --map '{one.value}=…'"
            )
        else:
            who = one.annotator or default
            if not who:
                raise SenguError(f"{one.place} names no annotator: name one with --annotator")
            lines.setdefault(who, []).append((object_id, value, who, one.labelledAt, one.rule, one.how, one.note))
    if faults:
        raise SenguError(f"{len(faults)} pictures cannot be imported:\n  " + "\n  ".join(faults[:SHOWN]))
    return lines


def _only(seen: pd.DataFrame, column: str) -> dict[str, str]:
    """A name -> its object id, empty if it stands for several."""
    pairs = seen.loc[seen[column] != "", [column, "objectId"]].drop_duplicates()
    several = pairs[column].duplicated(keep=False)
    return dict(zip(pairs[column], pairs["objectId"].where(~several, ""), strict=True))


def _checked(said: list[Said], how: str, at: str) -> list[Said]:
    """With what the command line says of all of them."""
    said = [replace(one, how=how) for one in said] if how else said
    return [one if one.labelledAt or one.how == "model" else replace(one, labelledAt=at) for one in said]


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@option
@click.option("--format", "kind", type=click.Choice(importing.FORMATS), help="By default guessed by the extension.")
@click.option("--annotator", default="", help="Who it is by, where the file does not say.")
@click.option("--how", type=click.Choice(HOW), help="How all of it came about; by default as the file says, else import.")
@click.option("--at", "labelled_at", default="", help="When, where the file does not say; by default now.")
@click.option("--map", "translations", multiple=True, metavar="THEIRS=OURS", help="What a class of theirs is called here.")
def command(
    file: Path, name: str, kind: str | None, annotator: str, how: str | None, labelled_at: str, translations: tuple[str, ...]
) -> None:
    """Add what FILE says to labels/, a sheet for each annotator.

    FILE is an export of Label Studio (JSON, JSON-MIN, CSV), of CVAT ("CVAT for images 1.1"), a sheet that was filled in, or a
    CSV file of a tagger with a column of pictures and one of classes. What the sheets have already is not added again.
    """
    for one in translations:
        if "=" not in one:
            raise SenguError(f"--map {one!r}: write it as THEIRS=OURS")
    translated = dict(one.split("=", 1) for one in translations)
    found = LabelSet.called(name)
    said = importing.read(file, kind or "")
    known = _said_already(found, said)
    now = labelled_at or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = resolve(_checked(said, how or "", now), found, translated, annotator)
    _check(lines, found.known, found.settings.classes)
    total = 0
    for who, theirs in lines.items():
        path = found.folder / f"{_file_name(who)}.csv"
        theirs = [line for line in theirs if (line[0], line[1], who, line[4], line[5]) not in known or labelled_at]
        total += (added := append(path, theirs))
        click.echo(f"{path}: {added} lines added")
    if not total:
        click.echo("nothing is new")


def _said_already(found: LabelSet, said: list[Said]) -> set[tuple[str, str, str, str, str]]:
    """What stands already of those words that say no date: importing them twice must not date them anew."""
    if all(one.labelledAt for one in said) or not found.folder.is_dir():
        return set()
    standing = found.standing
    names = standing["value"].map(found.class_of)
    return {
        key
        for value in (names, standing["value"].astype("str"))
        for key in zip(standing["objectId"], value, *(standing[name] for name in ("annotator", "rule", "how")), strict=True)
    }


def _check(lines: dict[str, list[Line]], known: Known, classes: list[str]) -> None:
    """Raises SenguError for what a sheet must not say, before any sheet is touched."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, theirs in enumerate(lines.values()):
            paths.append(Path(folder) / f"{number}.csv")
            append(paths[-1], theirs)
        _, faults = look(paths, known, classes)
    if faults:
        shown = [fault.partition(": ")[2] for fault in faults[:SHOWN]]
        raise SenguError(f"{len(faults)} lines cannot be imported:\n  " + "\n  ".join(shown))


def _file_name(who: str) -> str:
    """An annotator's name as that of a file: an e-mail address up to its @, and no separators."""
    name = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in who.partition("@")[0]).strip(".-")
    return name or "imported"
