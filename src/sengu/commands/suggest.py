"""`sengu suggest`: embeddings, labels and near-duplicates -> a sheet of the pictures to label next."""

import csv
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from sengu import embeddings
from sengu.base import tables
from sengu.base.atomic import replaced_file
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.base.names import counted
from sengu.base.tables import tombstones
from sengu.commands import places
from sengu.commands.objects import find
from sengu.embeddings import Embeddings
from sengu.labels import sheets, suggestions
from sengu.labels.ledger import UNDONE
from sengu.objects.store import ObjectStore

SHEET = Path("suggestions.csv")
COLUMNS = ("objectId", "value", "uncertainty", "distance", "file")  # `label` reads the first two


def suggest(stored: Embeddings, labelled: set[str], settled: set[str], groups: dict[str, str], number: int) -> list[list[str]]:
    """The lines of the sheet, the most useful picture first, without the file.

    It leaves out the `labelled` and the otherwise `settled` objects, and those whose group of near-duplicates (`groups`: object
    id -> name) has a labelled one. Raises SenguError if nothing is left.
    """
    known = {groups[name] for name in labelled if name in groups}
    group_names = [groups.get(name, name) for name in stored.objects]
    done = labelled | settled
    rows = np.array(
        [row for row, name in enumerate(stored.objects) if name not in done and group_names[row] not in known], np.int64
    )
    if not len(rows):
        raise SenguError(
            f"none of the {len(stored.objects)} pictures is left to label: each has a label, a near-duplicate that has one, "
            f"or a line of a sheet in {places.LABELS}"
        )
    others = np.array([row for row, name in enumerate(stored.objects) if name in labelled], np.int64)
    uncertain = suggestions.uncertainty(stored.probabilities[rows])
    far = embeddings.distances(rows, others, stored.vectors)
    candidates = suggestions.Candidates(rows, uncertain, far, [group_names[row] for row in rows])
    taken = suggestions.suggest(candidates, stored.vectors, number)
    return [[stored.objects[rows[place]], "", f"{uncertain[place]:.4f}", f"{far[place]:.4f}"] for place in taken]


def _settled(stored: Embeddings) -> set[str]:
    """Objects that were erased, and those in a sheet: with a label, or examined and left without one."""
    erased = tombstones.erased()
    settled = {name for name in stored.objects if name.partition(".")[0] in erased}
    by_sha1 = {name.partition(".")[0]: name for name in stored.objects}
    files: set[str] = set()
    for path in sorted(places.LABELS.glob("[!.]*.csv")):
        sheet, _, _ = sheets.cells(path)
        if {"objectId", "note", "how"} <= set(sheet):  # a slip on the labelling page says nothing of the picture
            last = sheet.drop_duplicates("objectId", keep="last")
            is_undone = (last["value"] == "") & (last["how"] == "") & last["note"].str.startswith(UNDONE)
            sheet = sheet[~sheet["objectId"].isin(last.loc[is_undone, "objectId"])]
        if "objectId" in sheet:
            sha1s = sheet["objectId"].str.lower().str.partition(".")[0]
            settled |= {by_sha1[sha1] for sha1 in sha1s if sha1 in by_sha1}
        if "filename" in sheet:
            files |= set(sheet["filename"]) - {""}
    return settled | find.named_by_file(files, places.DATA)


def _write(path: Path, lines: Sequence[Sequence[str]]) -> None:
    with replaced_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(lines)


@click.command("suggest")
@click.option("-n", "number", type=click.IntRange(min=1), default=200, show_default=True, help="How many to suggest.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=SHEET,
    show_default=True,
    help="The sheet to write; an existing file is never replaced.",
)
def command(number: int, out: Path) -> None:
    """Suggest what to label next: pictures that the model is uncertain about, unlike any labelled one, and unlike each other.

    This writes a sheet. Fill in the column `value`, then add it to labels/ with `sengu label import`.
    """
    if out.exists():
        raise SenguError(
            f"{out} already exists, and may be filled in: run `sengu label import {out} --annotator YOU`, move it away, or name "
            "another with --out"
        )
    stored = embeddings.read(places.EMBEDDINGS)
    labelled = set(tables.read(places.LABEL, tables.Label)["objectId"])
    duplicates = tables.read(places.DUPLICATES, tables.Duplicate)
    groups = dict(zip(duplicates["objectId"], duplicates["group"], strict=True))
    lines = suggest(stored, labelled, _settled(stored), groups, number)
    store = ObjectStore.below(places.TREES)
    _write(out, [[*line, str(store.sources(ObjectId.parse(line[0]))[0])] for line in lines])
    few = f", though you asked for {number}: no more are without a label" if len(lines) < number else ""
    click.echo(
        f"{out}: {counted(len(lines), 'picture')}{few}; fill in the values, then run `sengu label import {out} --annotator YOU`"
    )
