"""Real parts for the tests: the project copied as a Git and DVC repository of its own, and programs run in a folder."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import preloaded
import pytest
import yaml

MODEL_STAGES = {"backbone", "features", "train", "label_errors", "evaluate", "export", "embed"}
ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


def needs(program: str, package: str) -> pytest.MarkDecorator:
    """For a test that starts `program` of a Debian package: skipped where it is missing, but not in CI, where it fails."""
    missing = shutil.which(program) is None and os.environ.get("CI") != "true"
    return pytest.mark.skipif(missing, reason=f"{program} is missing: apt-get install {package}")


def environment(**extra: str) -> dict[str, str]:
    """The variables of this process, with the environment's programs first, and a Git identity."""
    identity = {
        f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "test"), ("EMAIL", "t@t"))
    }
    return {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1", **identity, **extra}


def run(folder: Path, *command: str, **extra: str) -> str:
    """Runs a command that must succeed; returns everything it printed."""
    done = attempt(folder, *command, **extra)
    assert done.returncode == 0, f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout[-5000:]}"
    return done.stdout


def attempt(folder: Path, *command: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Runs a command that may fail; stdout holds both streams."""
    if preloaded.can_run(command, folder, extra):
        return preloaded.run(command, folder, environment(**extra))
    return subprocess.run(
        command, cwd=folder, env=environment(**extra), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )


def execute(folder: Path, code: str, *arguments: str) -> str:
    """Runs the text of a program, which must succeed, as `python -c` does; returns everything it printed."""
    done = preloaded.execute(code, arguments, folder, environment())
    assert done.returncode == 0, f"the program exited with {done.returncode}:\n{done.stdout[-5000:]}"
    return done.stdout


def kill_at(folder: Path, sign: str, *command: str) -> None:
    """Starts a command, and kills it and its children as soon as a file appears that says how far it is."""
    running = subprocess.Popen(
        command, cwd=folder, env=environment(), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not list(folder.glob(sign)):
        assert running.poll() is None, f"the command ended before {sign} appeared"
        time.sleep(0.005)
    os.killpg(running.pid, signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL


def locked(folder: Path, path: str = "dvc.lock") -> dict[str, Any]:
    return dict(yaml.safe_load((folder / path).read_text())["stages"])


def data_stages(folder: Path) -> dict[str, Any]:
    return {name: stage for name, stage in locked(folder).items() if name not in MODEL_STAGES}


def copy_of_the_project(folder: Path) -> Path:
    """The working tree, uncommitted changes and all, committed to a new Git repository in `folder`; no output comes along."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
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
