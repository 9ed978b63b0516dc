"""Merge, filter and clean labels by a recipe into a dataset version: flat, complete tables and what is known of them."""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sengu.base import params, tables
from sengu.base.atomic import replaced_folder
from sengu.base.errors import SenguError, run_program
from sengu.base.ids import ObjectId
from sengu.base.names import counted
from sengu.base.tables import csvfile, tombstones, versions, where
from sengu.datasets import croissant, facts, merging, quality, recipe, samples, usage
from sengu.datasets.recipe import Recipe
from sengu.labels import checks
from sengu.labels import merging as label_merging
from sengu.labels.sheets import sheets
from sengu.labels.words import NO_CLASS, Known, look
from sengu.objects.store import ObjectStore

logger = logging.getLogger("dataset")

MODEL = "model"  # a source in data/label_details.csv

Stays = Callable[[pd.DataFrame], np.ndarray]


@dataclass(frozen=True)
class Archived:
    """The tables of all sites, and the SHA-1s of erased objects."""

    index: pd.DataFrame
    captures: pd.DataFrame
    erased: frozenset[str]

    @classmethod
    def read(cls, made: Recipe, sites: list[str]) -> "Archived":
        index = tables.read_sites(made.index, sites, tables.IndexRow)
        captures = tables.read_sites(made.captures, sites, tables.Capture)
        return cls(index, captures, tombstones.erased(made.erased))


def sources(made: Recipe, archived: Archived) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """The tables that a version is merged from, by the name of the parent or `labels`, and their common classes.

    In the table of `labels`, an object of which people say that no class fits has the value NO_CLASS if a parent has it.
    """
    labels_of, classes = {}, {}
    for parent in made.parents:
        if not (parent / versions.LABELS).is_file():
            raise SenguError(f"{made.name}: parent {parent} is missing: run `dvc repro`, or `dvc pull` if someone else made it")
        classes[parent.name] = versions.read(parent).classes
        labels_of[parent.name] = tables.read(parent / versions.LABELS, tables.Label)
    if made.labels is not None:
        labels = tables.read(made.labels, tables.Label)
        classes[recipe.LABELS] = params.labelling(made.labels.parent)[1].classes
        labels_of[recipe.LABELS] = labels
    first, *others = classes
    for other in others:
        if classes[other] != classes[first]:
            raise SenguError(
                f"{made.name}: {first} has the classes {', '.join(classes[first])}, but {other} has {', '.join(classes[other])}: "
                "versions can be merged if their classes are the same, in the same order"
            )
    for name, labels in labels_of.items():
        versions.check(labels, classes[first], f"label.classes in params.yaml (as of {name})")
    if made.extend:
        labels_of[recipe.LABELS] = extension(made, archived, labels_of, classes[first])
    return labels_of, classes[first]


def extension(made: Recipe, archived: Archived, labels_of: dict[str, pd.DataFrame], classes: list[str]) -> pd.DataFrame:
    """The current labels of the objects that --extend names, and NO_CLASS for those of a parent to which no class fits."""
    labels = labels_of[recipe.LABELS]
    words = said(made, classes, archived)
    assert made.labels is not None  # `recipe.check` saw to it
    disagreement = params.labelling(made.labels.parent)[1].disagreement
    without = set() if words is None else set(label_merging.classless(words, disagreement))
    without -= set(labels["objectId"])
    objects = added(made, archived.index, set(labels["objectId"]) | without)
    inherited = set().union(*(labels_of[parent.name]["objectId"] for parent in made.parents))
    taken_out = sorted(without & objects & inherited)
    decided = pd.DataFrame({"objectId": pd.array(taken_out, dtype="str"), "value": NO_CLASS})
    extending = labels[tables.among(labels["objectId"], pd.Series(sorted(objects), dtype="str"))]
    return pd.concat([extending, decided], ignore_index=True)


def machines(made: Recipe) -> dict[str, Collection[str]]:
    """The objects whose label a model gave, by the name of the parent or `labels`."""
    by_machine: dict[str, Collection[str]] = {parent.name: versions.labelled_by_models(parent) for parent in made.parents}
    if made.details is not None:
        details = tables.read(made.details, tables.LabelDetail)
        by_machine[recipe.LABELS] = details.loc[details["source"] == MODEL, "objectId"].tolist()
    elif made.labels is not None:
        logger.warning(
            "%s: nothing says which labels a model gave, so all count as given by people, also in the test: add `--details %s` "
            "to its command, and that file to its deps",
            made.name,
            made.labels.parent / recipe.DETAILS,
        )
    return by_machine


def said(made: Recipe, classes: list[str], archived: Archived) -> pd.DataFrame | None:
    """The decisions in the sheets; None without sheets."""
    if made.sheets is None:
        return None
    nothing = tables.empty(tables.Rejected).assign(site="")  # the stage `label` reports wrong lines
    words, _ = look(sheets(made.sheets), Known.of(archived.captures, archived.index, nothing, archived.erased), classes)
    return words


