"""Every regular expression of the code, on 100 KB of what is worst for it: none goes over a text again and again."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from re import _parser as parser  # type: ignore[attr-defined]  # no public module takes a pattern apart
from typing import Any

import pytest
from project import ROOT, environment

METHODS = ("search", "match", "fullmatch", "findall", "finditer", "sub", "split")
FOLDERS = ("src", "crawlers")
# made while the program runs; of file names, of settings and of fixed texts, none of what a site, a file or a sheet says
MADE = {
    "src/sengu/warc/index.py",
    "src/sengu/networks/runtime.py",
    "src/sengu/stages/backbone.py",
    "src/sengu/stages/train.py",
    "src/sengu/remote/pins.py",
    "src/sengu/base/params/values.py",  # only compiled there: what people write in params.yaml is their own
    "crawlers/spiders/generic.py",
    "crawlers/extract.py",  # the pattern of `read.path`, which is the user's own
    "src/sengu/base/quiet.py",
    "src/sengu/base/io_errors.py",  # the words of the operating system, in what it says itself
}
# tries one expression in one way on every text; the processor time is limited, which a busy machine does not use up
TRIES = """
import json, re, resource, sys, time
for line in sys.stdin:
    pattern, is_bytes, flags, method, texts = json.loads(line)
    print(pattern, method, flush=True)
    pattern = re.compile(pattern.encode("latin-1") if is_bytes else pattern, flags)
    for text in texts:
        text = "".join(part * count for part, count in text)
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + int(sys.argv[1]), resource.RLIM_INFINITY))
        text = text.encode("latin-1", "replace") if is_bytes else text
        done = pattern.sub("" if not is_bytes else b"", text) if method == "sub" else getattr(pattern, method)(text)
        if method == "finditer":
            list(done)
print("done", flush=True)
"""
LIMIT = 4  # seconds; a text that is gone over once takes milliseconds, again and again from each place half a minute
SIZE = 100_000


@dataclass(frozen=True)
class Expression:
    """A regular expression as it stands in the code, and how it is used."""

    file: str
    pattern: str | bytes
    flags: int
    method: str


def flags_of(nodes: list[ast.expr]) -> int:
    """The flags among the arguments of a call, such as re.IGNORECASE | re.ASCII."""
    import re

    names = [part.attr for node in nodes for part in ast.walk(node) if isinstance(part, ast.Attribute)]
    return sum(int(getattr(re, name)) for name in names if name.isupper() and hasattr(re, name))


def calls() -> Iterator[tuple[str, ast.Call, str, str]]:
    """File, call, name of what is called upon, and method, of each call in the code that may be one of `re`."""
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
                yield str(path.relative_to(ROOT)), node, name, node.func.attr


def expressions() -> tuple[set[Expression], set[str]]:
    """All that stand in the code as they are, and the files in which one is made while the program runs."""
    compiled: dict[str, list[tuple[str, str | bytes, int]]] = {}
    found, made = set(), set()
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "re.compile":
                try:
                    pattern = ast.literal_eval(node.value.args[0])
                except ValueError:
                    continue
                name = ast.unparse(node.targets[0])
                flags = flags_of(node.value.args[1:])
                compiled.setdefault(name, []).append((str(path.relative_to(ROOT)), pattern, flags))
    for file, call, name, method in calls():
        if name == "re" and method in (*METHODS, "compile"):
            try:
                pattern = ast.literal_eval(call.args[0])
            except ValueError:
                made.add(file)
                continue
            if method != "compile":
                flags = flags_of([*(keyword.value for keyword in call.keywords), *call.args[2:]])
                found.add(Expression(file, pattern, flags, method))
        elif method in METHODS and name in compiled:
            found |= {Expression(*one, method) for one in compiled[name]}
    return found, made


SAMPLES = {"CATEGORY_DIGIT": "0", "CATEGORY_SPACE": " ", "CATEGORY_NOT_WORD": "-"}  # of other classes: a


def example(items: Any) -> str:
    """A text that a parsed pattern takes, or nearly: each part once, of several ways the first."""
    text = ""
    for name, value in items:
        kind = str(name)
        if kind == "LITERAL":
            text += chr(value)
        elif kind == "NOT_LITERAL" or kind == "ANY":
            text += "a"
        elif kind == "CATEGORY":
            text += SAMPLES.get(str(value), "a")
        elif kind == "RANGE":
            text += chr(value[0])
        elif kind == "IN":
            text += "a" if str(value[0][0]) == "NEGATE" else example(value[:1])
        elif kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            text += example(value[2])
        elif kind == "SUBPATTERN":
            text += example(value[3])
        elif kind == "ATOMIC_GROUP":
            text += example(value)
        elif kind == "BRANCH":
            text += example(value[1][0])
    return text


def letters(items: Any) -> set[str]:
    """A letter of each class that stands in a parsed pattern."""
    found = set()
    for item in items if isinstance(items, list | tuple | parser.SubPattern) else ():
        if isinstance(item, tuple) and len(item) == 2 and str(item[0]) in ("LITERAL", "RANGE", "CATEGORY"):
            found.add(example([item]))
        else:
            found |= letters(item)
    return found


def worst(pattern: str | bytes) -> list[list[tuple[str, int]]]:
    """Texts of `SIZE`, as parts and how often each comes: runs within what the pattern takes, before an end that it does not."""
    items = parser.parse(pattern)
    text, taken = example(items), sorted(letters(items) | {"a", " ", "0"})
    tried: list[list[tuple[str, int]]] = [[(text or "a", SIZE // len(text or "a")), ("\0", 1)], [("0a@ ", SIZE // 4)]]
    for end in ("\0", "\n\0"):
        tried += [[(letter, SIZE), (end, 1)] for letter in taken[:20]]
        for length in range(1, min(len(text), 24) + 1):
            for letter in {text[length - 1], text[length : length + 1] or "a", " ", "a"}:
                tried.append([(text[:length], 1), (letter, SIZE), (end, 1)])
            tried.append([(text[:length], SIZE // length), (end, 1)])
    return tried


def tried(lines: list[str]) -> str:
    """What the program that tries expressions said last: "done", or the expression that used up its time."""
    command = [sys.executable, "-c", TRIES, str(LIMIT)]
    done = subprocess.run(command, input="\n".join(lines), env=environment(), text=True, capture_output=True, check=False)
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()[-1]


def line(pattern: str | bytes, flags: int, method: str) -> str:
    text = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
    return json.dumps([text, isinstance(pattern, bytes), flags, method, worst(pattern)])


def test_no_expression_goes_over_a_text_again_and_again() -> None:
    found, _ = expressions()
    assert len(found) > 40
    assert tried([line(one.pattern, one.flags, one.method) for one in sorted(found, key=str)]) == "done"


@pytest.mark.parametrize(("pattern", "method"), [(r"[0-9.]+[wx]", "search"), (r"\s*/", "split"), (r"<!--.*?-->", "sub")])
def test_one_that_does_is_found(pattern: str, method: str) -> None:
    assert tried([line(pattern, 0, method)]) == f"{pattern} {method}"


def test_where_one_is_made_while_the_program_runs_somebody_has_looked() -> None:
    assert expressions()[1] <= MADE
    assert all((ROOT / file).is_file() for file in MADE)


def test_every_file_is_looked_into() -> None:
    assert {Path(one.file).parts[0] for one in expressions()[0]} == set(FOLDERS)
