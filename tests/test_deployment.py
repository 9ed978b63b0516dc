"""Workflows, compose.yaml and Dockerfile against what is here: each step is a command that runs locally, too."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from project import ROOT

from sengu.commands.main import sengu

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
# what the workflows say besides `make` and `sengu`: programs that are on any machine that has Git and GitHub's client
PROGRAMS = {"make", "sengu", "dvc", "git", "gh", "pip"}


def commands(document: Any) -> list[list[str]]:
    steps = [step for job in document["jobs"].values() for step in job["steps"]]
    lines = [line for step in steps for line in step.get("run", "").splitlines()]
    return [shlex.split(line) for line in lines]


def is_sengu(words: list[str]) -> None:
    """Raises AssertionError unless `sengu` has such a command with such options."""
    cut = next((i for i, word in enumerate(words) if word.startswith((">", "|", "&", ";"))), len(words))
    named = [word for word in words[1:cut] if not word.startswith("-") and not re.fullmatch(r"\d+h|\$.*", word)]
    help_text = CliRunner().invoke(sengu, [*named, "--help"]).output
    assert "Usage:" in help_text, words
    for option in (word for word in words[1:cut] if word.startswith("--")):
        assert option in help_text, words


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_each_step_is_a_command_that_runs_here_too(path: Path) -> None:
    document = yaml.safe_load(path.read_text())
    makefile = (ROOT / "Makefile").read_text()
    found = commands(document)
    assert found
    for words in found:
        program = Path(words[0]).name
        assert program in PROGRAMS, words
        if program == "make":
            assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in words[1:]), words
        if program == "sengu":
            is_sengu(words)
    text = path.read_text()
    assert not re.search(r"run: .*\$\{\{", text), "values of an event reach a shell as variables only"
    assert all(
        step["uses"].startswith("actions/") for job in document["jobs"].values() for step in job["steps"] if "uses" in step
    )


def test_there_is_a_workflow_for_each_promise() -> None:
    assert [path.stem for path in WORKFLOWS] == ["arrive", "rebuild", "test", "verify"]


def test_the_services_run_commands_that_are_there() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    assert {"crawler", "repro", "arrive", "s3", "broker"} <= services.keys()
    assert services["repro"]["volumes"] == ["${DATA:-.}:/sengu/work"]
    for name in ("arrive", "crawler"):
        words = shlex.split(services[name]["command"])
        inner = shlex.split(words[2].replace(";", " ; ")) if words[0] == "sh" else words
        is_sengu(inner[inner.index("sengu") : inner.index(";", inner.index("sengu")) if ";" in inner else None])
    unit = (ROOT / "deploy/sengu-arrive.service").read_text()
    is_sengu(shlex.split(re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)[1]))


def test_the_image_runs_as_a_user_and_is_locked() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert lines.index("USER sengu") < lines.index('CMD ["dvc", "repro"]')
    assert "RUN make install PYTHON=python3.11" in lines
    assert "--require-hashes" in (ROOT / "Makefile").read_text()
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {".dvc/config.local", ".env", "data"} <= set(ignored)
