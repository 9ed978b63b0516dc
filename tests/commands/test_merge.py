"""`sengu merge` of two branches that both labelled, in a real Git and DVC repository; and what no rerun can decide."""

import re
from contextlib import chdir
from pathlib import Path

import pytest
import yaml
from project import attempt, run

from sengu.base.errors import SenguError
from sengu.commands.merge import merge_stages, resolve

PIPELINE = """
stages:
  label:
    cmd: cat labels/anna.csv > label.txt && echo label >> runs.log
    deps: [labels/anna.csv]
    outs: [label.txt]
  count:
    cmd: wc -l < label.txt > count.txt && echo count >> runs.log
    deps: [label.txt]
    outs:
      - count.txt:
          cache: false
  mine:
    cmd: cp mine.in mine.txt && echo mine >> runs.log
    deps: [mine.in]
    outs: [mine.txt]
  yours:
    cmd: cp yours.in yours.txt && echo yours >> runs.log
    deps: [yours.in]
    outs: [yours.txt]
"""


def commit(folder: Path, message: str) -> None:
    run(folder, "dvc", "repro", "--quiet")
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", message)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two branches, main and ben, on each of which a line was added to one sheet, and an input of its own changed."""
    run(tmp_path, "git", "init", "--quiet", "--initial-branch", "main")
    run(tmp_path, "dvc", "init", "--quiet")
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / ".gitattributes").write_text("labels/*.csv merge=union\n")
    (tmp_path / ".gitignore").write_text("/runs.log\n")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/anna.csv").write_text("objectId,value\na,1\n")
    for name in ("mine", "yours"):
        (tmp_path / f"{name}.in").write_text("before\n")
    commit(tmp_path, "base")
    for branch, own, line in (("ben", "yours", "b,0\n"), ("main", "mine", "c,1\n")):
        if branch == "ben":
            run(tmp_path, "git", "checkout", "--quiet", "-b", "ben")
        with (tmp_path / "labels/anna.csv").open("a") as stream:
            stream.write(line)
        (tmp_path / f"{own}.in").write_text("after\n")
        commit(tmp_path, branch)
        if branch == "ben":
            run(tmp_path, "git", "checkout", "--quiet", "main")
            run(tmp_path, "dvc", "checkout", "--quiet")
    (tmp_path / "runs.log").unlink()
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("by_hand", [False, True])
def test_two_branches_that_labelled_merge_by_running_what_differs(folder: Path, by_hand: bool) -> None:
    if by_hand:
        assert "CONFLICT (content): Merge conflict in dvc.lock" in attempt(folder, "git", "merge", "ben").stdout
        output = run(folder, "sengu", "merge")
    else:
        output = run(folder, "sengu", "merge", "ben")
    assert "both branches changed count, label" in output
    sheet = (folder / "labels/anna.csv").read_text().splitlines()
    assert sheet[:2] == ["objectId,value", "a,1"]
    assert sorted(sheet[2:]) == ["b,0", "c,1"]
    assert (folder / "count.txt").read_text().strip() == "4"
    runs = (folder / "runs.log").read_text().split()
    assert runs[:2] == ["label", "count"]
    assert "mine" not in runs
    assert (folder / "yours.txt").read_text() == "after\n"
    assert not run(folder, "git", "diff", "--name-only", "--diff-filter=U")
    run(folder, "git", "commit", "--quiet", "--message", "merged")
    assert "up to date" in run(folder, "dvc", "status")
    assert set(yaml.safe_load((folder / "dvc.lock").read_text())["stages"]) == {"label", "count", "mine", "yours"}


@pytest.mark.slow
def test_a_file_that_people_write_is_theirs_to_mend(folder: Path) -> None:
    for branch, text in (("ben", "ben's\n"), ("main", "main's\n")):
        run(folder, "git", "checkout", "--quiet", branch)
        (folder / "notes.md").write_text(text)
        run(folder, "git", "add", "notes.md")
        run(folder, "git", "commit", "--quiet", "--message", "notes")
    attempt(folder, "git", "merge", "ben")
    before = (folder / "dvc.lock").read_bytes()
    with (
        chdir(folder),
        pytest.raises(
            SenguError, match="notes.md: both branches changed this.*edit it, `git add` it, and run `sengu merge` again"
        ),
    ):
        resolve("ben")
    assert (folder / "dvc.lock").read_bytes() == before
    (folder / "notes.md").write_text("ours\n")
    run(folder, "git", "add", "notes.md")
    assert "merged: check the result with `git status`, then run `git commit`" in run(folder, "sengu", "merge")
    assert "UU" not in run(folder, "git", "status", "--short")
    run(folder, "git", "commit", "--quiet", "--no-edit")


def test_without_a_merge_it_asks_for_the_branch(tmp_path: Path) -> None:
    run(tmp_path, "git", "init", "--quiet")
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    assert "no merge is under way: name the branch to merge" in attempt(tmp_path, "sengu", "merge").stdout


