"""Every stage run by hand where its inputs are missing: one line that names one of them, and no output."""

import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from project import ROOT, attempt


def last(commands: str | list[str]) -> str:
    """The command of a stage; what comes before it only looks whether it may run."""
    return commands if isinstance(commands, str) else commands[-1]


COMMANDS = [
    last(stage.get("do", stage)["cmd"]).replace("${key}", "demo_a").replace("${split.dataset}", "v1")
    for path in ("dvc.yaml", "datasets/dvc.yaml")
    for name, stage in yaml.safe_load((ROOT / path).read_text())["stages"].items()
    if name not in ("crawl", "version")  # which read no file that their commands name
]


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[2])
def test_a_missing_input_is_named(tmp_path: Path, command: str) -> None:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    done = attempt(tmp_path, sys.executable, *command.split()[1:])
    assert done.returncode == 1
    last = done.stdout.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert any(re.search(rf"\b{re.escape(path)}\b", last) for path in command.split()[3:] if path != "demo_a")
    assert "Traceback" not in done.stdout
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["params.yaml"]
