"""Real parts for the tests: a copy of the project as a Git and DVC repository of its own, and programs run in it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


def environment(**extra: str) -> dict[str, str]:
    """The variables of this process, with the environment's programs first, and a Git identity."""
    identity = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "test"), ("EMAIL", "t@t"))}
    return {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1", **identity, **extra}


def run(folder: Path, *command: str, **extra: str) -> str:
    """Runs a command that must succeed; returns everything it printed."""
    done = attempt(folder, *command, **extra)
    assert done.returncode == 0, f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout[-5000:]}"
    return done.stdout


def attempt(folder: Path, *command: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Runs a command that may fail; stdout holds both streams."""
    return subprocess.run(
        command, cwd=folder, env=environment(**extra), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )


def copy_of_the_project(folder: Path) -> Path:
    """The working tree, uncommitted changes and all, committed to a new Git repository in `folder`; no output comes along."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink() or source.exists():
            shutil.copy2(source, target, follow_symlinks=False)
    run(folder, "git", "init", "--quiet", "--initial-branch", "main")
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", "copy")
    return folder


@pytest.fixture(scope="session")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which `dvc repro` has run from nothing, once for all tests; they must not change it."""
    folder = copy_of_the_project(tmp_path_factory.mktemp("rebuilt") / "project")
    (folder / "repro.log").write_text(run(folder, "dvc", "repro"))
    return folder


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[str | Path]], str]:
    """Runs a stage as a program in the test's own folder, which has the project's params.yaml; returns what it printed."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return lambda command: run(tmp_path, sys.executable, "-m", *map(str, command))
