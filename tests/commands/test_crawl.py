"""`sengu crawl` and `sengu arrive` in a copy of the project with real crawls of folders, one of which is not there."""

import os
import shutil
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml
from project import copy_of_the_project, run
from reruns import stubs

from crawlers.demo import pictures
from sengu.base import params
from sengu.base.errors import SenguError
from sengu.commands import arrive, crawl
from sengu.commands.arrive import Snapshot
from sengu.commands.crawl import Crawled
from sengu.repository import comparing
from sengu.warc import last_crawl

SENGU = (sys.executable, "-m", "sengu.commands.main")


def made(folder: Path) -> Path:
    """A copy of the project whose sites are the folders beside it: left, right, and gone, which is not there."""
    copy_of_the_project(folder)
    for number, name in enumerate(("left", "right")):
        (folder.parent / name).mkdir(exist_ok=True)
        (folder.parent / name / "a.png").write_bytes(pictures.png(np.full((40, 60, 3), 100 + number, np.uint8)))
        os.utime(folder.parent / name / "a.png", (0, 0))
    document = yaml.safe_load((folder / "params.yaml").read_text())
    sites = {name: {"fetch": {"source": "folder", "folder": f"../{name}", "device": "d"}} for name in ("left", "right", "gone")}
    (folder / "params.yaml").write_text(yaml.safe_dump({**document, "sites": sites}))
    (folder / "dvc.lock").unlink()
    return folder


@pytest.mark.slow
def test_sites_are_crawled_at_once_and_a_failure_stops_no_other(tmp_path: Path) -> None:
    folder = made(tmp_path / "project")
    said = stubs.fails(folder, *SENGU, "crawl", "--all")
    assert "2 of 3 sites crawled; next: dvc repro" in said
    last = said.splitlines()[-1]
    assert last.startswith("error: 1 site could not be crawled (all others were): gone: params.yaml: sites.gone.fetch.folder: ")
    locked = comparing.pinned(comparing.stages(folder))
    assert {stage for stage, _ in locked if stage.startswith("crawl")} == {"crawl@left", "crawl@right"}
    for site in ("left", "right"):
        assert f"crawl@{site}" not in run(folder, "dvc", "status", f"crawl@{site}")
    before = (folder / "dvc.lock").read_bytes()
    shutil.rmtree(folder / ".dvc/cache/runs", ignore_errors=True)
    assert "Running stage" not in run(folder, "dvc", "repro", "crawl@left", "crawl@right")
    assert (folder / "dvc.lock").read_bytes() == before  # what `dvc repro` would have made of it


def test_stale_sites_are_chosen_by_their_last_crawl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sites = {name: {"fetch": {"source": "folder", "folder": "."}} for name in ("fresh", "never")}
    params.PARAMS.write_text(yaml.safe_dump({"sites": sites}))
    last_crawl.crawled("fresh")
    assert crawl.choose((), every=False, stale="7d") == ["never"]
    assert crawl.choose(("fresh",), every=False, stale="7d") == []
    assert crawl.choose((), every=True, stale="7d", now=datetime.now(UTC) + timedelta(days=8)) == ["fresh", "never"]
    assert crawl.choose(("fresh",), every=False, stale=None) == ["fresh"]
    with pytest.raises(SenguError, match="there is no site other: the sites are fresh, never"):
        crawl.choose(("other",), every=False, stale=None)
    with pytest.raises(SenguError, match="--stale is '7 days': give it in hours, days or weeks"):
        crawl.choose((), every=True, stale="7 days")


def test_what_is_new_takes_ten_lines() -> None:
    old = Snapshot(Counter(a=2), 1, Counter({"cat": 1, "dog": 1}), accuracy=0.9, bytes=1_000_000)
    new = Snapshot(Counter(a=2, b=3), 1, Counter({"cat": 3, "dog": 1}), conflicts=1, accuracy=0.95, bytes=3_500_000)
    assert arrive.news(old, new, [Crawled("a", 0, ""), Crawled("b", 1, "no")], "pushed") == [
        "sites: 1 crawled, failed: b",
        "objects: +3, now 5",
        "by site: b +3",
        "rejected: +0, now 1",
        "objects with near-duplicates: +0, now 0",
        "objects without a label: 1; `sengu suggest` says which to label first",
        "label conflicts: +1, now 1",
        "class mix: cat: 75.0% (+25.0%), dog: 25.0% (-25.0%); drift 25.0%",
        "accuracy: 0.9500 (before: 0.9000)",
        "pinned: +2.5 MB, now 3.5 MB; pushed",
    ]
