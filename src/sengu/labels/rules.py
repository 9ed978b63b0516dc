"""labels/RULES.md, now and at any commit -> numbered rules, the hash of each one's text, and its worked examples."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sengu.base.atomic import replaced_file
from sengu.base.errors import SenguError

FILE = "RULES.md"
DIGITS = 8  # of the hash, in a citation
HEADING = re.compile(r"#{1,2}\s")
NUMBERED = re.compile(r"##\s+R(?P<number>[0-9]{1,6})(?:[.:]?\s+(?P<title>.*\S))?\s*")
EXAMPLE = re.compile(
    r"[-*]\s+`?(?P<id>[0-9a-fA-F]{40}(?:\.[A-Za-z0-9]+)?)`?\s*:\s*(?P<value>[^:,]+?)(?:\s*,\s*was\s+(?P<was>[^:]+?))?"
    r"(?:\s*:\s+(?P<why>.*))?"
)


@dataclass(frozen=True)
class Example:
    """One worked example of a rule, a line such as "- `<object id>`: dots, was stripes: the spots touch"."""

    objectId: str
    value: str
    was: str
    why: str
    line: int

    def __str__(self) -> str:
        return f"- `{self.objectId}`: {self.value}{self.was and f', was {self.was}'}{self.why and f': {self.why}'}"


@dataclass(frozen=True)
class Rule:
    """One rule: "R3", its title and text without the examples, and the line of its heading."""

    name: str
    title: str
    text: str
    examples: tuple[Example, ...]
    line: int

    @property
    def hash(self) -> str:
        """Lower-case hex SHA-256 of title and text, in which neither line breaks nor examples count.

        So a new example or another line width does not affect the labels made under the rule.
        """
        words = " ".join(unicodedata.normalize("NFC", f"{self.title} {self.text}").split())
        return hashlib.sha256(words.encode()).hexdigest()

    @property
    def citation(self) -> str:
        """The citation of the rule as it is now, as sheets write it: R3@1f2e3d4c."""
        return f"{self.name}@{self.hash[:DIGITS]}"


def read(folder: Path) -> dict[str, Rule]:
    """The rules of the label set whose sheets lie in `folder`, by name; none if there is no file of them."""
    path = folder / FILE
    return parse(path.read_text(encoding="utf-8"), path) if path.is_file() else {}


def parse(text: str, path: Path) -> dict[str, Rule]:
    """The rules of a file, by name. Raises SenguError for a repeated number."""
    by_name: dict[str, Rule] = {}
    lines = text.removeprefix("\ufeff").splitlines()
    starts = [number for number, line in enumerate(lines) if HEADING.match(line)]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        match = NUMBERED.fullmatch(lines[start])
        if match is None:
            continue
        name = f"R{int(match['number'])}"
        if name in by_name:
            raise SenguError(f"{path}:{start + 1}: rule {name} stands in line {by_name[name].line}, too: number one of them anew")
        body, examples = [], []
        for number, line in enumerate(lines[start + 1 : end], start + 2):
            example = EXAMPLE.fullmatch(line.strip())
            if example is None:
                body.append(line)
            else:
                parts = {key: part or "" for key, part in example.groupdict().items()}
                examples.append(Example(parts["id"].lower(), parts["value"], parts["was"], parts["why"], number))
        by_name[name] = Rule(name, match["title"] or "", "\n".join(body).strip(), tuple(examples), start + 1)
    return by_name


def split(citation: str) -> tuple[str, str]:
    """Name and hash of a citation; the hash is empty where it has none."""
    name, _, digits = citation.partition("@")
    return name, digits


def is_current(citation: str, rules: Mapping[str, Rule]) -> bool:
    """True if a citation with a hash names the present text of a rule."""
    name, digits = split(citation)
    return name in rules and bool(digits) and rules[name].hash.startswith(digits)


def add_example(folder: Path, name: str, example: Example) -> None:
    """Writes an example at the end of a rule's examples, or of its text. Raises SenguError if there is no such rule."""
    path = folder / FILE
    rules = read(folder)
    if name not in rules:
        raise SenguError(
            f"{path} has no rule {name}: the rules are {', '.join(rules) or 'none'}; add a heading `## {name} TITLE`"
        )
    if any(other.objectId == example.objectId for other in rules[name].examples):
        raise SenguError(f"{path}: {example.objectId} is an example of {name} already: edit its line")
    lines = path.read_text(encoding="utf-8").splitlines()
    rule = rules[name]
    if rule.examples:
        place = rule.examples[-1].line
        added = [str(example)]
    else:
        later = [number for number in range(rule.line, len(lines)) if HEADING.match(lines[number])]
        place = later[0] if later else len(lines)
        while place > rule.line and not lines[place - 1].strip():
            place -= 1
        added = ["", str(example)]
    with replaced_file(path) as partial:
        partial.write_text("\n".join([*lines[:place], *added, *lines[place:]]) + "\n", encoding="utf-8")
