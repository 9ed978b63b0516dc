"""Join annotation sheets and page tags into one label per object, and list the objects whose sources disagree."""

import logging
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from sengu.base import params, tables
from sengu.base.errors import SenguError, run_program
from sengu.base.tables import tombstones
from sengu.labels.sheets import from_sheet, sheets

logger = logging.getLogger("label")


def label(*ranks: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labels and conflicts, from frames with the columns objectId, value and source, the highest rank first.

    An annotation outranks every tag, and a tag outranks the default of a device. An object whose
    best sources give more than one value is left out and listed.
    """
    sources = ranks[0]
    for rank in ranks[1:]:
        sources = pd.concat([sources, rank[~rank["objectId"].isin(sources["objectId"])]], ignore_index=True)
    values = sources.groupby("objectId")["value"].nunique()
    disputed = sources["objectId"].isin(values.index[values > 1])
    labels = sources.loc[~disputed, ["objectId", "value"]].drop_duplicates()
    conflicts = (
        sources[disputed]
        .groupby("objectId")
        .agg(
            values=("value", lambda v: "|".join(str(value) for value in sorted(set(v)))),
            sources=("source", lambda s: "|".join(sorted(set(s)))),
        )
        .reset_index()
        .astype("str")  # of no row at all pandas cannot tell
    )
    return labels, conflicts


def from_tags(captures: pd.DataFrame, index: pd.DataFrame, tags: Mapping[str, int]) -> pd.DataFrame:
    """objectId, value, source for every listed tag of every page on which an object was seen."""
    seen = index[["site", "objectId", "urlId"]].merge(captures[["site", "urlId", "page", "tags"]], on=["site", "urlId"])
    single = seen.assign(tag=seen["tags"].str.split("|")).explode("tag")
    single = single[single["tag"].isin(list(tags))]
    return pd.DataFrame(
        {"objectId": single["objectId"], "value": single["tag"].map(tags).astype("int64"), "source": single["page"]}
    ).drop_duplicates()


def from_devices(captures: pd.DataFrame, index: pd.DataFrame, devices: Mapping[str, int]) -> pd.DataFrame:
    """objectId, value, source for every object that a listed device took."""
    seen = index[["site", "objectId", "urlId"]].merge(captures[["site", "urlId", "device"]], on=["site", "urlId"])
    seen = seen[seen["device"].isin(list(devices))]
    return pd.DataFrame(
        {"objectId": seen["objectId"], "value": seen["device"].map(devices).astype("int64"), "source": seen["device"]}
    ).drop_duplicates()


def check(settings: params.LabelParams) -> None:
    """Raises SenguError for classes that a sheet could mistake for one another, and for tags of no class."""
    for number, name in enumerate(settings.classes):
        if settings.classes.count(name) > 1 or (name.isdigit() and name != str(number)):
            raise SenguError(f"params.yaml: label.classes: {name!r} at position {number} stands twice or reads as another value")
    for key, values in (("tags", settings.tags), ("devices", settings.devices)):
        for name, value in values.items():
            if value >= len(settings.classes):
                raise SenguError(
                    f"params.yaml: label.{key}.{name} is {value}, but there are {len(settings.classes)} classes, from 0"
                )


def main(arguments: list[str]) -> None:
    sheets_folder, erased_path, captures_folder, index_folder, labels_path, conflicts_path = map(Path, arguments)
    settings = params.section("label", params.LabelParams)
    check(settings)
    annotations = sheets(sheets_folder)
    sites = params.site_names()
    captures = tables.read_sites(captures_folder, sites, tables.Capture)
    index = tables.read_sites(index_folder, sites, tables.IndexRow)
    known = index[["site", "objectId", "urlId", "video"]].merge(captures[["site", "urlId", "filename"]], on=["site", "urlId"])
    erased = tombstones.erased(erased_path)
    annotated = [from_sheet(path, known, settings.classes, erased) for path in annotations]
    nothing = pd.DataFrame({"objectId": [], "value": [], "source": []}).astype({"objectId": "str", "value": "int64"})
    labels, conflicts = label(
        pd.concat([nothing, *annotated]),
        from_tags(captures, index, settings.tags),
        from_devices(captures, index, settings.devices),
    )
    if labels.empty:
        raise SenguError(
            f"none of {index['objectId'].nunique()} objects has a label: put annotation sheets into {sheets_folder}, "
            "or name tags that stand in data/captures under label.tags in params.yaml"
        )
    tables.write(labels_path, labels, tables.Label)
    tables.write(conflicts_path, conflicts, tables.Conflict)
    logger.info("%d objects labelled, %d left out because their sources disagree", len(labels), len(conflicts))


if __name__ == "__main__":
    run_program(main, "SHEETS TOMBSTONES CAPTURES INDEX LABEL CONFLICTS")