def test_what_one_side_changed_is_taken_and_what_both_changed_is_listed() -> None:
    base = {"same": 1, "mine": 1, "theirs": 1, "both": 1, "gone": 1, "alike": 1, "crawl@x": {"outs": []}}
    ours = {"same": 1, "mine": 2, "theirs": 1, "both": 2, "gone": 1, "alike": 3, "new": 1, "crawl@x": {"outs": []}}
    theirs = {"same": 1, "mine": 1, "theirs": 3, "both": 3, "alike": 3, "other": 1, "crawl@x": {"outs": [{"path": "data/raw/x"}]}}
    merged = merge_stages(base, ours, theirs)
    assert merged.both == ["both"]
    assert merged.archives == ["data/raw/x"]
    del merged.stages["crawl@x"]
    assert merged.stages == {"same": 1, "mine": 2, "theirs": 3, "both": 2, "alike": 3, "new": 1, "other": 1}


def conflict(folder: Path, path: str, stage: str) -> None:
    """Leaves a merge in which both sides have another entry for a stage."""
    run(folder, "git", "init", "--quiet", "--initial-branch", "main")
    (folder / path).parent.mkdir(exist_ok=True)
    (folder / "params.yaml").write_text("sites: {}\n")
    for branch, digest in (("main", "0"), ("ben", "1"), ("main", "2")):
        run(folder, "git", "checkout", "--quiet", *(["-B", branch] if digest != "2" else [branch]))
        entry = {stage: {"cmd": "x", "outs": [{"path": "data/x", "md5": digest}]}}
        (folder / path).write_text(yaml.safe_dump({"schema": "2.0", "stages": entry}))
        run(folder, "git", "add", "--all")
        run(folder, "git", "commit", "--quiet", "--message", digest)
    attempt(folder, "git", "merge", "ben")


def test_two_crawls_of_one_site_are_not_decided_by_a_rerun(tmp_path: Path) -> None:
    conflict(tmp_path, "dvc.lock", "crawl@mine")
    with (
        chdir(tmp_path),
        pytest.raises(SenguError, match="dvc.lock: both branches crawled mine, and an archive") as refused,
    ):
        resolve("ben")
    run(tmp_path, *re.findall("`(.*?)`", str(refused.value))[0].split())  # to merge with the crawl of one branch undone
    run(tmp_path, "git", "checkout", "--quiet", "ben")
    run(tmp_path, "git", "checkout", "--quiet", "main", "--", "dvc.lock")
    run(tmp_path, "git", "commit", "--quiet", "--message", "taken back")
    run(tmp_path, "git", "checkout", "--quiet", "main")
    run(tmp_path, "sengu", "merge", "--no-repro", "ben")


def test_a_lock_file_that_is_no_yaml_is_mended_before_the_merge(tmp_path: Path) -> None:
    conflict(tmp_path, "dvc.lock", "x")
    run(tmp_path, "git", "merge", "--abort")
    run(tmp_path, "git", "checkout", "--quiet", "ben")
    whole = (tmp_path / "dvc.lock").read_bytes()
    (tmp_path / "dvc.lock").write_text("stages: [\n")
    run(tmp_path, "git", "commit", "--quiet", "--all", "--message", "broken")
    run(tmp_path, "git", "checkout", "--quiet", "main")
    attempt(tmp_path, "git", "merge", "ben")
    with (
        chdir(tmp_path),
        pytest.raises(SenguError, match=r"dvc.lock, side 3, is not YAML \(.*\): `git merge --abort`") as refused,
    ):
        resolve("ben")
    run(tmp_path, *re.findall("`(.*?)`", str(refused.value))[0].split())
    run(tmp_path, "git", "checkout", "--quiet", "ben")
    (tmp_path / "dvc.lock").write_bytes(whole)
    run(tmp_path, "git", "commit", "--quiet", "--all", "--message", "mended")
    run(tmp_path, "git", "checkout", "--quiet", "main")
    assert "both branches changed x" in run(tmp_path, "sengu", "merge", "--no-repro", "ben")


def test_two_final_versions_of_one_name_are_not_decided_by_a_rerun(tmp_path: Path) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets/dvc.yaml").write_text("stages:\n  v2: { cmd: x, frozen: true }\n")
    conflict(tmp_path, "datasets/dvc.lock", "v2")
    with chdir(tmp_path), pytest.raises(SenguError, match="both branches made the dataset version v2, which is final") as refused:
        resolve("ben")
    run(tmp_path, *re.findall("`(.*?)`", str(refused.value))[0].split())  # to rename one of the two
    run(tmp_path, "git", "checkout", "--quiet", "ben")
    for path in ("datasets/dvc.yaml", "datasets/dvc.lock"):
        text = (tmp_path / path).read_text()
        run(tmp_path, "git", "checkout", "--quiet", "main~1", "--", path)
        (tmp_path / path).write_text((tmp_path / path).read_text() + re.sub("(?s)^.*?(  v2:)", "  v3:", text))
    run(tmp_path, "git", "commit", "--quiet", "--all", "--message", "renamed")
    run(tmp_path, "git", "checkout", "--quiet", "main")
    run(tmp_path, "sengu", "merge", "--no-repro", "ben")
    assert {"v2", "v3"} <= set(yaml.safe_load((tmp_path / "datasets/dvc.lock").read_text())["stages"])
