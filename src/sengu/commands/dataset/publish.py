"""`sengu dataset publish`: a version -> one folder with pictures, tables, Croissant, card and licence, for Kaggle or a hub."""

import shutil
from dataclasses import fields
from pathlib import Path

import click
import pandas as pd
from tqdm import tqdm

from sengu.base import tables
from sengu.base.atomic import replaced_folder
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.base.names import counted
from sengu.base.tables import tombstones, versions
from sengu.commands import places
from sengu.commands.objects import view
from sengu.datasets import croissant, facts, lineage, samples
from sengu.datasets.recipe import FOLDER
from sengu.objects.store import ObjectStore
from sengu.repository import pipeline

IMAGES = "images"
CARD, LICENCE = "README.md", "LICENSE"
SPDX = "https://spdx.org/licenses/"


def publish(name: str, folder: Path, store: ObjectStore) -> int:
    """Writes the folder; returns the number of pictures. Raises SenguError, and writes nothing, if a picture is missing.

    An erased picture has its line in the tables, and no file.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SenguError(f"{folder} already exists and is not empty: choose another folder")
    lineage.tree(pipeline.versions()).node(name)
    source = FOLDER / name
    version, document = versions.read(source), facts.read(source)
    known = {field.name: document[field.name] for field in fields(facts.Facts) if field.name in document}
    if len(known) < len(fields(facts.Facts)):
        raise SenguError(f"{source / versions.METADATA} is of an earlier Sengu: run `dvc repro datasets/dvc.yaml:{name}`")
    labels = tables.read(source / versions.LABELS, tables.Label)
    erased = tombstones.erased()
    labels = labels[~labels["objectId"].str.partition(".")[0].isin(erased)]
    with replaced_folder(folder) as partial:
        for path in sorted(source.iterdir()):
            shutil.copyfile(path, partial / path.name)
        (partial / IMAGES).mkdir()
        for object_id in tqdm(labels["objectId"], desc="publish", unit="picture", disable=None):
            view.place(ObjectId.parse(object_id), store, partial / IMAGES / object_id, copy=True)
        _write_metadata(labels, version.classes, partial / IMAGES / "metadata.csv")
        patterns = [f"{IMAGES}/*.{extension}" for extension in sorted(labels["objectId"].str.slice(41).unique())]
        text = croissant.document(version, facts.Facts(**known), partial, patterns)
        (partial / croissant.NAME).write_text(text, encoding="utf-8")
        (partial / CARD).write_text(card(version, facts.Facts(**known), partial), encoding="utf-8")
        licence = known["project"].get("licence") or "not stated"
        is_spdx = licence.replace("-", "").replace(".", "").isalnum()
        address = f"\n{SPDX}{licence}.html\n" if is_spdx else ""
        (partial / LICENCE).write_text(f"{licence}\n{address}", encoding="utf-8")
    return len(labels)


def _write_metadata(labels: pd.DataFrame, classes: list[str], path: Path) -> None:
    """Writes the table that Hugging Face's imagefolder reads beside the pictures."""
    rows = pd.DataFrame({"file_name": labels["objectId"], "label": labels["value"].map(dict(enumerate(classes)))})
    rows.to_csv(path, index=False, lineterminator="\n")


def card(version: versions.Version, known: facts.Facts, folder: Path) -> str:
    """The text of README.md: answers to the first questions."""
    project = known.project
    counts = "\n".join(f"| {name} | {version.rows_by_value[str(value)]} |" for value, name in enumerate(version.classes))
    sheets = "\n".join(
        f"![{name}]({samples.sheet_name(value)})"
        for value, name in enumerate(version.classes)
        if (folder / samples.sheet_name(value)).is_file()
    )
    origins = (
        ", ".join(f"{entry['version']} {entry['semver']}" for entry in known.lineage) or "its own labels, no earlier version"
    )
    return f"""# {project.get("name") or version.version}: {version.version} {known.semver}

{known.description}

- Purpose: {known.purpose or "not stated"}
- Licence: {project.get("licence") or "not stated"}
- Contact: {project.get("contact") or "not stated"}
- Cite as: {project.get("citation") or "not stated"}
- Repository: {project.get("repository") or "not stated"}
- Comes from: {origins}
- Fetched {known.fetched["first"][:10]} to {known.fetched["last"][:10]}
- Last label: {known.words["labelled_last"][:10] or "undated"}

| class | pictures |
| --- | --- |
{counts}

`{versions.LABELS}` lists the object id and class number of each picture. `{IMAGES}/` holds the pictures, named by object id.
`{croissant.NAME}` describes all of this for tools. `{versions.METADATA}` records how the version was made.

{sheets}
"""


@click.command("publish")
@click.argument("name")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def publish_command(name: str, folder: Path) -> None:
    """Write the version NAME to DIR: pictures, tables, Croissant, card and licence, ready to be uploaded."""
    click.echo(f"{folder}: {counted(publish(name, folder, ObjectStore.below(places.TREES)), 'picture')}")
