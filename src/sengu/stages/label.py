"""Join sheets and page tags into one label per object, and list the conflicts."""

import logging
from pathlib import Path

from sengu.base import params, tables
from sengu.base.errors import SenguError, run_program
from sengu.base.names import counted
from sengu.base.tables import tombstones
from sengu.labels import merging
from sengu.labels.hints import from_devices, from_tags, without_meaning
from sengu.labels.sheets import sheets
from sengu.labels.words import Known, words

logger = logging.getLogger("label")
SHOWN = 5  # of the tags that mean no class


def check(settings: params.LabelParams, section: str = "label") -> None:
    """Raises SenguError for classes that a sheet could confuse, and for tags without a class."""
    for number, name in enumerate(settings.classes):
        place = f"params.yaml: {section}.classes: {name!r} at position {number}"
        if settings.classes.count(name) > 1:
            raise SenguError(f"{place} appears more than once: remove or rename one")
        if name.isdigit() and name != str(number):
            raise SenguError(f"{place} would be read as the number of a class: rename it")
    for key, values in (("tags", settings.tags), ("devices", settings.devices)):
        for name, value in values.items():
            if value >= len(settings.classes):
                raise SenguError(
                    f"params.yaml: {section}.{key}.{name} is {value}, but there are {len(settings.classes)} classes, from 0"
                )


def main(arguments: list[str]) -> None:
    folder, erased, captures_folder, index_folder, rejected_folder, *outputs = map(Path, arguments)
    section, settings = params.labelling(folder)
    check(settings, section)
    sites = params.site_names()
    captures = tables.read_sites(captures_folder, sites, tables.Capture, only=("urlId", "page", "tags", "device", "filename"))
    index = tables.read_sites(index_folder, sites, tables.IndexRow, only=("objectId", "urlId", "video"))
    rejected = tables.read_sites(rejected_folder, sites, tables.Rejected)
    known = Known.of(captures, index, rejected, tombstones.erased(erased))
    said = words(sheets(folder), known, settings.classes)
    hints = from_tags(captures, index, settings.tags), from_devices(captures, index, settings.devices)
    merged = merging.merge(merging.ranks(said, *hints), settings.disagreement)
    if merged.labels.empty:
        raise SenguError(
            f"none of {index['objectId'].nunique()} objects has a label: put annotation sheets into {folder}, "
            f"or name tags that stand in data/captures under {section}.tags in params.yaml"
        )
    labels, conflicts, details = outputs
    merging.write((labels, conflicts, details), merged)
    left_out = int((merged.conflicts["label"] == "").sum())
    logger.info("%d objects labelled, %d left out because their sources disagree", len(merged.labels), left_out)
    if merged.classless:
        logger.info("%s without a label, since people say that no class fits", counted(len(merged.classless), "object"))
    unused = without_meaning(captures, index, merged.labels["objectId"], settings.tags)
    if len(unused):
        listed = ", ".join(f"{tag} ({count})" for tag, count in unused.head(SHOWN).items())
        more = f" and {len(unused) - SHOWN} other tags" if len(unused) > SHOWN else ""
        logger.info(
            "unlabelled objects have tags that mean no class: %s%s; params.yaml: %s.tags says what a tag means",
            listed,
            more,
            section,
        )


if __name__ == "__main__":
    run_program(main, "SHEETS TOMBSTONES CAPTURES INDEX REJECTED LABEL CONFLICTS DETAILS")
