"""A predecessor's labels -> a blind quiz for a successor, and how far the two agree; answers are kept beside the sheets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sengu.labels import sheets
from sengu.labels.queues import shuffled

FOLDER = Path("quiz")  # of the main label set
NUMBER = 50
COLUMNS = ["annotator", "objectId", "value", "rule", "note"]
OF = "labels of "  # and a name: the note of an answer


@dataclass(frozen=True)
class Disagreement:
    """A picture on which the two differ, with the rule and note of the predecessor."""

    objectId: str
    value: str
    theirs: str
    rule: str
    note: str


@dataclass(frozen=True)
class Result:
    """The result of a quiz: how many of `pictures` both called the same, and the share with its 95% interval (Wilson)."""

    predecessor: str
    pictures: int
    agreed: int
    low: float
    high: float
    differing: tuple[Disagreement, ...]

    def __str__(self) -> str:
        share = f"{self.agreed / self.pictures:.1%} ({self.low:.1%} to {self.high:.1%})" if self.pictures else "undefined"
        return f"agrees with {self.predecessor} on {self.agreed} of {self.pictures} pictures, {share}"


def folder(sheets: Path) -> Path:
    """The folder of a label set's answers: quiz/ for labels/, quiz_NAME/ for labels_NAME/."""
    return sheets.with_name(f"quiz{sheets.name.removeprefix('labels')}")


def draw(labelled: Mapping[str, str], seed: int, number: int = NUMBER) -> list[str]:
    """Draws labelled pictures, as many of each class as there are, in random order."""
    of_class: dict[str, list[str]] = {}
    for name in shuffled(labelled, seed):
        of_class.setdefault(labelled[name], []).append(name)
    drawn: list[str] = []
    while len(drawn) < number and any(of_class.values()):
        for names in of_class.values():
            if names and len(drawn) < number:
                drawn.append(names.pop())
    return shuffled(drawn, seed + 1)


def result(predecessor: str, answers: Mapping[str, str], said: Mapping[str, Mapping[str, str]]) -> Result:
    """Compares answers, object id -> class, with the predecessor's words: object id -> value, rule and note."""
    both = [name for name in answers if name in said]
    differing = tuple(
        Disagreement(name, answers[name], said[name]["value"], said[name]["rule"], said[name]["note"])
        for name in both
        if answers[name] != said[name]["value"]
    )
    agreed = len(both) - len(differing)
    if not both:
        return Result(predecessor, 0, 0, 0.0, 1.0, ())
    from scipy.stats import binomtest  # takes a second to load, and few commands come here

    limits = binomtest(agreed, len(both)).proportion_ci(method="wilson")
    return Result(predecessor, len(both), agreed, float(limits.low), float(limits.high), differing)


def answers(path: Path, classes: Sequence[str]) -> dict[str, dict[str, str]]:
    """Predecessor -> object id -> the class that was answered last, of an annotator's file of answers."""
    table, _, _ = sheets.cells(path)
    answers_to: dict[str, dict[str, str]] = {}
    for name, value, note in table[["objectId", "value", "note"]].itertuples(index=False, name=None):
        if note.startswith(OF) and value in classes:
            answers_to.setdefault(note.removeprefix(OF), {})[name] = value
    return answers_to


def results(standing: pd.DataFrame, classes: Sequence[str], folder: Path = FOLDER) -> dict[str, list[Result]]:
    """Annotator -> how far their answers in `folder` agree with what each predecessor says now.

    `standing` are the latest words, see `words.words`, without those that take a label back.
    """
    said: dict[str, dict[str, dict[str, str]]] = {}
    for who, name, value, rule, note in standing[COLUMNS].itertuples(index=False, name=None):
        said.setdefault(who, {})[name] = {"value": classes[value], "rule": rule, "note": note}
    return {
        path.stem: [result(who, given, said.get(who, {})) for who, given in answers(path, classes).items()]
        for path in sorted(folder.glob("[!.]*.csv"))
    }
