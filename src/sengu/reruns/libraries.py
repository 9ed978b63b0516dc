"""pyproject.toml -> the newest versions of its packages, or those of a day; versions -> an environment, by uv."""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from packaging.markers import Marker

from sengu.base.errors import SenguError
from sengu.reruns.bisection import Versions

PINNED = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[^\]\s]*\])?==([^\s;\\]+)(?:[ \t]*;[ \t]*([^\\\n]+))?", re.MULTILINE)
EXACT = re.compile(r'("[A-Za-z0-9][\w.-]*(?:\[[^\]"]*\])?)==([^*"]+)"')
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def versions(text: str) -> dict[str, str]:
    """The versions that a lock file pins for this Python and platform; for others it may pin other ones, and more packages."""
    return {
        name.lower().replace("_", "-"): version
        for name, version, marker in PINNED.findall(text)
        if not marker or Marker(marker.strip()).evaluate()
    }


def loosened(pyproject: str) -> str:
    """pyproject.toml with every exact version turned into a minimum."""
    return EXACT.sub(r'\1>=\2"', pyproject)


def repinned(pyproject: str, wanted: Versions) -> str:
    """pyproject.toml with every exact version turned into the one of the package in `wanted`."""

    def exact(match: re.Match[str]) -> str:
        name = match[1].strip('"').partition("[")[0].lower().replace("_", "-")
        return f'{match[1]}=={wanted.get(name, match[2])}"'

    return EXACT.sub(exact, pyproject)


def compile_newest(pyproject: Path, until: date | None = None) -> str:
    """The lock file of the newest versions, or of those of a day if the index has dates. Raises SenguError if none fit."""
    options = ["--exclude-newer", until.isoformat()] if until else []
    return _uv("pip", "compile", "--quiet", "--universal", "--python-version", PYTHON, "--upgrade", "--generate-hashes",
               "--no-emit-index-url", "--no-emit-find-links", "--extra", "test", *options, pyproject.name,
               folder=pyproject.parent)  # fmt: skip


def make(folder: Path, wanted: Versions) -> Path:
    """Makes an environment of exactly these versions; returns its bin folder. Raises SenguError if they cannot be installed."""
    shutil.rmtree(folder, ignore_errors=True)
    _uv("venv", "--quiet", "--python", PYTHON, str(folder))
    listed = folder / "requirements.txt"
    listed.write_text("".join(f"{name}=={version}\n" for name, version in sorted(wanted.items())), encoding="utf-8")
    _uv("pip", "install", "--quiet", "--no-deps", "--python", str(folder / "bin/python"), "--requirement", str(listed))
    return folder / "bin"


def install_project(programs: Path, project: Path) -> None:
    """Installs the project itself, as `make install` does, if it is one that can be built."""
    if "[build-system]" not in (project / "pyproject.toml").read_text(encoding="utf-8"):
        return
    _uv("pip", "install", "--quiet", "--no-build-isolation", "--no-deps", "--python", str(programs / "python"),
        "--editable", str(project))  # fmt: skip


def table(old: Mapping[str, str], new: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Rows (package, old version, new version) of all that differ; "" if there is none."""
    return [(name, old.get(name, ""), new.get(name, "")) for name in sorted({**old, **new}) if old.get(name) != new.get(name)]


def _uv(*arguments: str, folder: Path | None = None) -> str:
    if shutil.which("uv") is None:
        raise SenguError("there is no uv: install it with `pip install uv`, or see docs/handover.md")
    done = subprocess.run(["uv", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = " ".join(done.stderr.split())
        raise SenguError(f"`uv {' '.join(arguments[:2])}` failed: {reason[-1500:]}")
    return done.stdout
