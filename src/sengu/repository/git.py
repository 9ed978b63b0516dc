"""Git commands -> their output, for the repository in the current folder."""

import shlex
import subprocess

from sengu.base.errors import SenguError


def git(*arguments: str) -> str:
    """The output of Git, without white space around it. Raises SenguError if it fails."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SenguError(f"`git {shlex.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout.strip()


def ask(*arguments: str) -> str:
    """The output of Git; empty text if it fails, as outside a repository."""
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False).stdout.strip()
