"""A repository -> a clone of one commit, which depends only on Git, the remote and the lock file of the environment."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dvc.config import Config
from dvc.repo import Repo

from sengu.base.errors import SenguError
from sengu.repository.git import git

# variables that a program may need: a proxy, and the secrets of the remote
PASSED = ("PATH", "TMPDIR", "LANG", "TERM", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
PASSED_TOO = ("AWS_", "SSL_CERT", "REQUESTS_CA_BUNDLE", "NVIDIA_", "CUDA_")
SHOWN = 12  # lines of a program that failed


@dataclass(frozen=True)
class Clone:
    """A temporary clone, and the home folder and programs with which its stages run."""

    folder: Path
    home: Path
    programs: Path  # the bin folder of the environment
    log: Path

    def run(self, *command: str, extra: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a program in the clone, with few variables and an empty home; its output also goes to the log."""
        variables = passed() | {
            "HOME": str(self.home),
            "PATH": f"{self.programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "DVC_NO_ANALYTICS": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**variables, **(extra or {})},
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(command)}\n{done.stdout}")
        return done

    def must_run(self, *command: str, extra: Mapping[str, str] | None = None) -> str:
        """Runs a program as `run` does; raises SenguError with the end of its output if it fails."""
        done = self.run(*command, extra=extra)
        if done.returncode:
            raise SenguError(f"`{' '.join(command)}` in a fresh clone failed ({done.returncode}): {tail(done.stdout)}")
        return done.stdout


def passed() -> dict[str, str]:
    """The variables of this process that a rerun gets."""
    return {name: value for name, value in os.environ.items() if name in PASSED or name.startswith(PASSED_TOO)}


def tail(text: str) -> str:
    """The last lines of an output, in one line."""
    return " | ".join(line.strip() for line in text.splitlines()[-SHOWN:] if line.strip())


@contextmanager
def temporary_clone(source: Path, rev: str, log: Path, keep: bool = False) -> Iterator[Clone]:
    """Clones a commit of a repository into a temporary folder: an empty cache, an empty home, the programs of this environment.

    With `keep`, the clone stays, and the log has its path. Raises SenguError for a missing commit.
    """
    commit = git("-C", str(source), "rev-parse", "--verify", f"{rev}^{{commit}}")
    base = Path(tempfile.mkdtemp(prefix="sengu-rerun-"))
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("", encoding="utf-8")
    try:
        folder, home = base / "clone", base / "home"
        home.mkdir()
        git("clone", "--quiet", "--no-hardlinks", "--no-checkout", str(source.resolve()), str(folder))
        git("-C", str(folder), "checkout", "--quiet", "--detach", commit)
        _reach_remotes(source, folder)
        yield Clone(folder, home, Path(sys.executable).parent, log)
    finally:
        if not keep:
            shutil.rmtree(base, ignore_errors=True)


def _reach_remotes(source: Path, folder: Path) -> None:
    """Writes the source's remotes into .dvc/config.local of the clone, folders with their absolute paths."""
    with Repo(str(source)) as repo:
        remotes = {name: dict(remote) for name, remote in repo.config["remote"].items()}
        default = repo.config["core"].get("remote")
    wanted = {name: {key: value for key, value in remote.items() if value is not None} for name, remote in remotes.items()}
    for remote in wanted.values():
        if "://" not in str(remote["url"]):
            remote["url"] = str(Path(source, ".dvc", str(remote["url"])).resolve())
    with Config(str(folder / ".dvc")).edit("local") as config:
        config["remote"] = wanted
        if default:
            config["core"] = {"remote": default}


def new_environment(clone: Clone) -> Clone:
    """Sets up the environment of the lock file in the clone, by `make install`; pip's cache and settings are those of the user.

    Returns the clone with the programs of that environment. Raises SenguError if it cannot be made.
    """
    python = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    pip = {name: value for name, value in os.environ.items() if name == "HOME" or name.startswith(("PIP_", "UV_", "XDG_"))}
    clone.must_run("make", "install", *([f"PYTHON={python}"] if python.is_file() else []), extra=pip)
    programs = clone.folder / ".venv/bin"
    if not (programs / "dvc").exists():
        raise SenguError(f"`make install` of a fresh clone made no {programs.name}/dvc: see Makefile")
    return Clone(clone.folder, clone.home, programs, clone.log)
