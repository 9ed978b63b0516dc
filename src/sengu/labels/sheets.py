"""Annotation sheets -> what people decided."""

import logging
from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from sengu.base.errors import SenguError
from sengu.base.tables import csvfile

SHEET, RULES = ".csv", ".md"

logger = logging.getLogger("label")


def from_sheet(path: Path, known: pd.DataFrame, classes: Sequence[str], erased: Collection[str] = ()) -> pd.DataFrame:
    """objectId, value, source of one annotation sheet, a CSV file with the columns objectId or filename, and value.

    `known` has the columns objectId, filename and video of every object; a value is a class name or its number. The file
    name of a video stands for its frames too. Lines of objects whose SHA-1 is among the `erased` are passed over, and so are
    those without a value, of a sheet that is being filled in or of a picture that shows no class; these are counted in the log.
    Raises SenguError naming the line of an unknown object or value.
    """
    sheet, lines = csvfile.numbered(path)
    key = next((name for name in ("objectId", "filename") if name in sheet), None)
    if key is None or "value" not in sheet:
        raise SenguError(f"{path}:1: columns are {','.join(sheet.columns)}, expected value and one of objectId and filename")
    numbers = {name: number for number, name in enumerate(classes)} | {str(number): number for number in range(len(classes))}
    objects = known[known[key] != ""].groupby(key)["objectId"].unique()
    frames = set(known.loc[known["video"] != "", "objectId"])
    rows = []
    for line, name, value in zip(lines, sheet[key], sheet["value"], strict=True):
        if key == "objectId" and name.partition(".")[0] in erased:
            continue
        if name not in objects:
            raise SenguError(
                f"{path}:{line}: no object has the {key} {name!r}: correct the sheet, or crawl the site it comes from"
            )
        if not value:
            continue
        if value not in numbers:
            raise SenguError(f"{path}:{line}: value {value!r} is no class: expected one of {', '.join(numbers)}")
        several = set(objects[name]) - frames
        if len(several) > 1:
            raise SenguError(f"{path}:{line}: {len(several)} objects have the filename {name!r}: use the column objectId")
        rows += [(object_id, numbers[value], f"{path.name}:{line}") for object_id in objects[name]]
    if without := int((sheet["value"] == "").sum()):
        logger.info("%s: %d lines without a value", path, without)
    return pd.DataFrame(rows, columns=["objectId", "value", "source"]).astype({"value": "int64"})


def sheets(folder: Path) -> list[Path]:
    """The annotation sheets in a folder. Raises SenguError for a file that would go unused, but for rules and hidden ones."""
    if not folder.is_dir():
        raise SenguError(f"{folder} is missing: make the folder of annotation sheets, which may be empty")
    found = []
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or path.suffix == RULES or (path.is_dir() and not path.is_symlink()):
            continue
        if path.suffix != SHEET or path.parent != folder:
            raise SenguError(
                f"{path} would not be read: annotation sheets are named *{SHEET} and lie in {folder} itself; "
                "rename, move or convert it, or take it away"
            )
        found.append(path)
    return found
