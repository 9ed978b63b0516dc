"""The command `sengu`: every command of the table can be called."""

import os
import pty
import re
import subprocess
import termios
from pathlib import Path

import pytest
from click.testing import CliRunner
from project import attempt, environment

from sengu.base.errors import SenguError
from sengu.commands.main import COMMANDS, sengu


def test_help_names_every_command_with_its_own_help() -> None:
    said = CliRunner().invoke(sengu, ["--help"], catch_exceptions=False)
    assert said.exit_code == 0
    listed = re.split(r"\n  (?=\S)", "\n" + said.stdout.partition("Commands:\n")[2])[1:]
    assert [entry.split()[0] for entry in listed] == sorted(COMMANDS)
    assert all(len(entry.split()) > 2 for entry in listed)


def test_no_summary_is_cut() -> None:
    for words in ([], ["objects"], ["label"], ["dataset"], ["remote"], ["handover"]):
        said = CliRunner().invoke(sengu, [*words, "--help"], catch_exceptions=False)
        assert said.exit_code == 0
        assert "..." not in said.stdout.partition("Commands:\n")[2]


@pytest.mark.parametrize(
    "command", [["site", "list"], ["dataset", "list"], ["remote", "check"], ["suggest"], ["heal"], ["merge", "x"]]
)
def test_outside_a_project_a_command_says_so_and_names_the_folder_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    below = tmp_path / "project/docs/deep"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    with pytest.raises(SenguError, match=f"no project here: {below} has no params.yaml: go to the folder of a project"):
        CliRunner().invoke(sengu, command, catch_exceptions=False)
    (tmp_path / "project/params.yaml").write_text("sites: {}\n")
    with pytest.raises(SenguError, match=f"no project here: .*: run `cd {tmp_path / 'project'}`, and try again"):
        CliRunner().invoke(sengu, command, catch_exceptions=False)
    assert CliRunner().invoke(sengu, [*command, "--help"]).exit_code == 0


def test_an_unknown_command_is_an_error_of_usage() -> None:
    said = CliRunner().invoke(sengu, ["predikt"])
    assert said.exit_code == 2
    assert "No such command 'predikt'" in said.stderr


def test_an_error_of_the_system_is_one_line(tmp_path: Path) -> None:
    done = attempt(tmp_path, "sengu", "predict", "a.png", "--model", name := "n" * 300)
    assert (done.returncode, done.stdout) == (1, f"error: {name}: File name too long\n")


def on_terminal(folder: Path, columns: int, statement: str) -> bytes:
    """What a terminal of so many columns gets from a command that is one statement."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    program = f"import shutil; from sengu.commands import main; main.sengu = lambda: {statement}; main.main()"
    alone = {name: value for name, value in environment().items() if name not in ("COLUMNS", "LINES")}
    command = ["python", "-c", program]
    subprocess.run(command, cwd=folder, stdout=theirs, stdin=subprocess.DEVNULL, env=alone, check=True)
    os.close(theirs)
    said = os.read(ours, 10_000)
    os.close(ours)
    return said


def test_nothing_that_a_name_holds_steers_a_terminal(tmp_path: Path) -> None:
    said = on_terminal(tmp_path, 80, r"print('a\x1b[2Jb\x9bc\rd')")
    assert said == rb"a\x1b[2Jb\x9bc\rd" + b"\r\n"  # by which a terminal ends a line


def test_a_command_knows_how_wide_the_terminal_is(tmp_path: Path) -> None:
    assert on_terminal(tmp_path, 123, "print(shutil.get_terminal_size().columns)") == b"123\r\n"
