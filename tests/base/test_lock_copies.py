"""dvc.lock, emptied or cut off by a DVC that was killed while it wrote it."""

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
import yaml
from project import attempt, run

from sengu.base import lock_copies

# kills DVC in the first step that it takes after it has emptied dvc.lock
KILLED = """
import os, signal, sys
seen = []

def watch(event, arguments):
    if event == "open" and str(arguments[0]).endswith("/dvc.lock") and "w" in str(arguments[1]):
        seen.append(arguments[0])
    elif seen and os.path.exists("dvc.lock") and not os.path.getsize("dvc.lock"):
        seen.clear()  # to kill is an event, too
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
from dvc.cli import main
sys.exit(main(sys.argv[1:]))
"""
STAGE = """
import sys
from pathlib import Path
from sengu.base.errors import run_program
run_program(lambda arguments: Path(arguments[1]).write_text(Path(arguments[0]).read_text()), "FROM TO")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A DVC repository of two stages, which has run once and is committed; the second stage is to run again."""
    (tmp_path / "stage.py").write_text(STAGE)
    stages = {
        name: {"cmd": f"{sys.executable} stage.py {source} {name}", "deps": [source], "outs": [name]}
        for name, source in (("b", "a"), ("c", "b"))
    }
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    (tmp_path / "a").write_text("1\n")
    run(tmp_path, "git", "init", "--quiet")
    run(tmp_path, "dvc", "init", "--quiet")
    run(tmp_path, "dvc", "repro", "--quiet")
    run(tmp_path, "git", "add", "--all")
    run(tmp_path, "git", "commit", "--quiet", "--message", "ran")
    return tmp_path


def kill_while_it_writes(folder: Path) -> None:
    (folder / "a").write_text("2\n")
    killed = attempt(folder, sys.executable, "-c", KILLED, "repro", "--quiet")
    assert killed.returncode == -signal.SIGKILL
    assert (folder / "dvc.lock").read_bytes() == b""


def test_a_kill_while_dvc_writes_is_named_and_the_copy_is_exact(folder: Path) -> None:
    before = (folder / "dvc.lock").read_bytes()
    kill_while_it_writes(folder)
    for program in ((sys.executable, "stage.py", "a", "b"), ("sengu", "verify")):
        done = attempt(folder, *program)
        assert done.returncode == 1
        cure = "`cp .sengu/lock_files/dvc.lock dvc.lock` restores its previous content"
        assert done.stdout == f"error: dvc.lock is empty, as happens when DVC is killed while writing it: {cure}\n"
    run(folder, "cp", ".sengu/lock_files/dvc.lock", "dvc.lock")
    assert (folder / "dvc.lock").read_bytes() == before
    run(folder, "dvc", "repro")
    assert (folder / "c").read_text() == "2\n"


def test_a_clone_without_a_copy_is_sent_to_git(folder: Path) -> None:
    before = (folder / "dvc.lock").read_bytes()
    kill_while_it_writes(folder)
    shutil.rmtree(folder / ".sengu")
    done = attempt(folder, "sengu", "verify")
    assert "`git checkout dvc.lock` restores the committed one" in done.stdout
    run(folder, "git", "checkout", "dvc.lock")
    assert (folder / "dvc.lock").read_bytes() == before


def test_a_commit_later_than_the_copy_goes_before_it(folder: Path) -> None:
    kill_while_it_writes(folder)
    os.utime(folder / ".sengu/lock_files/dvc.lock", (1, 1))
    assert "`git checkout dvc.lock` restores the committed one" in attempt(folder, "sengu", "verify").stdout


def test_without_git_and_copy_the_lock_is_written_anew_from_the_outputs(folder: Path) -> None:
    shutil.rmtree(folder / ".git")
    shutil.rmtree(folder / ".sengu")
    run(folder, "dvc", "config", "core.no_scm", "true")
    before = yaml.safe_load((folder / "dvc.lock").read_text())
    (folder / "dvc.lock").write_bytes(b"")
    done = attempt(folder, "sengu", "verify")
    assert "`rm dvc.lock`, and `dvc commit --force` rebuilds it from the outputs in this clone" in done.stdout
    run(folder, "rm", "dvc.lock")
    run(folder, "dvc", "commit", "--force")
    assert yaml.safe_load((folder / "dvc.lock").read_text()) == before


@pytest.mark.parametrize(("data", "is_whole"), [(b"", False), (b"schema: '2.0'\nsta", False), (b"schema: '2.0'\n", True)])
def test_a_lock_that_is_cut_off_is_not_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, is_whole: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dvc.lock").write_bytes(b"schema: '2.0'\nstages: {}\n")
    assert lock_copies.keep() == ""
    Path("dvc.lock").write_bytes(data)
    assert (lock_copies.keep() == "") == is_whole
    assert (lock_copies.COPIES / "dvc.lock").read_bytes() == (data if is_whole else b"schema: '2.0'\nstages: {}\n")


def test_a_lock_that_ends_where_a_write_ends_and_became_shorter_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = b"a: 1234\n" * 2048
    Path("dvc.lock").write_bytes(whole)
    assert lock_copies.keep() == ""
    Path("dvc.lock").write_bytes(whole[: lock_copies.BLOCK])
    assert "dvc.lock is cut off" in lock_copies.keep()


def test_git_does_not_see_the_copies_where_nothing_ignores_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(tmp_path, "git", "init", "--quiet")
    Path("dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    assert lock_copies.keep() == ""
    assert run(tmp_path, "git", "status", "--porcelain").split() == ["??", "dvc.lock"]


def test_where_nothing_can_be_written_there_is_no_copy_and_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dvc.lock").write_text("stages: {}\n")
    Path(".sengu").write_bytes(b"")  # as nobody may write below it
    assert lock_copies.keep() == ""
