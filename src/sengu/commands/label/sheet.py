"""`sengu label sheet`: a queue of pictures to look at -> a sheet to fill in."""

import csv
from pathlib import Path

import click
import numpy as np

from sengu.base import tables
from sengu.base.atomic import replaced_file
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.base.names import counted
from sengu.base.tables import where
from sengu.commands import places
from sengu.commands.label.label_set import LabelSet, answers, learned, option
from sengu.commands.label.rules import changed
from sengu.labels import merging, queues, suggestions
from sengu.labels.ledger import UNDONE
from sengu.labels.sheets import COLUMNS
from sengu.labels.words import NONE
from sengu.objects.store import ObjectStore

# queues of pictures without any decision
UNLABELLED = ("random", "site", "tag", "device", "date", "uncertain", "far", "class", "groups")
QUEUES = (*UNLABELLED, "suspect", "disagreement", "rule-changed")
MONTH = len("2026-11")
LABEL_ERRORS = Path("reports/label_errors.csv")


def queue(label_set: LabelSet, kind: str, annotator: str, again: bool, value: int = 0) -> list[str]:
    """The objects of a queue, in the order in which to ask for them; `value` is the class of the queue `class`."""
    if kind == "disagreement":
        return [str(name) for name in label_set.merged.conflicts["objectId"]]
    if kind == "rule-changed":
        return sorted({name for rule in changed(label_set) for name in rule.objects})
    if kind == "suspect":
        return _suspect(label_set)
    names = queues.shuffled(_unseen(label_set, annotator, again))
    if kind in ("uncertain", "class", "far"):
        return _by_model(label_set, kind, names, value)
    if kind == "groups":
        return _groups(names)
    if kind == "site":
        sites = label_set.index.groupby("objectId")["site"].unique()
        return queues.in_turn(names, {str(name): list(of_it) for name, of_it in sites.items()})
    if kind in ("tag", "device", "date"):
        column = {"tag": "tags", "device": "device", "date": "taken"}[kind]
        return queues.in_turn(names, _belongs(label_set, column))
    return names


def _belongs(label_set: LabelSet, column: str) -> dict[str, list[str]]:
    """Object id -> its tags or devices, or the months in which it was taken or, if that is unknown, fetched."""
    captures = label_set.captures
    if column == "taken":
        captures = captures.assign(taken=captures["taken"].where(captures["taken"] != "", captures["fetched"]).str[:MONTH])
    seen = label_set.index[["site", "urlId", "objectId"]].merge(captures[["site", "urlId", column]], on=["site", "urlId"])
    joined = seen[seen[column] != ""].groupby("objectId")[column].agg("|".join)
    return {str(name): sorted(set(text.split("|"))) for name, text in joined.items()}


def _groups(names: list[str]) -> list[str]:
    """One picture of each group of near-duplicates without any decision."""
    if not places.DUPLICATES.is_file():
        raise SenguError(f"{places.DUPLICATES} is missing: run `dvc repro duplicates`, or `dvc pull`")
    duplicates = tables.read(places.DUPLICATES, tables.Duplicate)
    group_of = dict(zip(duplicates["objectId"], duplicates["group"], strict=True))
    first: dict[str, str] = {}
    for name in names:
        if name in group_of:
            first.setdefault(group_of[name], name)
    return list(first.values())


def _unseen(label_set: LabelSet, annotator: str, again: bool) -> set[str]:
    """Pictures without a label and without a line in any sheet; with `again`, those without a line by this annotator."""
    pictures = {name for name in label_set.index["objectId"].unique() if not ObjectId.parse(name).is_video}
    standing = merging.latest(label_set.words)
    is_undone = (standing["value"] == NONE) & (standing["how"] == "") & standing["note"].str.startswith(UNDONE)
    standing = standing[~is_undone]  # a slip on the labelling page says nothing of the picture
    if again:
        return pictures - set(standing.loc[standing["annotator"] == annotator, "objectId"])
    return pictures - set(label_set.merged.labels["objectId"]) - set(standing["objectId"])


def _suspect(label_set: LabelSet) -> list[str]:
    """Labels that confident learning considers wrong, the most doubtful first, if the object still has that label."""
    if not LABEL_ERRORS.is_file():
        raise SenguError(f"{LABEL_ERRORS} is missing: run `dvc repro label_errors`, or `dvc pull`")
    if not learned(label_set):
        raise SenguError(f"{LABEL_ERRORS} is of another label set: choose another queue than suspect for {label_set.folder}")
    ranked = tables.read(LABEL_ERRORS, tables.LabelError)
    labels = label_set.merged.labels.set_index("objectId")["value"]
    ranked = ranked[ranked["suspect"] == "yes"]
    return [name for name, value in zip(ranked["objectId"], ranked["value"], strict=True) if labels.get(name) == value]


