"""`sengu label check`: sheets and rules -> their faults, counts of decisions, and agreement between annotators."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd

from sengu.base.atomic import replaced_file
from sengu.base.names import counted
from sengu.base.tables import csvfile
from sengu.commands import places
from sengu.commands.label.label_set import LabelSet, answers, option
from sengu.labels import agreement, checks, quiz


def problems(label_set: LabelSet) -> list[str]:
    """The faults of the sheets and rules of a label set; empty if they are right."""
    return [
        *label_set.looked[1],
        *checks.problems(label_set.words, label_set.merged.labels, label_set.rules, label_set.settings.classes),
    ]


def counts(label_set: LabelSet) -> dict[str, dict[str, int]]:
    """Numbers of decisions in force, by class, annotator, rule and how."""
    standing = label_set.in_force
    by = {"class": standing["value"].map(label_set.decision_of), "annotator": standing["annotator"]}
    by |= {"rule": standing["rule"].replace("", "none"), "how": standing["how"].replace("", "not said")}
    return {
        name: {str(key): int(number) for key, number in cells.value_counts().sort_index().items()} for name, cells in by.items()
    }


def quiz_results(label_set: LabelSet) -> dict[str, list[quiz.Result]]:
    """Annotator -> agreement of their answers to a quiz with the present labels of each predecessor."""
    return quiz.results(label_set.standing, label_set.settings.classes, quiz.folder(label_set.folder))


def _opinions(label_set: LabelSet) -> pd.DataFrame | None:
    """The model's probabilities of every object, if there are any and the model answers the question of the label set."""
    if not places.EMBEDDINGS.is_dir():
        return None
    from sengu import embeddings

    seen = embeddings.read(places.EMBEDDINGS)
    if not answers(seen, label_set):
        return None
    return pd.DataFrame(np.asarray(seen.probabilities), list(seen.objects))


def _write_consensus(path: Path, label_set: LabelSet, labels: pd.DataFrame) -> None:
    label = label_set.merged.labels.set_index("objectId")["value"]
    now = [label_set.class_of(int(label.get(name, -1))) for name in labels["objectId"]]
    columns = [labels["objectId"].tolist(), [""] * len(labels), labels["value"].map(label_set.class_of).tolist(), now]
    with replaced_file(path) as partial:
        quality = [f"{number:.4f}" for number in labels["quality"]]
        csvfile.write(partial, ["objectId", "value", "suggested", "label", "quality"], [*columns, quality])


def _report(
    label_set: LabelSet, wrong: list[str], agreements: dict[str, agreement.Agreement], people: pd.DataFrame | None
) -> None:
    for line in wrong:
        click.echo(line)
    conflicts = label_set.merged.conflicts
    left_out = int((conflicts["label"] == "").sum())
    click.echo(
        f"{counted(len(label_set.words), 'decision')}, {len(label_set.in_force)} of them in force; "
        f"{counted(len(label_set.merged.labels), 'label')}; "
        f"{counted(len(conflicts), 'object')} whose sources differ, {left_out} of them left out"
    )
    for name, numbers in counts(label_set).items():
        click.echo(f"by {name}: " + (", ".join(f"{key} {number}" for key, number in numbers.items()) or "none"))
    click.echo("agreement on pictures labelled blind by two or more (value, 95% intervals):")
    for name, measures in agreements.items():
        if name != "all" and not agreements["all"].pictures:
            continue  # one line says that nothing was measured
        click.echo(
            f"  {name}: {counted(measures.pictures, 'picture')}; raw {measures.raw}; alpha {measures.alpha}; AC1 {measures.ac1}"
        )
    for name, (looks, same) in checks.steadiness(label_set.words).items():
        click.echo(f"{name} labelled {counted(looks, 'picture')} again, {same} of them the same way")
    for name, results in quiz_results(label_set).items():
        for result in results:
            click.echo(f"quiz: {name} {result}")
    if people is not None and len(people) > 1:
        rated = people[people["quality"].notna()]
        rates = [f"{who} {quality:.2f}" for who, quality in zip(rated["annotator"], rated["quality"], strict=True)]
        click.echo("estimated quality of annotators: " + (", ".join(rates) or "undefined: no picture has two annotators"))


@click.command("check")
@option
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.option(
    "--consensus",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a suggested label for each picture that several annotators labelled to this file.",
)
def command(name: str, as_json: bool, consensus: Path | None) -> None:
    """Check sheets and rules together, and measure agreement between annotators; exit with 1 if anything is wrong."""
    label_set = LabelSet.called(name)
    wrong = problems(label_set)
    agreements = checks.agreements(checks.blind(label_set.words), label_set.settings.classes)
    people = None
    standing = label_set.standing[label_set.standing["how"] != "model"]
    if standing["annotator"].nunique() > 1:
        from sengu.labels.consensus import suggest  # cleanlab, which takes seconds

        suggested = suggest(standing, _opinions(label_set))
        people = suggested.annotators
        if consensus is not None:
            _write_consensus(consensus, label_set, suggested.labels)
    if as_json:
        click.echo(json.dumps(_as_json(label_set, wrong, agreements), ensure_ascii=False, indent=2))
    else:
        _report(label_set, wrong, agreements, people)
    if wrong:
        click.echo(counted(len(wrong), "problem"), err=True)
        sys.exit(1)


def _as_json(label_set: LabelSet, wrong: list[str], agreements: dict[str, agreement.Agreement]) -> dict[str, Any]:
    return {
        "problems": wrong,
        "words": len(label_set.words),
        "labels": len(label_set.merged.labels),
        "conflicts": len(label_set.merged.conflicts),
        "counts": counts(label_set),
        "agreement": checks.as_json(agreements),
        "quizzes": {
            name: [asdict(result) for result in results]
            for name, results in quiz.results(
                label_set.standing, label_set.settings.classes, quiz.folder(label_set.folder)
            ).items()
        },
    }
