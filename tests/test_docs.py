"""README and docs: the commands that they print exist, with these options, and what they link to is there."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from dvc.cli import DvcParserError
from dvc.cli.parser import get_main_parser
from project import ROOT

from sengu.commands.main import sengu

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "models/embedded/README.md"]
PROGRAMS = ("sengu", "dvc", "make", "python")
SPAN = re.compile(r"`([^`]+)`")
LISTED = re.compile(r"\w+ {4,}")  # a file and what it is for, not a command
RENAMED = {"predict.py": "src/sengu/release/standalone.py"}  # as it is called in a release
END = {"&&", "||", "|", ";", ">", "2>"}  # what ends a command's own arguments


def printed(page: Path) -> list[list[str]]:
    """The commands of PROGRAMS that a page prints, in blocks of code and between backticks, as lists of words."""
    lines: list[str] = []
    prose = [""]
    fence = None  # the language of the block that this line is in
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            fence = line[3:] or "text" if fence is None else None
        elif fence in ("sh", "console") or (fence is None and line.startswith("    ")):
            lines.append(line.strip())
        elif fence is None and line:
            prose[-1] += f"{line} "
        elif fence is None:
            prose.append("")
    spans = [span for paragraph in prose for span in SPAN.findall(paragraph)]
    return [words for line in [*lines, *spans] if not LISTED.match(line) for words in commands(line)]


def commands(line: str) -> Iterator[list[str]]:
    try:
        words = shlex.split(line, comments=True)
    except ValueError:  # prose in a block of code, with an apostrophe
        return
    while words:
        end = next((number for number, word in enumerate(words) if word in END), len(words))
        if words[0] in PROGRAMS:
            yield [word for word in words[:end] if word not in ("…", "...")]
        words = words[end + 1 :]


def of(program: str) -> list[tuple[str, str]]:
    """Each different command of a program as (page, command)."""
    found = {shlex.join(words): page.name for page in PAGES for words in printed(page) if words[0] == program}
    return [(page, command) for command, page in found.items()]


@pytest.mark.parametrize(("page", "command"), of("sengu"))
def test_a_printed_command_of_sengu_exists_with_its_options(page: str, command: str) -> None:
    group: click.Command = sengu
    words = shlex.split(command)[1:]
    while isinstance(group, click.Group) and words and not words[0].startswith("-") and not words[0].isupper():
        name = words.pop(0)
        found = group.get_command(click.Context(group), name)
        assert found is not None, f"{page} prints `{command}`, but there is no {name}"
        group = found
    known = {option for parameter in group.params for option in (*parameter.opts, *parameter.secondary_opts)}
    asked = {word.strip("[]").partition("=")[0] for word in words if re.match(r"\[?--?[a-z]", word)}
    assert asked <= known | {"--help", "--version"}, f"{page} prints `{command}`"


@pytest.mark.parametrize(("page", "command"), of("dvc"))
def test_a_printed_command_of_dvc_is_one(page: str, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [word for word in shlex.split(command)[1:] if not word.startswith("[")]
    for arguments in (words, [*words, "--help"]):  # a command that is named, not typed, has no arguments
        try:
            get_main_parser().parse_args(arguments)
            return
        except SystemExit as stopped:
            if stopped.code == 0:
                return
        except DvcParserError:
            continue
    pytest.fail(f"{page} prints `{command}`: {capsys.readouterr().err}")


@pytest.mark.parametrize(("page", "command"), of("make"))
def test_a_printed_target_of_make_exists(page: str, command: str) -> None:
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text()))
    asked = {word for word in shlex.split(command)[1:] if "=" not in word}
    assert asked <= targets, f"{page} prints `{command}`"


@pytest.mark.parametrize(("page", "command"), of("python"))
def test_a_printed_program_of_python_exists(page: str, command: str) -> None:
    _, *words = shlex.split(command)
    if words[:1] == ["-m"]:
        assert importlib.util.find_spec(words[1]) is not None, f"{page} prints `{command}`"
    elif words and not words[0].startswith("-"):
        assert (ROOT / RENAMED.get(words[0], words[0])).is_file(), f"{page} prints `{command}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"[a-z]+:", link)]
    missing = []
    for link in links:
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            missing.append(link)
    assert not missing


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made where the repository is shown."""
    headings = re.findall(r"(?m)^#+ (.*)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