def described(made: Recipe, words: pd.DataFrame | None, classes: list[str]) -> facts.Words:
    """Facts about these decisions, and how far the annotators who labelled blind agree."""
    if made.sheets is None or words is None:
        return facts.Words()
    blind = checks.blind(words)
    measured = checks.agreements(blind, classes) if len(blind) else {}
    return facts.of_words(words, made.sheets, {made.name: checks.as_json(measured)} if measured else {})


def added(made: Recipe, index: pd.DataFrame, known: set[str]) -> set[str]:
    """The `known` objects that --extend names. Raises SenguError for a sheet or site that is not there or adds nothing."""
    objects: set[str] = set()
    for entry in made.extend:
        if entry in made.extending:
            ids = set(listed(Path(entry), index))
        elif (index["site"] == entry).any():
            ids = set(index.loc[index["site"] == entry, "objectId"])
        else:
            sites = ", ".join(sorted(index["site"].unique()))
            raise SenguError(f"{made.name}: --extend {entry}: no sheet (*.csv) and no site: the sites are {sites}")
        if not ids & known:
            raise SenguError(
                f"{made.name}: --extend {entry} adds nothing: none of its {len(ids)} objects has a label in {made.labels}"
            )
        objects |= ids & known
    return objects


def listed(path: Path, index: pd.DataFrame) -> list[str]:
    """The objects in the column objectId of a CSV file. Raises SenguError for one that no index has."""
    sheet, lines = csvfile.numbered(path)
    if "objectId" not in sheet:
        raise SenguError(f"{path}:1: columns are {','.join(sheet.columns)}, expected objectId among them")
    by_sha1 = {name.partition(".")[0]: name for name in index["objectId"].unique()}
    objects = []
    for line, cell in zip(lines, sheet["objectId"], strict=True):
        name = by_sha1.get(cell.strip().lower().partition(".")[0])
        if name is None and cell.strip():
            ObjectId.parse(cell.strip().lower())
            logger.warning("%s:%d: %s is in no index: ignored", path, line, cell)
        elif name is not None:
            objects.append(name)
    return objects


def steps(made: Recipe, classes: list[str], archived: Archived) -> list[tuple[str, Stays]]:
    """The steps by which the recipe takes objects out."""
    index, captures, erased = archived.index, archived.captures, archived.erased
    parts: list[tuple[str, Stays]] = []
    parts.append(("erased", lambda labels: ~labels["objectId"].str.partition(".")[0].isin(erased).to_numpy(dtype=bool)))
    if made.where:
        text = made.where
        parts.append(
            (f"where {text}", lambda labels: merging.only(merging.meeting(text, index, captures, labels, classes))(labels))
        )
    for path in made.exclude:
        parts.append((f"exclude {path}", merging.without(listed(path, index))))
    store = ObjectStore.below(made.objects)
    sizes = index.drop_duplicates("objectId").set_index("objectId")[["width", "height", "bytes"]]
    for entry in made.clean:
        parts.append((f"clean {entry}", cleaning(entry, made, sizes, store)))
    return parts


def cleaning(entry: str, made: Recipe, sizes: pd.DataFrame, store: ObjectStore) -> Stays:
    """The step of one part of --clean."""
    name, limit = recipe.limit(entry)
    if name == "small":
        shorter = sizes[["width", "height"]].min(axis=1)
        return lambda labels: ~(labels["objectId"].map(shorter) < limit).to_numpy(dtype=bool)
    if name not in ("duplicates", "near-duplicates"):
        return lambda labels: merging.without(
            [
                picture.objectId
                for picture in quality.measure_all(labels["objectId"].tolist(), store)
                if picture.fails(name, limit)
            ]
        )(labels)
    assert made.duplicates is not None  # `recipe.check` saw to it
    groups = tables.read(made.duplicates, tables.Duplicate)
    if name == "near-duplicates":
        return lambda labels: merging.largest(labels, tables.groups(labels["objectId"], groups), sizes)

    def same_pixels(labels: pd.DataFrame) -> np.ndarray:
        grouped = labels.loc[labels["objectId"].isin(groups["objectId"]), "objectId"].tolist()
        digests = pd.Series({picture.objectId: picture.digest for picture in quality.measure_all(grouped, store)}, dtype="str")
        return merging.largest(labels, labels["objectId"].map(digests).fillna(labels["objectId"]), sizes)

    return same_pixels


def seen(labels: pd.DataFrame, classes: list[str], archived: Archived) -> pd.DataFrame:
    """A row per label and place where the object was seen; an object in no index has one row with empty cells."""
    index, captures = archived.index, archived.captures
    rows = labels.assign(label=np.array(classes, dtype=object)[labels["value"]])
    own = index[tables.among(index["objectId"], labels["objectId"])]
    known = where.joined([own, captures[tables.among(captures["urlId"], own["urlId"])]], ("site", "urlId"))
    return where.joined([rows, known], ("objectId",))