def _by_model(label_set: LabelSet, kind: str, names: list[str], value: int) -> list[str]:
    """Objects that the model has seen: the least certain first, or the likeliest of a class, or the farthest from any label."""
    from sengu import embeddings

    model = embeddings.read(places.EMBEDDINGS)
    if kind != "far" and not answers(model, label_set):
        raise SenguError(
            f"the model in {places.EMBEDDINGS} does not know the classes of {label_set.folder} "
            f"({', '.join(label_set.settings.classes)}): choose another queue than {kind}, or train it on them"
        )
    row_of = {name: row for row, name in enumerate(model.objects)}
    known = [name for name in names if name in row_of]
    if not known:
        return []
    rows = np.array([row_of[name] for name in known], np.int64)
    if kind == "far":
        labelled = [row_of[name] for name in label_set.merged.labels["objectId"] if name in row_of]
        weights = embeddings.distances(rows, np.array(labelled, np.int64), model.vectors)
    elif kind == "class":
        weights = np.asarray(model.probabilities[rows, value])
    else:
        weights = suggestions.uncertainty(np.asarray(model.probabilities)[rows])
    return [known[row] for row in np.argsort(-weights, kind="stable")]


def meeting(label_set: LabelSet, names: list[str], condition: str) -> list[str]:
    """Objects that meet a condition on the columns of index, captures and labels; `label` is the class, as of a version."""
    details = label_set.merged.details
    details = details.assign(label=np.array(label_set.settings.classes, dtype=object)[details["value"]])
    details = details[[name for name in details if name == "objectId" or name not in label_set.captures]]  # both know a subject
    table = where.joined([label_set.index, label_set.captures, details], ("site", "urlId", "objectId"))
    meeting = set(table.loc[where.parse(condition).of(table), "objectId"])
    return [name for name in names if name in meeting]


@click.command("sheet")
@option
@click.option("--queue", "kind", type=click.Choice(QUEUES), default="random", show_default=True, help="The pictures to choose.")
@click.option("-n", "number", type=click.IntRange(min=1), default=200, show_default=True, help="How many pictures.")
@click.option(
    "--where", "condition", default="", help="Only pictures that meet a condition, such as \"site == 'x' and width > 224\"."
)
@click.option("--class", "class_name", default="", help="The class of the queue `class`.")
@click.option("--annotator", default="", help="The annotator who fills it in.")
@click.option("--again", is_flag=True, help="Also ask for pictures that others labelled, to measure agreement.")
@click.option("--rule", "rule_name", default="", help="Cite this rule in every line, such as R3.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), default=Path("sheet.csv"), show_default=True, help="What to write."
)
def command(
    name: str, kind: str, number: int, condition: str, class_name: str, annotator: str, again: bool, rule_name: str, out: Path
) -> None:
    """Write a sheet to fill in: one line for each picture of a queue, without its label, so that the annotator is not influenced.

    \b
    random        pictures without a label, at random
    site, tag     the same, one of each site or page tag in turn
    device, date  the same, one of each device or month in turn
    uncertain     pictures without a label, those the model is least certain about first
    far           pictures without a label, those least like any labelled one first
    class         pictures without a label, those most likely to be of --class first
    groups        the same, one of each group of near-duplicates
    suspect       labels that confident learning doubts
    disagreement  objects whose annotators or tags differ
    rule-changed  labels made under an older text of their rule
    """
    if out.exists():
        raise SenguError(f"{out} already exists, and may be filled in: move it away, or name another with --out")
    if again and not annotator:
        raise SenguError("--again needs --annotator: what that person has said is left out")
    label_set = LabelSet.called(name)
    citation = ""
    if rule_name:
        if rule_name.upper() not in label_set.rules:
            raise SenguError(f"there is no rule {rule_name}: the rules are {', '.join(label_set.rules) or 'none'}")
        citation = label_set.rules[rule_name.upper()].citation
    if kind == "class" and not class_name:
        raise SenguError(f"the queue class needs --class, one of {', '.join(label_set.settings.classes)}")
    names = queue(label_set, kind, annotator, again, label_set.value_of(class_name) if class_name else 0)
    if condition:
        names = meeting(label_set, names, condition)
    if not names:
        more = "" if again else ", or ask with --again --annotator NAME for pictures that others labelled"
        raise SenguError(f"the queue {kind} is empty{', with this condition' if condition else ''}: try another{more}")
    said = set(label_set.words.loc[label_set.words["annotator"] == annotator, "objectId"])
    store = ObjectStore.below(places.TREES)
    lines = [
        [
            picture,
            "",
            annotator,
            "",
            citation,
            "repeat" if picture in said else "blind",
            "",
            str(store.sources(ObjectId.parse(picture))[0]),
        ]
        for picture in names[:number]
    ]
    with replaced_file(out) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*COLUMNS, "file"])
        writer.writerows(lines)
    few = f", though you asked for {number}: the queue has no more" if len(lines) < number else ""
    if few and not again:
        few += "; --again --annotator NAME also asks for pictures that others labelled"
    who = annotator or "YOU"
    click.echo(
        f"{out}: {counted(len(lines), 'picture')}{few}; fill in the values, then run `sengu label import {out} --annotator {who}`"
    )
