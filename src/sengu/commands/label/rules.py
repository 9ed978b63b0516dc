"""`sengu label rules`: the rules; with --changed, the labels made under an old text of a rule, and their uses."""

import csv
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click
import pandas as pd

from sengu.base import tables
from sengu.base.atomic import replaced_file
from sengu.base.errors import SenguError
from sengu.base.names import counted
from sengu.commands import places
from sengu.commands.label.label_set import LabelSet, learned, option, versions
from sengu.datasets import history, tags
from sengu.labels import rules
from sengu.labels.history import Citations
from sengu.labels.sheets import COLUMNS
from sengu.repository.git import ask

RELEASES = "classifier@v*"  # tags


@dataclass(frozen=True)
class Outdated:
    """The labels that were made under an old text of a rule, and where they are used."""

    rule: str
    objects: list[str]
    versions: dict[str, int] = field(default_factory=dict)  # name -> how many of the labels it holds
    releases: list[str] = field(default_factory=list)
    of_test: int = 0
    test: int = 0  # pictures in the test split


def changed(label_set: LabelSet) -> list[Outdated]:
    """Objects whose standing decisions cite the old text of a rule, for each rule that was edited or deleted."""
    citations = Citations(label_set.folder, label_set.rules)
    old: dict[str, set[str]] = {}
    for _, word in label_set.standing[label_set.standing["rule"] != ""].iterrows():
        cited = citations.of(word)
        if cited is not None and not cited.is_current:
            old.setdefault(cited.name, set()).add(word["objectId"])
    labels = versions(label_set)
    released = releases()
    test = _test() if learned(label_set) else set()
    answers = []
    for name in sorted(old, key=lambda rule: int(rule[1:])):
        objects = old[name]
        held = {version: int(table["objectId"].isin(objects).sum()) for version, table in labels.items()}
        held = {version: number for version, number in held.items() if number}
        using = [f"{tag} (of version {version})" for tag, version in released.items() if version in held]
        answers.append(Outdated(name, sorted(objects), held, using, len(test & objects), len(test)))
    return answers


def releases() -> dict[str, str]:
    """Tag -> the dataset version that the released model was trained on, from the dvc.lock of the tag."""
    entries = {
        tag: tags.lock_entry(tags.text_at(tag, history.LOCK), "split") for tag in ask("tag", "--list", RELEASES).splitlines()
    }
    return {tag: name for tag, entry in entries.items() if (name := history.trained_on(entry))}


def _test() -> set[str]:
    if not places.SPLIT.is_file():
        return set()
    split = tables.read(places.SPLIT, tables.SplitLabel)
    return set(split.loc[split["type"] == "test", "objectId"])


def _write(path: Path, outdated: list[Outdated], label_set: LabelSet) -> None:
    if path.exists():
        raise SenguError(f"{path} already exists, and may be filled in: move it away, or name another with --out")
    with replaced_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for edit in outdated:
            citation = label_set.rules[edit.rule].citation if edit.rule in label_set.rules else ""
            writer.writerows([name, "", "", "", citation, "blind", ""] for name in edit.objects)


def _show_rules(label_set: LabelSet) -> None:
    cited = label_set.standing["rule"].str.partition("@")[0] if len(label_set.standing) else pd.Series(dtype="str")
    numbers = cited.value_counts()
    for rule in label_set.rules.values():
        words = int(numbers.get(rule.name, 0))
        click.echo(
            f"{rule.citation}  {rule.title}: cited by {counted(words, 'decision')}, {counted(len(rule.examples), 'example')}"
        )
    for name in sorted(set(numbers.index) - set(label_set.rules) - {""}):
        click.echo(f"{name}  is not in {label_set.folder / rules.FILE}: cited by {counted(numbers[name], 'decision')}")
    if not label_set.rules:
        click.echo(f"{label_set.folder / rules.FILE} has no numbered rule: write one under a heading such as `## R1 Dots`")


@click.command("rules")
@option
@click.option("--changed", "only_changed", is_flag=True, help="List the labels made under an old text of a rule.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="With --changed: write them as a sheet to relabel.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(name: str, only_changed: bool, out: Path | None, as_json: bool) -> None:
    """List the rules as sheets cite them; with --changed, the labels to review after an edit of a rule."""
    label_set = LabelSet.called(name)
    if not only_changed:
        if as_json:
            click.echo(json.dumps([asdict(rule) | {"citation": rule.citation} for rule in label_set.rules.values()], indent=2))
        else:
            _show_rules(label_set)
        return
    outdated = changed(label_set)
    if out is not None and outdated:
        _write(out, outdated, label_set)
    if as_json:
        click.echo(json.dumps([asdict(edit) for edit in outdated], indent=2))
        return
    for edit in outdated:
        now = label_set.rules.get(edit.rule)
        click.echo(f"{edit.rule}: {counted(len(edit.objects), 'label')} made under {'another' if now else 'a deleted'} text")
        for object_id in edit.objects:
            click.echo(f"  {object_id}")
        click.echo("  in versions: " + (", ".join(f"{key} ({number})" for key, number in edit.versions.items()) or "none"))
        click.echo("  in released models: " + (", ".join(edit.releases) or "none"))
        share = f"{edit.of_test / edit.test:.1%}" if edit.test else "undefined, there is no split"
        click.echo(f"  in the test split: {edit.of_test} of {edit.test} ({share})")
    if not outdated:
        click.echo("every label that cites a rule was made under its present text")
    elif out is not None:
        click.echo(f"{out}: fill in the values, and add them with `sengu label import {out} --annotator YOU`")
