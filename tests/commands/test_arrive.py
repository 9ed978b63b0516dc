"""`sengu arrive` from a crawl to a checked remote, in a small repository; and with a site that fails."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from bucket import add_files, repository
from project import ROOT, attempt, run

CODE = {"PYTHONPATH": str(ROOT / "src")}
ARRIVE = (sys.executable, "-m", "sengu.commands.main", "arrive")
pytestmark = pytest.mark.slow  # eight programs, of which DVC takes seconds to start


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site `birds` is crawled by a program that finds what the test has laid there; any other site fails."""
    folder = repository(tmp_path_factory.mktemp("arrive") / "top/project")
    document = yaml.safe_load((folder / "dvc.yaml").read_text())
    document["stages"]["crawl"]["do"]["cmd"] = "test ${key} = birds"
    (folder / "dvc.yaml").write_text(yaml.safe_dump(document))
    run(folder, "dvc", "commit", "--force", "--quiet", "crawl@birds")
    (folder.parent / "sengu-remote").mkdir()
    run(folder, sys.executable, "-m", "sengu.remote.configuration", ".", **CODE)
    run(folder, "dvc", "push", "--quiet", "--all-tags")
    run(folder, "git", "commit", "--quiet", "--all", "--message", "another command")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made.parent, tmp_path / "top", symlinks=True)
    local = tmp_path / "top/project/.dvc/config.local"
    local.write_text(local.read_text().replace(str(made.parent), str(tmp_path / "top")))
    return tmp_path / "top/project"


def test_what_arrived_is_rerun_pushed_checked_and_told_in_ten_lines(folder: Path) -> None:
    add_files(folder, 10, 12, 500)
    said = run(folder, *ARRIVE, **CODE)
    lines = said.splitlines()
    first = lines.index("sites: 1 crawled")
    assert [line.partition(":")[0] for line in lines[first:]] == [
        *("sites", "objects", "by site", "rejected", "objects with near-duplicates", "objects without a label"),
        *("label conflicts", "class mix", "accuracy", "pinned"),
    ]
    assert lines[-1].endswith("pushed and checked; `sengu remote report` shows the cost")
    assert json.loads((folder / "reports/metrics.json").read_text()) == {"files": 6}
    assert run(folder, "dvc", "status").strip().endswith("up to date.")
    pinned = {path.parent.name + path.name for path in (folder / ".dvc/cache/files/md5").glob("*/*")}
    arrived = {path.parent.name + path.name for path in (folder.parent / "sengu-remote/files/md5").glob("*/*")}
    assert pinned <= arrived
    # an hour later nothing is stale: nothing is crawled, and all of it holds still
    again = run(folder, *ARRIVE, **CODE).splitlines()
    assert "sites: 0 crawled" in again or "sites: 1 crawled" in again
    assert "objects: +0, now 0" in again


def test_a_site_that_fails_stops_nothing_and_is_told_last(folder: Path) -> None:
    params = folder / "params.yaml"
    params.write_text(params.read_text().replace("sites: {", "sites: { gone: { fetch: { source: folder, folder: ../gone } },"))
    add_files(folder, 10, 11, 500)
    done = attempt(folder, *ARRIVE, **CODE)
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert "sites: 1 crawled, failed: gone; `dvc repro` left stages undone" in lines
    assert lines[-1].startswith("error: 1 site could not be crawled (all others were): gone: ")
    assert lines[-1].endswith("; `dvc repro` left stages undone, see above")
    assert json.loads((folder / "reports/metrics.json").read_text()) == {"files": 5}  # what the other site brought counts


def test_what_cannot_be_pushed_is_an_error_and_lost_is_nothing(folder: Path) -> None:
    shutil.rmtree(folder.parent / "sengu-remote")
    (folder.parent / "sengu-remote").write_text("no folder")
    add_files(folder, 10, 11, 500)
    done = attempt(folder, *ARRIVE, **CODE)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("error: `dvc push` failed with exit status ")
    assert json.loads((folder / "reports/metrics.json").read_text()) == {"files": 5}
