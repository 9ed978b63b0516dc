"""Git's history of rules and sheets -> old texts of rules, and the dates of lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from sengu.labels import rules
from sengu.labels.rules import Rule
from sengu.labels.words import BEFORE_ALL
from sengu.repository.git import ask


@dataclass(frozen=True)
class Edition:
    """The rules as a commit has them; `time` is its date in microseconds since 1970, in UTC."""

    commit: str
    time: int
    rules: Mapping[str, Rule]


@dataclass(frozen=True)
class Cited:
    """The rule that a word was said under: `rule` is its text at that time, None if this clone's history does not hold it.

    `is_current` says whether that is the present text; `by_date` whether it was found by date, because the word cites no hash.
    """

    name: str
    rule: Rule | None
    is_current: bool
    by_date: bool


def editions(folder: Path) -> list[Edition]:
    """Every edition of the rules that Git knows, the newest first; none outside a repository."""
    path = folder / rules.FILE
    known = []
    for line in ask("log", "--format=%H %ct", "--", str(path)).splitlines():
        commit, _, seconds = line.partition(" ")
        text = ask("show", f"{commit}:./{path.as_posix()}")
        if text:
            known.append(Edition(commit, int(seconds) * 1_000_000, rules.parse(text, Path(f"{path} at {commit[:10]}"))))
    return known


def dates(sheet: Path) -> dict[int, int]:
    """Line -> when it was committed, in microseconds; lines that are not committed yet are left out."""
    committed: dict[int, int] = {}
    line, commit = 0, ""
    for text in ask("blame", "--line-porcelain", "--", str(sheet)).splitlines():
        if text.startswith("\t"):
            continue
        parts = text.split(" ")
        if len(parts) >= 3 and len(parts[0]) == 40 and parts[1].isdigit():
            commit, line = parts[0], int(parts[2])
        elif parts[0] == "author-time" and commit.strip("0"):
            committed[line] = int(parts[1]) * 1_000_000
    return committed


class Citations:
    """The rule that each word cites: by its hash, else by its date, else by the date at which Git received its line."""

    def __init__(self, folder: Path, current: Mapping[str, Rule]):
        self.current = current
        self.editions: Sequence[Edition] = editions(folder)
        self.dates: dict[str, dict[int, int]] = {}

    def of(self, word: pd.Series) -> Cited | None:
        """The rule of a word; None if it cites none."""
        if not word["rule"]:
            return None
        name, digits = rules.split(word["rule"])
        now = self.current.get(name)
        if digits:
            texts = [now, *(edition.rules.get(name) for edition in self.editions)]
            rule = next((text for text in texts if text is not None and text.hash.startswith(digits)), None)
            return Cited(name, rule, rules.is_current(word["rule"], self.current), False)
        rule = self._at(name, self._time(word))
        return Cited(name, rule, bool(now and rule and rule.hash == now.hash), True)

    def _time(self, word: pd.Series) -> int:
        if word["time"] != BEFORE_ALL:
            return int(word["time"])
        if word["sheet"] not in self.dates:
            self.dates[word["sheet"]] = dates(Path(word["sheet"]))
        now = int(datetime.now(UTC).timestamp() * 1_000_000)
        return self.dates[word["sheet"]].get(int(word["line"]), now)

    def _at(self, name: str, time: int) -> Rule | None:
        """The text of a rule at a time: of the last edition before it, or of the first that has the rule."""
        having = [edition for edition in self.editions if name in edition.rules]
        if not having:
            return self.current.get(name)
        return next((edition for edition in having if edition.time <= time), having[-1]).rules[name]