def subjects(
    rows: pd.DataFrame, parents: tuple[Path, ...], labels: pd.DataFrame, words: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The objectId and subject of objects with a known subject, sorted; sheets take precedence over parents and captures."""
    subjects_of = [words.loc[words["subject"] != "", ["objectId", "subject"]]] if words is not None else []
    subjects_of += [csvfile.read(path) for parent in parents if (path := parent / facts.SUBJECTS).is_file()]
    if "subject" in rows:  # a picture may be at several places
        captured = rows.loc[rows["subject"] != "", ["objectId", "subject"]]
        subjects_of.append(captured.sort_values(["objectId", "subject"]))
    table = pd.concat([pd.DataFrame({"objectId": [], "subject": []}, dtype="str"), *subjects_of])
    table = table[tables.among(table["objectId"], labels["objectId"])]
    return table.drop_duplicates("objectId").sort_values("objectId")


def write(made: Recipe, archived: Archived, folder: Path) -> int:
    """Fills the folder of a version; returns its number of rows."""
    labels_of, classes = sources(made, archived)
    merged = merging.merge(labels_of, made.prefer, classes, made.name)
    labels, done = merging.compose(merged, steps(made, classes, archived))
    if without := len(set().union(*(table["objectId"] for table in labels_of.values()))) - len(merged):
        logger.info("%s: %s left out, since people say that no class fits", made.name, counted(without, "object"))
        done.insert(0, merging.Step("no class fits", len(merged) + without, len(merged)))
    merging.check(labels, classes, made.name, done)
    rows = seen(labels, classes, archived)
    words_of_all = said(made, classes, archived)
    spoken = None if words_of_all is None else words_of_all[tables.among(words_of_all["objectId"], labels["objectId"])]
    own = described(made, spoken, classes)
    words = facts.inherited(made.parents, own) if made.parents else own
    known = facts.describe(made, facts.lineage(made.parents), done, rows, words)
    version = versions.describe(made.name, classes, labels, [parent.name for parent in made.parents])
    tables.write(folder / versions.LABELS, labels, tables.Label)
    of_whom = subjects(rows, made.parents, labels, spoken)
    if len(of_whom):
        known.counts["subjects"] = int(of_whom["subject"].nunique())
        csvfile.write(folder / facts.SUBJECTS, ["objectId", "subject"], [of_whom[name].tolist() for name in of_whom])
    by_models = labels.loc[merging.by_models(labels, labels_of, machines(made)).to_numpy(), ["objectId"]]
    if len(by_models):
        known.counts["labelled_by_models"] = len(by_models)
        csvfile.write(folder / versions.MODELS, ["objectId"], [by_models["objectId"].tolist()])
    (folder / versions.METADATA).write_text(facts.document(version, known), encoding="utf-8")
    (folder / croissant.NAME).write_text(croissant.document(version, known, folder), encoding="utf-8")
    draw_plots(labels, classes, rows, folder)
    in_index = tables.among(labels["objectId"], rows.loc[rows["site"] != "", "objectId"])
    here = labels.loc[in_index & ~labels["objectId"].str.partition(".")[0].isin(archived.erased), "objectId"]
    draw_sheets(made, labels, classes, here, folder)
    return len(labels)


def draw_plots(labels: pd.DataFrame, classes: list[str], rows: pd.DataFrame, folder: Path) -> None:
    """Draws the pictures by class, and by size."""
    samples.draw_classes(
        [int((labels["value"] == value).sum()) for value in range(len(classes))], classes, folder / samples.CLASSES
    )
    samples.draw_sizes(rows.drop_duplicates("objectId"), folder / samples.SIZES)


def draw_sheets(made: Recipe, labels: pd.DataFrame, classes: list[str], here: pd.Series, folder: Path) -> None:
    """Draws a contact sheet for each class, of pictures that are `here`, object ids."""
    store = ObjectStore.below(made.objects)
    drawable = labels[tables.among(labels["objectId"], here)]
    for value, name in enumerate(classes):
        ids = samples.pick(drawable, value, samples.PER_CLASS)
        count = int((labels["value"] == value).sum())
        samples.draw_sheet(f"{made.name}: {name}, {len(ids)} of {count}", ids, store, folder / samples.sheet_name(value))


def main(arguments: list[str]) -> None:
    made = recipe.parse(arguments)
    archived = Archived.read(made, params.site_names())
    with replaced_folder(made.version) as folder:
        count = write(made, archived, folder)
        usage.refuse_other_labels(made.name, folder)
    logger.info("%s: %d rows", made.name, count)


if __name__ == "__main__":
    run_program(main, "VERSION OPTION…")
