"""Decisions, rules and labels -> contradictions among them, and the agreement between annotators."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from sengu.base.names import counted
from sengu.labels import agreement, merging, rules
from sengu.labels.agreement import Agreement
from sengu.labels.ledger import UNDONE
from sengu.labels.rules import Rule

REPEAT = "repeat"
BLIND = ("blind", REPEAT)


def problems(
    words: pd.DataFrame, labels: pd.DataFrame, rules_of_now: Mapping[str, Rule], classes: Sequence[str]
) -> Iterator[str]:
    """Duplicate lines, citations of missing rules, and examples that contradict labels or each other.

    `words` are all of them, `labels` has objectId and value. Each problem names file and line, or rule, and a cure.
    """
    keys = ["objectId", "annotator", "value", "labelledAt", "how"]
    for (_, first), (_, second) in _twice(words, keys):
        yield f"{second['sheet']}:{second['line']}: repeats {first['sheet']}:{first['line']}: delete one of the two lines"
    names = words["rule"].str.partition("@")[0] if len(words) else words["rule"]
    for name, group in words[(names != "") & ~names.isin(list(rules_of_now))].groupby(names):
        first = group.iloc[0]
        yield (
            f"{first['sheet']}:{first['line']}: rule {name} is not in {rules.FILE}, but is cited by "
            f"{counted(len(group), 'line')}: restore the rule (Git has its text), or label those pictures again"
        )
    yield from _examples(labels, rules_of_now, classes)


def _twice(words: pd.DataFrame, keys: list[str]) -> Iterator[tuple[tuple[object, pd.Series], tuple[object, pd.Series]]]:
    again = words[words.duplicated(keys, keep=False)]
    for _, group in again.groupby(keys, sort=False):
        first, *others = group.iterrows()
        for other in others:
            yield first, other


def _examples(labels: pd.DataFrame, rules_of_now: Mapping[str, Rule], classes: Sequence[str]) -> Iterator[str]:
    label_of = dict(zip(labels["objectId"], labels["value"], strict=True))
    by_sha1 = {name.partition(".")[0]: name for name in label_of}
    said: dict[str, tuple[str, str]] = {}
    for rule in rules_of_now.values():
        for example in rule.examples:
            place = f"{rules.FILE}:{example.line}: example {example.objectId} of {rule.name}"
            if example.value not in classes:
                yield f"{place} has the unknown class {example.value!r}: expected one of {', '.join(classes)}"
                continue
            sha1 = example.objectId.partition(".")[0]
            value = label_of.get(by_sha1.get(sha1, ""))
            if value is not None and classes[value] != example.value:
                yield f"{place} is {example.value}, but its label is {classes[value]}: correct the label, or the example"
            other, other_rule = said.setdefault(sha1, (example.value, rule.name))
            if other != example.value:
                yield f"{place} is {example.value}, but {other_rule} gives it as {other}: correct one of the two examples"


def blind(words: pd.DataFrame) -> pd.DataFrame:
    """The words that stand and were said without seeing a suggestion, of pictures on which two or more annotators have one.

    A word does not stand if it was undone, taken back, or repeated after a look at other opinions.
    """
    words = merging.latest(words)
    words = words[words["how"].isin(BLIND) & (words["value"] >= 0)]
    return words[words["objectId"].map(words["objectId"].value_counts()) > 1]


def agreements(words: pd.DataFrame, classes: Sequence[str]) -> dict[str, Agreement]:
    """Agreement between the annotators of `blind` words: "all", then each pair, each class against the others, and each rule."""
    said = _counts(words, len(classes))
    measured = {"all": agreement.agree(said)}
    people = sorted(words["annotator"].unique())
    for pair in combinations(people, 2):
        theirs = words[words["annotator"].isin(pair)]
        measured[" and ".join(pair)] = agreement.agree(_counts(theirs, len(classes)))
    for value, name in enumerate(classes):
        measured[f"class {name}"] = agreement.of_class(said, value)
    names = words["rule"].str.partition("@")[0] if len(words) else words["rule"]
    for name in sorted(set(names) - {""}, key=lambda rule: int(rule[1:])):
        objects = words.loc[names == name, "objectId"]
        measured[f"rule {name}"] = agreement.agree(_counts(words[words["objectId"].isin(objects)], len(classes)))
    return measured


def as_json(measured: Mapping[str, Agreement], digits: int = 4) -> dict[str, Any]:
    """Agreements as plain values, rounded; null where a number is undefined, and then `why` says so."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(part) for key, part in value.items() if key != "why" or part}
        return (None if np.isnan(value) else round(value, digits)) if isinstance(value, float) else value

    return {name: plain(asdict(estimates)) for name, estimates in measured.items()}


def _counts(words: pd.DataFrame, classes: int) -> np.ndarray:
    objects, annotators = (pd.factorize(words[name])[0].tolist() for name in ("objectId", "annotator"))
    return agreement.counts(agreement.ratings(objects, annotators, words["value"].tolist()), classes)


def steadiness(words: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """Annotator -> at how many pictures they looked blind a second time, and of how many they then said what they said before.

    Undone words are ignored. Of several second looks at one picture, the last counts: the earlier ones were slips.
    """
    pairs = words.loc[words["how"] == REPEAT, ["objectId", "annotator"]].drop_duplicates()
    again = words.merge(pairs, on=["objectId", "annotator"]).sort_values(["time", "sheet", "line"], kind="stable")
    looks: Counter[str] = Counter()
    same: Counter[str] = Counter()
    for (_, who), theirs in again.groupby(["objectId", "annotator"]):
        annotator, said = str(who), _without_slips(theirs)
        places = [place for place, (_, how) in enumerate(said) if how == REPEAT]
        before = [value for value, how in said[: places[-1]] if how != REPEAT] if places else []
        if before:
            looks[annotator] += 1
            same[annotator] += said[places[-1]][0] == before[-1]
    return {name: (looks[name], same[name]) for name in sorted(looks)}


def _without_slips(words: pd.DataFrame) -> list[tuple[int, str]]:
    """Value and how of an annotator's words on one object, in order, without those that were undone or took a label back."""
    said: list[tuple[int, str]] = []
    for value, how, note in words[["value", "how", "note"]].itertuples(index=False, name=None):
        if note.startswith(UNDONE):
            del said[-1:]
        else:
            said.append((value, how))
    return [(value, how) for value, how in said if value >= 0]
