"""A small repository with a pipeline of programs that are written in a test, committed and pushed to a remote beside it."""

from collections.abc import Collection, Mapping
from pathlib import Path

import yaml
from project import BIN, attempt, run

MAKEFILE = f"""PYTHON ?= python3
install: .venv/.installed
.venv/.installed: requirements.txt
\tmkdir -p .venv/bin
\tfor program in dvc python; do ln -sf {BIN}/$$program .venv/bin/$$program; done
\ttouch $@
"""


def project(folder: Path, programs: Mapping[str, str], params: str = "sites: {}\n", uncached: Collection[str] = ()) -> Path:
    """A repository whose stages each run one program, which writes data/<stage>; each but the first reads what is before it.

    The outputs of stages that are `uncached` stay here, as object trees do.
    """
    folder.mkdir(parents=True)
    stages, before = {}, "source.csv"  # each program under a name that no library has
    (folder / "source.csv").write_text("a\n")
    for name, program in programs.items():
        (folder / f"run_{name}.py").write_text(program)
        out = f"data/{name}"
        stages[name] = {
            "cmd": f"mkdir -p data && python run_{name}.py {before} {out}",
            "deps": [f"run_{name}.py", before],
            "outs": [{out: {"cache": False}} if name in uncached else out],
        }
        before = out
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))
    (folder / "params.yaml").write_text(params)
    (folder / "requirements.txt").write_text("")
    (folder / "Makefile").write_text(MAKEFILE)
    (folder / ".gitignore").write_text("/data/\n/.venv/\n/.sengu/\n/reports/*\n!/reports/certificates/\n")
    run(folder, "git", "init", "--quiet", "--initial-branch", "main")
    for key, value in (("user.name", "Test"), ("user.email", "test@example.org")):
        run(folder, "git", "config", key, value)
    run(folder, "dvc", "init", "--quiet")
    run(folder, "dvc", "remote", "add", "--default", "--quiet", "beside", "../remote")
    run(folder, "dvc", "repro", "--quiet")
    commit(folder, "a pipeline")
    run(folder, "dvc", "push", "--quiet")
    return folder


def commit(folder: Path, message: str) -> None:
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", message)


COPY = "import shutil, sys\nshutil.copy(sys.argv[1], sys.argv[2])\n"


def writes(expression: str, imports: str = "os") -> str:
    """A program that writes the value of an expression."""
    return (
        f"import {imports}, sys, pathlib\n"
        f"value = {expression}\n"
        "data = value if isinstance(value, bytes) else f'{value}\\n'.encode()\n"
        "pathlib.Path(sys.argv[2]).write_bytes(data)\n"
    )


def fails(folder: Path, *command: str, **extra: str) -> str:
    """What a command printed that must exit with 1."""
    done = attempt(folder, *command, **extra)
    assert done.returncode == 1, done.stdout
    return done.stdout
