"""Programs that fail: one line for what the user can mend, a traceback for a bug, nothing for a reader who has enough."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from project import attempt, environment

from sengu.base import errors
from sengu.base.atomic import replaced_file

PROGRAM = "from sengu.base.errors import SenguError, run_program\ndef main(arguments):\n    {}\nrun_program(main, '')\n"


def said(folder: Path, line: str) -> tuple[int, str]:
    done = attempt(folder, sys.executable, "-P", "-c", PROGRAM.format(line))
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("raise SenguError('params.yaml is missing: add it')", "error: params.yaml is missing: add it\n"),
        ("open('nowhere/a.csv', 'w')", "error: nowhere/a.csv: No such file or directory\n"),
        ("import os; os.rename('a', 'b')", "error: a -> b: No such file or directory\n"),
        ("raise ConnectionResetError(104, 'Connection reset by peer')", "error: Connection reset by peer\n"),
        ("raise OSError('the bucket is gone')", "error: the bucket is gone\n"),
        ("raise BrokenPipeError(32, 'Broken pipe')", "error: Broken pipe\n"),  # of a socket: stdout is whole
    ],
)
def test_what_the_user_can_mend_is_one_line(tmp_path: Path, line: str, expected: str) -> None:
    assert said(tmp_path, line) == (1, expected)


@pytest.mark.parametrize("error", ["OSError(28, 'No space left on device')", "RuntimeError('x: No space left on device')"])
def test_a_full_disk_that_names_no_file_is_one_of_the_output(tmp_path: Path, error: str) -> None:
    program = PROGRAM.replace("''", "'IN OUT'").format(f"raise {error}")
    done = attempt(tmp_path, sys.executable, "-P", "-c", program, "a.csv", "b.csv")
    assert (done.returncode, done.stdout) == (1, "error: b.csv: No space left on device\n")


def test_a_bug_keeps_its_traceback(tmp_path: Path) -> None:
    code, text = said(tmp_path, "[][1]")
    assert code == 1
    assert text.startswith("Traceback") and text.endswith("IndexError: list index out of range\n")


@pytest.mark.parametrize(("lines", "unbuffered"), [(1, ""), (1, "1"), (100_000, ""), (100_000, "1")])
def test_nothing_is_said_to_who_has_read_enough(lines: int, unbuffered: str) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    program = PROGRAM.format(f"[print('line') for _ in range({lines})]")
    environ = environment(PYTHONUNBUFFERED=unbuffered)
    command = [sys.executable, "-P", "-c", program]
    done = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, env=environ, check=False)
    os.close(theirs)
    assert (done.returncode, done.stderr) == (1, b"")


def test_without_a_stdout_a_program_still_runs() -> None:
    command = ["bash", "-c", '"$0" -P -c "$1" >&-', sys.executable, PROGRAM.format("print('line')")]
    done = subprocess.run(command, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_file_where_a_folder_should_be_is_said_to_be_that(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data").write_bytes(b"")
    for wanted in (tmp_path / "data", tmp_path / "data/index"):
        with pytest.raises(SystemExit) as ended, errors.one_line():
            wanted.mkdir(parents=True, exist_ok=True)
        assert str(ended.value) == f"error: {tmp_path}/data is a file where a folder should be: move it away, and run this again"


def test_a_folder_where_a_file_should_be_and_a_link_to_nothing_are_said_to_be_that(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(SystemExit) as ended, errors.one_line(), replaced_file(tmp_path / "a.csv") as partial:
        partial.touch()
    assert str(ended.value) == (f"error: {tmp_path}/a.csv is a folder where a file should be: move it away, and run this again")
    (tmp_path / "data").symlink_to("nowhere")
    with pytest.raises(SystemExit) as ended, errors.one_line(), replaced_file(tmp_path / "data/a.csv"):
        pass
    assert str(ended.value) == (
        f"error: {tmp_path}/data is a link to nowhere, where nothing is: move it away, and run this again"
    )


def test_control_characters_of_an_error_do_not_reach_the_terminal() -> None:
    with pytest.raises(SystemExit, match=r"^error: a\\x1b\[2J$"), errors.one_line():
        raise errors.SenguError("a\x1b[2J")


def test_the_cure_of_too_many_open_files_cures(tmp_path: Path) -> None:
    many = PROGRAM.format("files = [open('/dev/null') for _ in range(400)]")
    program = f"ulimit -S -n 200; {{}} {shlex.quote(sys.executable)} -P -c {shlex.quote(many)}"
    done = attempt(tmp_path, "bash", "-c", program.format(""))
    cure = re.search("Too many open files: `(ulimit .*?)` allows more", done.stdout)
    assert cure is not None, done.stdout
    assert attempt(tmp_path, "bash", "-c", program.format(f"{cure[1]};")).stdout == ""
