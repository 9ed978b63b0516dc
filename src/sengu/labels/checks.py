"""Words, rules and labels -> what contradicts what, and how far the annotators agree."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from sengu.labels import agreement, rules
from sengu.labels.agreement import Agreement
from sengu.labels.rules import Rule

BLIND = ("blind",)


def problems(
    words: pd.DataFrame, labels: pd.DataFrame, rules_of_now: Mapping[str, Rule], classes: Sequence[str]
) -> Iterator[str]:
    """Lines that stand twice, citations of rules that there are not, and examples that contradict labels or each other.

    `words` are all of them, `labels` has objectId and value. Each problem names file and line, or rule, and a cure.
    """
    keys = ["objectId", "annotator", "value", "labelledAt", "how"]
    for (_, first), (_, second) in _twice(words, keys):
        yield f"{second['sheet']}:{second['line']}: says what {first['sheet']}:{first['line']} says: take one of them out"
    names = words["rule"].str.partition("@")[0] if len(words) else words["rule"]
    for name, group in words[(names != "") & ~names.isin(list(rules_of_now))].groupby(names):
        first = group.iloc[0]
        yield (
            f"{first['sheet']}:{first['line']}: there is no rule {name}, which {len(group)} lines cite: "
            f"write it again into {rules.FILE} (Git has its text), or label them anew"
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
                yield f"{place} is of no class {example.value!r}: expected one of {', '.join(classes)}"
                continue
            sha1 = example.objectId.partition(".")[0]
            value = label_of.get(by_sha1.get(sha1, ""))
            if value is not None and classes[value] != example.value:
                yield f"{place} is {example.value}, but its label is {classes[value]}: correct the label, or the example"
            other, other_rule = said.setdefault(sha1, (example.value, rule.name))
            if other != example.value:
                yield f"{place} is {example.value}, but {other} by {other_rule}: one of the rules is wrong"


def blind(words: pd.DataFrame) -> pd.DataFrame:
    """The latest word of each annotator that was said without seeing a suggestion, of pictures with two or more of them."""
    words = words[words["how"].isin(BLIND) & (words["value"] >= 0)]
    words = words.sort_values(["time", "sheet", "line"], kind="stable").drop_duplicates(["objectId", "annotator"], keep="last")
    return words[words["objectId"].map(words["objectId"].value_counts()) > 1]


def agreements(words: pd.DataFrame, classes: Sequence[str]) -> dict[str, Agreement]:
    """How far the annotators of `blind` words agree: "all", then each pair, each class against the others, and each rule."""
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
    """Annotator -> how many blind second looks there were, and how many said what the word before them said."""
    ordered = words[words["value"] >= 0].sort_values(["time", "sheet", "line"], kind="stable")
    before = ordered.groupby(["objectId", "annotator"])["value"].shift()
    again = ordered.assign(before=before)[(ordered["how"] == "repeat") & before.notna()]
    same = again["value"] == again["before"]
    return {str(name): (len(group), int(same[group.index].sum())) for name, group in again.groupby("annotator")}
