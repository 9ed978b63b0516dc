"""A dataset version, split -> a folder that other programs read: DIR/<type>/<class>/<object id>, or a table of the files."""

import csv
import shutil
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from sengu.base.tables import versions
from sengu.commands.objects import view
from sengu.base import params
from sengu.base import tables
from sengu.base.atomic import replaced_folder
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.stages.split import split
from sengu.objects.store import ObjectStore

DATASETS = Path("data/dataset")
DUPLICATES = Path("data/duplicates.csv")
TABLE = "metadata.csv"  # the name that Hugging Face's imagefolder reads


def export(version: str, kind: str, copy: bool, folder: Path, store: ObjectStore) -> int:
    """Exports a dataset version, split by the rule in params.yaml; excluded rows are left out. Returns the number of examples.

    `imagefolder`: DIR/<type>/<class>/<object id>. `csv`: DIR/metadata.csv with the columns file_name, label and split, and the
    files beside it. Files are hard links, or symbolic ones across file systems, unless `copy`. Raises SenguError if the
    version, or an object of it, is not there; then nothing is written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SenguError(f"{folder} is there already, and not empty: choose another folder")
    labels = DATASETS / version / versions.LABELS
    if not labels.is_file():
        here = sorted(path.parent.name for path in DATASETS.glob(f"*/{versions.LABELS}"))
        raise SenguError(f"there is no dataset version {version} (there are {', '.join(here) or 'none'}): run `dvc repro`")
    labelled = tables.read(labels, tables.Label)
    classes = versions.read(DATASETS / version).classes  # those of today's params.yaml may be others
    versions.check(labelled, classes, f"{DATASETS / version / versions.METADATA}")
    rows = split(labelled, tables.read(DUPLICATES, tables.Duplicate), params.section("split", params.Split))
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
