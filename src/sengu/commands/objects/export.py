"""A dataset version, split -> a folder that other programs read: DIR/<type>/<class>/<object id>, or a table for each type."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import pandas as pd
from PIL import Image
from tqdm import tqdm

from sengu.base import names, tables
from sengu.base.atomic import replaced_folder
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.base.names import counted
from sengu.base.tables import versions
from sengu.commands import places
from sengu.commands.objects import view
from sengu.objects.store import ObjectStore
from sengu.pictures import images
from sengu.stages.split import of_version

TABLE = "metadata.csv"  # the name that Hugging Face's imagefolder reads
PLAIN = ("jpg", "png")  # formats that every reader accepts
# readers of folders -> formats that they skip silently (torchvision 0.26: IMG_EXTENSIONS; Keras 3: ALLOWLIST_FORMATS)
SKIPPED = {"torchvision": ("gif", "avif"), "Keras": ("webp", "tif", "avif")}


@dataclass(frozen=True)
class Form:
    """The form of an export: the kind of folder, whether files are copied, and whether odd formats become PNG."""

    kind: str
    copy: bool = False
    convert: bool = False


def export(version: str, form: Form, folder: Path, store: ObjectStore) -> pd.DataFrame:
    """Exports a dataset version, split by the rule in params.yaml; excluded rows are left out.

    Returns a row per example: file_name (below DIR), label and type.

    `imagefolder`: DIR/<type>/<class>/<object id>. `csv`: DIR/<type>/metadata.csv with the columns file_name and label, and the
    files beside it, which Hugging Face reads as one split for each type. Files are hard links, or symbolic ones across file
    systems, unless `copy`, or the objects lie in archives. With `convert`, what is neither JPEG nor PNG becomes a PNG of the
    same name. Raises SenguError if the version, or an object of it, is not there; then nothing is written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SenguError(f"{folder} already exists and is not empty: choose another folder")
    labels = places.DATASETS / version / versions.LABELS
    if not labels.is_file():
        here = sorted(path.parent.name for path in places.DATASETS.glob(f"*/{versions.LABELS}"))
        raise SenguError(f"there is no dataset version {version} (there are {', '.join(here) or 'none'}): run `dvc repro`")
    labelled = tables.read(labels, tables.Label)
    classes = versions.read(places.DATASETS / version).classes  # those of today's params.yaml may be others
    check_names(classes, version)
    versions.check(labelled, classes, f"{places.DATASETS / version / versions.METADATA}")
    rows = of_version(places.DATASETS / version, tables.read(places.DUPLICATES, tables.Duplicate))
    rows = rows[rows["type"] != "excluded"]
    with replaced_folder(folder) as partial:
        listed = []
        for row in tqdm(rows.itertuples(), total=len(rows), desc="export", unit="example", disable=None):
            object_id, label = ObjectId.parse(str(row.objectId)), classes[int(str(row.value))]
            converted = form.convert and object_id.extension not in PLAIN
            file_name = f"{object_id.sha1}.png" if converted else str(object_id)
            name = Path(str(row.type), label, file_name) if form.kind == "imagefolder" else Path(str(row.type), file_name)
            target = partial / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if converted:
                with images.limited(None):
                    Image.fromarray(store.pixels(object_id)).save(target)
            else:
                view.place(object_id, store, target, form.copy)
            listed.append((name.as_posix(), label, row.type))
        exported = pd.DataFrame(listed, columns=["file_name", "label", "type"])
        for type_name, table in exported.groupby("type") if form.kind == "csv" else ():
            within = table.assign(file_name=table["file_name"].str.partition("/")[2])[["file_name", "label"]]
            within.to_csv(partial / str(type_name) / TABLE, index=False, lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
    return exported


def skipped(exported: pd.DataFrame) -> list[str]:
    """Sentences about files that some readers of folders would skip."""
    extensions = exported["file_name"].str.rpartition(".")[2]
    counts = {reader: int(extensions.isin(formats).sum()) for reader, formats in SKIPPED.items()}
    return [
        f"{reader} would ignore {counted(count, 'file')} ({'|'.join(SKIPPED[reader])})"
        for reader, count in counts.items()
        if count
    ]


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
@click.option("--convert", is_flag=True, help="Turn what is neither JPEG nor PNG into PNG, which every reader takes.")
@click.argument("folder", type=click.Path(path_type=Path))
def export_command(version: str, kind: str, copy: bool, convert: bool, folder: Path) -> None:
    """Write a dataset to FOLDER as <type>/<class>/<object id>, which Keras, PyTorch and Hugging Face read."""
    exported = export(version, Form(kind, copy, convert), folder, ObjectStore.below(places.TREES))
    click.echo(f"{folder}: {len(exported)} examples")
    for line in skipped(exported):
        click.echo(f"{line}: add --convert if you use it", err=True)
