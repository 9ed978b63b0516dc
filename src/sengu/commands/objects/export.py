"""A dataset version, split -> a folder that other programs read: DIR/<type>/<class>/<object id>, or a table of the files."""

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path

import click
import pandas as pd
from tqdm import tqdm

from sengu.base import names, params, tables
from sengu.base.atomic import replaced_folder
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.base.tables import versions
from sengu.commands import places
from sengu.commands.objects import view
from sengu.objects.store import ObjectStore
from sengu.stages.split import split

TABLE = "metadata.csv"  # the name that Hugging Face's imagefolder reads


def export(version: str, kind: str, copy: bool, folder: Path, store: ObjectStore) -> int:
    """Exports a dataset version, split by the rule in params.yaml; excluded rows are left out. Returns the number of examples.

    `imagefolder`: DIR/<type>/<class>/<object id>. `csv`: DIR/metadata.csv with the columns file_name, label and split, and the
    files beside it. Files are hard links, or symbolic ones across file systems, unless `copy`. Raises SenguError if the
    version, or an object of it, is not there; then nothing is written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SenguError(f"{folder} is there already, and not empty: choose another folder")
    labels = places.DATASETS / version / versions.LABELS
    if not labels.is_file():
        here = sorted(path.parent.name for path in places.DATASETS.glob(f"*/{versions.LABELS}"))
        raise SenguError(f"there is no dataset version {version} (there are {', '.join(here) or 'none'}): run `dvc repro`")
    labelled = tables.read(labels, tables.Label)
    classes = versions.read(places.DATASETS / version).classes  # those of today's params.yaml may be others
    check_names(classes, version)
    versions.check(labelled, classes, f"{places.DATASETS / version / versions.METADATA}")
    rows = split(labelled, tables.read(places.DUPLICATES, tables.Duplicate), params.section("split", params.Split))
    rows = rows[rows["type"] != "excluded"]
    with replaced_folder(folder) as partial:
        listed = []
        for row in tqdm(rows.itertuples(), total=len(rows), desc="export", unit="example", disable=None):
            source = store.path(ObjectId.parse(str(row.objectId)))
            name = Path(str(row.type)) / classes[int(str(row.value))] / str(row.objectId)
            name = name if kind == "imagefolder" else Path(str(row.objectId))
            target = partial / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if copy:
                shutil.copyfile(source, target)
            else:
                view.place(source, target)
            listed.append((name.as_posix(), classes[int(str(row.value))], row.type))
        if kind == "csv":
            table = pd.DataFrame(listed, columns=["file_name", "label", "split"])
            table.to_csv(partial / TABLE, index=False, lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
    return len(rows)


def check_names(classes: Sequence[str], version: str) -> None:
    """Raises SenguError for a class that cannot be a folder: versions made before such names were refused may have one."""
    for name in classes:
        if reason := names.fault(name):
            raise SenguError(
                f"dataset version {version}: class {name!r} {reason}: rename it in label.classes of params.yaml, make a new "
                "version with `dvc repro`, and export that one"
            )
    if twice := names.same(classes):
        raise SenguError(
            f"dataset version {version}: two classes are named {twice!r}, where upper and lower case are the same: rename one of "
            "them in label.classes of params.yaml, make a new version with `dvc repro`, and export that one"
        )


@click.command("export")
@click.option("--dataset", "version", required=True, help="Name of a dataset version; its rows that are split are exported.")
@click.option("--format", "kind", type=click.Choice(["imagefolder", "csv"]), default="imagefolder")
@click.option("--copy", is_flag=True, help="Copy the files instead of linking them.")
@click.argument("folder", type=click.Path(path_type=Path))
def export_command(version: str, kind: str, copy: bool, folder: Path) -> None:
    """Write a dataset to FOLDER as <type>/<class>/<object id>, which Keras, PyTorch and Hugging Face read."""
    click.echo(f"{folder}: {export(version, kind, copy, folder, ObjectStore.below(places.TREES))} examples")
