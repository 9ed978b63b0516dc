"""`sengu handover verify` on a small repository: a clone, `make install`, pull, every stage again, a certificate."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from project import ROOT, attempt, run
from reruns import stubs

CODE = {"PYTHONPATH": str(ROOT / "src")}
SENGU = (sys.executable, "-m", "sengu.commands.main")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    programs = {"copy": stubs.COPY, "train": stubs.COPY, "last": stubs.COPY}
    return stubs.project(tmp_path_factory.mktemp("verify") / "project", programs)


@pytest.fixture
def folder(made: Path) -> Path:
    copy = made.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    return shutil.copytree(made, copy, symlinks=True)


def test_a_repository_that_gives_the_same_again_gets_a_certificate(folder: Path) -> None:
    (folder / "data/copy").unlink()  # what is here has no part in it
    said = run(folder, *SENGU, "handover", "verify", **CODE)
    assert "3 same; verified by 1 machine; " in said
    certificate = json.loads((folder / "reports/handover.json").read_text())
    assert certificate["result"] == "same"
    assert [row["stage"] for row in certificate["rows"]] == ["copy", "train", "last"]
    assert certificate["who"] == "Test <test@example.org>"
    assert certificate["commit"] == run(folder, "git", "rev-parse", "HEAD").strip()
    assert len(certificate["environment"]["requirements"]) == 64
    assert "Verified by 1 machine." in (folder / "reports/handover.html").read_text()
    added = run(folder, "git", "status", "--porcelain", "--untracked-files=all").split()
    assert added == ["??", next(folder.glob("reports/certificates/*-full.json")).relative_to(folder).as_posix()]


def test_the_first_stage_that_differs_is_named(folder: Path) -> None:
    (folder / "run_copy.py").write_text("import sys, time\nopen(sys.argv[2], 'w').write(f'value\\n{time.time()}\\n')\n")
    run(folder, "dvc", "repro", "--quiet")
    run(folder, "dvc", "push", "--quiet")
    stubs.commit(folder, "a clock")
    done = attempt(folder, *SENGU, "handover", "verify", "--quick", **CODE)
    assert done.returncode == 1
    last = done.stdout.splitlines()[-1]
    assert last.startswith(
        "error: copy is the first stage that does not reproduce the pinned outputs (changed): data/copy: line 2: "
    )
    assert "; it depends on the clock; see .sengu/handover.log" in last
    rows = {row["stage"]: row["state"] for row in json.loads((folder / "reports/handover.json").read_text())["rows"]}
    assert rows == {"copy": "changed", "train": "skipped", "last": "skipped"}


def test_what_was_not_pushed_cannot_be_verified(folder: Path) -> None:
    (folder / "source.csv").write_text("b\n")
    run(folder, "dvc", "repro", "--quiet")
    stubs.commit(folder, "not pushed")
    done = attempt(folder, *SENGU, "handover", "verify", "--quick", **CODE)
    assert done.returncode == 1
    assert "error: `dvc pull` in a fresh clone failed" in done.stdout
