"""`sengu label why ID`: an object -> every decision about it: by whom, when, how, by which rule, and its outcome."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import click
import pandas as pd

from sengu.base import tables
from sengu.commands import places
from sengu.commands.label.label_set import LabelSet, learned, option, versions
from sengu.commands.objects.find import named
from sengu.labels import merging
from sengu.labels.history import Citations
from sengu.labels.words import MODEL, NO_CLASS, NONE
from sengu.objects.store import ObjectStore


@dataclass(frozen=True)
class Word:
    """A decision about an object, and its outcome."""

    value: str
    by: str
    at: str
    how: str
    rule: str
    text: str  # of the rule, as it was
    source: str
    note: str
    outcome: str


@dataclass(frozen=True)
class Why:
    objectId: str
    label: str
    words: list[Word] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    type: str = ""


@dataclass(frozen=True)
class _Decision:
    """The grounds of a label: each annotator's `latest` word, the `best` rank with a word, and the rule for a conflict.

    `label` is the value that stands, which may be NO_CLASS; NONE if the object was left out, or nobody said anything.
    """

    latest: pd.DataFrame
    best: str
    label: int
    disagreement: str

    def of_word(self, word: pd.Series, is_latest: bool) -> str:
        """The outcome of a decision."""
        if word["how"] == "quiz":
            return "a quiz answer: does not count as a label"
        if not is_latest:
            later = self.latest[self.latest["annotator"] == word["annotator"]].iloc[0]
            return f"replaced by a later decision of {word['annotator']}, {later['sheet']}:{later['line']}"
        if word["value"] == NONE:
            return f"withdraws what {word['annotator']} said before"
        if word["how"] == MODEL and self.best == "sheet":
            return "outranked by people"
        return self.of_value(int(word["value"]))

    def of_value(self, value: int) -> str:
        """The outcome of a value that the best rank gives."""
        if self.label == NONE:
            return f"left out: sources differ, and label.disagreement is {self.disagreement}"
        return "stands" if value == self.label else f"outranked: label.disagreement is {self.disagreement}"


def why(label_set: LabelSet, object_id: str) -> Why:
    """All decisions about an object, the oldest first, and the places that hold its label."""
    words = label_set.words[label_set.words["objectId"] == object_id].sort_values(["time", "sheet", "line"], kind="stable")
    latest = merging.latest(words)
    parts = [rank[rank["objectId"] == object_id] for rank in label_set.ranks]
    merged = merging.merge(parts, label_set.settings.disagreement)
    nothing = NO_CLASS if merged.classless else NONE
    label = int(merged.labels["value"].iloc[0]) if len(merged.labels) else nothing
    best = next((rank for rank, part in zip(merging.RANKS, parts, strict=True) if len(part)), "")
    citations = Citations(label_set.folder, label_set.rules)
    decision = _Decision(latest, best, label, label_set.settings.disagreement)
    said = []
    for row, word in words.iterrows():
        rule, text = _rule(citations, word)
        said.append(
            Word(
                label_set.decision_of(word["value"]), word["annotator"], word["labelledAt"], word["how"], rule, text,
                f"{word['sheet']}:{word['line']}", word["note"], decision.of_word(word, row in latest.index),
            )
        )  # fmt: skip
    for rank, part in zip(merging.RANKS[2:], parts[2:], strict=True):
        for _, hint in part.iterrows():
            outcome = decision.of_value(int(hint["value"])) if rank == best else f"outranked by a {best}"
            how = " ".join([rank, *_tags(label_set, hint)]) if rank == "tag" else rank
            said.append(Word(label_set.class_of(hint["value"]), "", "", how, "", "", hint["source"], "", outcome))
    stands = {name: table.loc[table["objectId"] == object_id, "value"] for name, table in versions(label_set).items()}
    of_versions = {name: label_set.class_of(int(values.iloc[0])) for name, values in stands.items() if len(values)}
    return Why(object_id, label_set.class_of(label), said, of_versions, _type(object_id) if learned(label_set) else "")


def _rule(citations: Citations, word: pd.Series) -> tuple[str, str]:
    """The rule that a decision cites, the rule's present state, and its text at the time."""
    cited = citations.of(word)
    if cited is None:
        return "", ""
    if cited.rule is None:
        return f"{word['rule']} (its text is not in this clone's history)", ""
    dated = ", by the date" if cited.by_date else ""
    state = "as it is now" if cited.is_current else "changed since" if cited.name in citations.current else "deleted since"
    return f"{cited.rule.citation} ({state}{dated})", f"{cited.rule.title}: {' '.join(cited.rule.text.split())}"


def _tags(label_set: LabelSet, hint: pd.Series) -> list[str]:
    """The tags on the page of a hint that mean its class, sorted."""
    seen = label_set.index[label_set.index["objectId"] == hint["objectId"]][["site", "urlId"]]
    captures = label_set.captures[label_set.captures["page"] == hint["source"]].merge(seen, on=["site", "urlId"])
    tags = {tag for cell in captures["tags"] for tag in cell.split("|")}
    return sorted(tag for tag in tags if label_set.settings.tags.get(tag) == hint["value"])


def _type(object_id: str) -> str:
    if not places.SPLIT.is_file():
        return ""
    split = tables.read(places.SPLIT, tables.SplitLabel)
    return "".join(split.loc[split["objectId"] == object_id, "type"].tolist())


@click.command("why")
@click.argument("object_id", metavar="ID")
@option
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(object_id: str, name: str, as_json: bool) -> None:
    """Print who decided the label of the object ID, when, how and by which rule; the beginning of its hash is enough."""
    answer = why(LabelSet.called(name), str(named(object_id, ObjectStore.below(places.TREES))))
    if as_json:
        click.echo(json.dumps(asdict(answer), ensure_ascii=False, indent=2))
        return
    click.echo(f"{answer.objectId}: {answer.label or 'no label'}")
    for word in answer.words:
        _print(asdict(word))
    if not answer.words:
        click.echo("  no decision yet")
    for version, label in answer.versions.items():
        click.echo(f"version {version}: {label}")
    if answer.type:
        click.echo(f"split: {answer.type}")


def _print(word: dict[str, Any]) -> None:
    head = [word["value"], *(part for part in (word["by"] and f"by {word['by']}", word["at"], word["how"]) if part)]
    click.echo(f"  {', '.join(head)} ({word['source']}): {word['outcome']}")
    if word["rule"]:
        click.echo(f"    {word['rule']} {word['text']}".rstrip())
    if word["note"]:
        click.echo(f"    note: {word['note']}")
