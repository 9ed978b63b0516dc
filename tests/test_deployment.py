"""Workflows, compose.yaml and Dockerfile against what is here: each step is a command that runs locally, too."""

import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from project import BIN, ROOT, attempt, needs, run

from sengu.commands.main import sengu

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
# what the workflows say besides `make` and `sengu`: programs that are on any machine that has Git and GitHub's client
PROGRAMS = {"bash", "echo", "make", "sengu", "dvc", "git", "gh", "pip"}


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
        words = words[1:] if words[0] == "sudo" else words
        program = Path(words[0]).name
        assert program in PROGRAMS, words
        if program == "bash":
            assert (ROOT / words[1]).is_file(), words
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


@needs("systemd-analyze", "systemd")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for unit in (ROOT / "deploy").iterdir():
        text = unit.read_text().replace("%h/sengu/.venv/bin/sengu", str(BIN / "sengu"))  # which is there
        (tmp_path / unit.name).write_text(text)
    said = attempt(tmp_path, "systemd-analyze", "verify", *sorted(str(path) for path in tmp_path.iterdir()))
    assert (said.returncode, said.stdout) == (0, "")
    timers = (ROOT / "deploy/sengu-arrive.timer").read_text()
    calendar = re.search(r"^OnCalendar=(.*)$", timers, re.MULTILINE)[1]
    assert "Next elapse" in run(tmp_path, "systemd-analyze", "calendar", calendar)


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile, with their continued lines."""
    lines = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines if line.strip())]


@pytest.mark.slow
def test_what_the_image_copies_is_enough_to_install_from(tmp_path: Path) -> None:
    """There is no Docker here: the steps of the first stage are read, and what they need is tried without it."""
    found = instructions((ROOT / "Dockerfile").read_text())
    assert {word for word, _ in found} <= {"ARG", "FROM", "RUN", "ENV", "WORKDIR", "COPY", "USER", "CMD"}
    first = found[: [i for i, (word, _) in enumerate(found) if word == "FROM"][1]]
    for word, rest in first:
        if word != "COPY":
            continue
        *sources, target = rest.split()
        for source in (path for pattern in sources for path in sorted(ROOT.glob(pattern))):
            place = tmp_path / "image" / target / (source.name if len(sources) > 1 else "")
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            place.parent.mkdir(parents=True, exist_ok=True)
            copy(source, place)
        assert all(list(ROOT.glob(pattern)) for pattern in sources), rest  # every pattern names something
    base = dict(rest.split("=", 1) for word, rest in found if word == "ARG")["BASE"]
    assert base.removeprefix("python:").split("-")[0] in re.search(r"^SUPPORTED := (.*)$", (ROOT / "Makefile").read_text(), re.M)[
        1
    ].replace("python", "")
    makefile = run(tmp_path / "image", "make", "--dry-run", "install", f"PYTHON={sys.executable}")
    assert "--require-hashes -r requirements.txt" in makefile
    assert "sengu.remote.configuration" not in makefile  # an image is built without .dvc
    run(
        tmp_path / "image",
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps", "--no-index"),
        *("--target", str(tmp_path / "installed"), "."),
    )
    code = "import sengu.commands.main, crawlers.settings; print(sengu.__file__)"
    said = run(tmp_path, sys.executable, "-c", code, PYTHONPATH=str(tmp_path / "installed"))
    assert said.startswith(str(tmp_path / "installed"))


def test_the_image_runs_as_a_user_and_is_locked() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert lines.index("USER sengu") < lines.index('CMD ["dvc", "repro"]')
    assert "RUN make install PYTHON=python3.11" in lines
    assert "--require-hashes" in (ROOT / "Makefile").read_text()
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {".dvc/config.local", ".env", "data"} <= set(ignored)
