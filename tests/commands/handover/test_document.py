"""HANDOVER.md and the screen of gaps, of a small repository to which the missing facts are added one by one."""

import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from embedded import sengu_in
from project import ROOT, run
from reruns import stubs

from sengu.base.errors import SenguError
from sengu.base.names import counted
from sengu.commands.handover import document, facts, status
from sengu.repository import comparing
from sengu.reruns import certificates, rerunning

PARAMS = """sites:
  birds: { fetch: { source: generic, start: ["https://birds.example.org/"], spider: json_ld } }
export: { name: birds, version: 0.1.0 }
label: { classes: [sky, bird] }
"""
CODE = {"PYTHONPATH": str(ROOT / "src")}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = stubs.project(tmp_path_factory.mktemp("document") / "project", {"crawl": stubs.COPY, "train": stubs.COPY}, PARAMS)
    (folder / "labels").mkdir()
    (folder / "labels/RULES.md").write_text("# Rules\n\nA bird has feathers.\n")
    (folder / "labels/ann.csv").write_text("objectId,value\n" + "a,0\n" * 12)
    (folder / "tombstones.csv").write_text("objectId,reason,date\n")
    (folder / "params.yaml").write_text(PARAMS + PROJECT)
    run(folder, "dvc", "repro", "--quiet")
    stubs.commit(folder, "labels")
    run(folder, "git", "clone", "--quiet", "--bare", ".", "../origin.git")
    run(folder, "git", "remote", "add", "origin", "../origin.git")
    run(folder, "git", "fetch", "--quiet")
    outputs = comparing.digest(comparing.stages(folder))
    rows = [rerunning.Row("crawl", "same", 1.0), rerunning.Row("train", "same", 2.0)]
    one = certificates.certificate("0" * 40, outputs, False, certificates.Environment("3.11", ""), rows)
    certificates.save(one, folder / certificates.FOLDER)
    stubs.commit(folder, "verified")
    run(folder, "git", "push", "--quiet", "origin", "main")
    return folder


PROJECT = "project: { name: birds, purpose: Tells birds from the sky., contact: ann@example.org }\n"


@pytest.fixture
def folder(made: Path) -> Path:
    copy = made.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    return shutil.copytree(made, copy, symlinks=True)


def test_the_document_is_made_of_facts_and_goes_stale(folder: Path) -> None:
    sengu_in(folder, "handover", "document")
    text = (folder / "HANDOVER.md").read_text()
    for expected in (
        "# birds\n\nTells birds from the sky.\n",
        "| owner, contact | ann@example.org |",
        "| data | DVC remote beside ",
        "| birds | crawlers/spiders/json_ld.py: https://birds.example.org/ |",
        "Rules: labels/RULES.md (Rules).",
        "| ann.csv | 12 |",
        "on 1 machine.",
        "Agreement between annotators: no picture was labelled blind by two or more.",
        "- The default remote is a folder of one machine.",
    ):
        assert expected in text
    sengu_in(folder, "handover", "document", "--check")
    (folder / "HANDOVER.md").write_text(text.replace("feathers", "wings").replace("birds", "bats"))
    with pytest.raises(SenguError, match="HANDOVER.md is missing or stale"):
        sengu_in(folder, "handover", "document", "--check")
    (folder / "HANDOVER.md").write_text(text)
    sengu_in(folder, "handover", "document", "--check")
    (folder / "labels/ann.csv").write_text("objectId,value\na,0\n")
    with pytest.raises(SenguError, match="HANDOVER.md is missing or stale"):
        sengu_in(folder, "handover", "document", "--check")


def test_the_agreement_of_annotators_is_computed_from_the_sheets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [f"{number:040x}.jpg" for number in range(10)]
    for name, values in (("ann", "0000011111"), ("bob", "0000111111")):
        rows = "".join(f"{one},{value},blind\n" for one, value in zip(ids, values, strict=True))
        (folder / f"labels/{name}.csv").write_text(f"objectId,value,how\n{rows}")
    monkeypatch.chdir(folder)
    assert facts.agreement().startswith("10 pictures were labelled blind by two or more: raw 0.900 (")


def test_quizzes_are_in_the_document_once_there_are_any(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sengu_in(folder, "handover", "document")
    assert "Quiz" not in (folder / "HANDOVER.md").read_text()
    ids = [f"{number:040x}.jpg" for number in range(4)]
    (folder / "labels/ann.csv").write_text("objectId,value\n" + "".join(f"{name},bird\n" for name in ids))
    (folder / "quiz").mkdir()
    values = ("bird", "bird", "bird", "sky")
    answers = "".join(f"{name},{value},bob,labels of ann\n" for name, value in zip(ids, values, strict=True))
    (folder / "quiz/bob.csv").write_text(f"objectId,value,annotator,note\n{answers}")
    stubs.commit(folder, "a quiz")
    sengu_in(folder, "handover", "document")
    assert "- bob agrees with ann on 3 of 4 pictures, 75.0% (30.1% to 95.4%).\n" in (folder / "HANDOVER.md").read_text()


def test_outputs_that_changed_since_a_rerun_are_said_to_have(folder: Path) -> None:
    run(folder, "dvc", "remote", "modify", "beside", "url", "../apart")  # the other tests have theirs in common
    (folder / "source.csv").write_text("other\n")
    run(folder, "dvc", "repro", "--quiet")
    run(folder, "dvc", "push", "--quiet")
    stubs.commit(folder, "other data, and where it is")
    sengu_in(folder, "handover", "document")
    text = (folder / "HANDOVER.md").read_text()
    assert "on 0 machines." in text
    assert "- The outputs changed since the last verified rerun." in text


def no_project(folder: Path) -> None:
    (folder / "params.yaml").write_text(PARAMS)
    stubs.commit(folder, "no project")
    run(folder, "git", "push", "--quiet", "origin", "main")


def changed(folder: Path) -> None:
    (folder / "source.csv").write_text("other\n")
    run(folder, "dvc", "repro", "--quiet")
    stubs.commit(folder, "other data")


def never(folder: Path) -> None:
    (certificate,) = (folder / certificates.FOLDER).iterdir()
    one = certificates.read(certificate)
    certificates.write(replace(one, rows=(replace(one.rows[0], state="changed"),)), certificate)  # it was tried, and failed


def object_gone(folder: Path) -> None:
    cache = next(path for path in (folder.parent / "remote/files/md5").rglob("*") if path.is_file())
    shutil.copytree(folder.parent / "remote", folder.parent / "other", dirs_exist_ok=True)
    (folder.parent / "other" / cache.relative_to(folder.parent / "remote")).unlink()
    run(folder, "dvc", "remote", "modify", "beside", "url", "../other")
    stubs.commit(folder, "another remote")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (no_project, "no purpose: .*; no contact: "),
        (lambda folder: (folder / "labels/new.csv").write_text("objectId,value\n"), "labels are not committed: labels/new.csv"),
        (changed, "not in the remote: "),
        (never, "these outputs were never verified"),
        (object_gone, "not in the remote: 1 object: "),
    ],
    ids=["no project", "uncommitted", "changed", "never verified", "unpushed"],
)
def test_there_is_no_document_while_a_fact_is_missing(folder: Path, change: Callable[[Path], None], what: str) -> None:
    change(folder)
    with pytest.raises(SenguError, match=what):
        sengu_in(folder, "handover", "document")
    assert not (folder / "HANDOVER.md").exists()


def test_the_screen_names_each_gap_with_its_cure_and_who_has_gone_on(folder: Path) -> None:
    (folder / "labels/bob.csv").write_text("objectId,value\nb,1\n")
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", "annotated", "--author", "Bob <bob@example.org>")
    (folder / "source.csv").write_text("other\n")
    run(folder, "dvc", "repro", "--quiet")
    run(folder, "git", "commit", "--quiet", "--all", "--message", "trained", "--author", "Bob <bob@example.org>")
    done = stubs.fails(folder, sys.executable, "-m", "sengu.commands.main", "handover", "status", **CODE)
    lines = done.splitlines()
    assert lines[0] == "Could you leave tomorrow? Not yet: 5 gaps."
    assert "gap  no address of the repository: params.yaml has no project.repository" in lines
    position = lines.index("gap  on this machine only: 2 commits")
    assert lines[position + 1].strip() == "git push"
    assert "      sengu handover verify && git add reports/certificates && git commit" in lines
    drills = {
        line[5:25].strip(): line[26:] for line in lines[lines.index("A successor (somebody but the first author) has") + 1 :]
    }
    assert drills["annotated"].startswith("Bob <bob@example.org>, ")
    assert drills["retrained"].startswith("Bob <bob@example.org>, ")
    assert drills["extended a version"] == "nobody yet: sengu dataset create"


def test_a_stage_that_failed_is_a_gap_and_nobody_has_retrained(folder: Path) -> None:
    lock = yaml.safe_load((folder / "dvc.lock").read_text())
    lost = [out["path"] for out in lock["stages"].pop("train")["outs"]]
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock))
    run(folder, "git", "commit", "--quiet", "--all", "--message", "tried", "--author", "Bob <bob@example.org>")
    said = stubs.fails(folder, sys.executable, "-m", "sengu.commands.main", "handover", "status", **CODE)
    assert f"gap  {counted(len(lost), 'output')} never made: {', '.join(lost)}\n      dvc repro && git commit --all\n" in said
    assert re.search("^ +retrained +nobody yet", said, re.MULTILINE)
    assert "WARNING" not in said
    run(folder, "dvc", "repro", "--quiet")
    run(folder, "git", "commit", "--quiet", "--all", "--message", "made")
    assert "never made" not in stubs.fails(folder, sys.executable, "-m", "sengu.commands.main", "handover", "status", **CODE)


@pytest.mark.parametrize(("parent", "what"), [("C", "B comes from C, which is not a version"), ("B", "B <- B is a circle")])
def test_a_broken_family_tree_is_a_gap_beside_the_others(
    folder: Path, monkeypatch: pytest.MonkeyPatch, parent: str, what: str
) -> None:
    stages = {"B": {"cmd": "x", "wdir": "..", "outs": ["data/dataset/B"], "deps": [f"data/dataset/{parent}"]}}
    (folder / "datasets").mkdir()
    (folder / "datasets/dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    monkeypatch.chdir(folder)
    gathered = facts.gather()
    assert gathered.datasets == () and what in gathered.broken_tree
    first, *_ = (gap for gap in status.gaps(gathered) if "family tree" in gap.what)
    assert what in first.what and first.cure == "correct datasets/dvc.yaml"
    with pytest.raises(SenguError, match="the family tree of the dataset versions is broken"):
        sengu_in(folder, "handover", "document")


def test_the_document_says_where_each_version_comes_from_and_what_the_model_learned(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = {
        "A": {"outs": ["data/dataset/A"], "frozen": True, "meta": {"finalised": "1.2.0"}},
        "B": {"outs": ["data/dataset/B"], "deps": ["data/dataset/A"], "frozen": True},
        "C": {"outs": ["data/dataset/C"], "deps": ["data/dataset/A", "data/dataset/B"]},
    }
    (folder / "datasets").mkdir()
    (folder / "datasets/dvc.yaml").write_text(
        yaml.safe_dump({"stages": {name: {"cmd": "x", "wdir": "..", **of} for name, of in stages.items()}})
    )
    (folder / "data/dataset").mkdir(parents=True, exist_ok=True)
    (folder / "data/dataset/F.dvc").write_text("frozen: true\n")
    lock = yaml.safe_load((folder / "dvc.lock").read_text())
    lock["stages"]["split"] = {"cmd": "python -m sengu.stages.split data/dataset/A data/split_label.csv"}
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock))
    monkeypatch.chdir(folder)
    written = document.text(facts.gather())
    rows = ["| A | - | final, 1.2.0 | - |", "| B | A | frozen | - |", "| C | A, B | open | - |", "| F | - | imported | - |"]
    assert "\n".join(rows) in written
    assert "The model is `birds 0.1.0`, trained on A; " in written


@pytest.mark.skipif(not (ROOT / "HANDOVER.md").is_file(), reason="this repository has no HANDOVER.md yet")
def test_the_document_of_this_repository_is_not_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert document.is_current(facts.gather()), "run `sengu handover document` and commit HANDOVER.md"


def test_what_was_not_made_again_after_its_inputs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a release is after a run of `evaluate` alone; a frozen version is meant to be older."""
    monkeypatch.chdir(tmp_path)

    def locked(**values: str) -> None:
        def entries(*paths: str) -> list[dict[str, str]]:
            return [{"path": path, "md5": values[path]} for path in paths]

        stages = {
            "label": {"outs": entries("labels.csv")},
            "train": {"deps": entries("code"), "outs": entries("model")},
            "export": {"deps": [{"path": "model", "md5": "a"}], "outs": entries("release")},
        }
        version = {"v1": {"deps": [{"path": "labels.csv", "md5": "a"}], "outs": entries("v1")}}
        for path, part in (("dvc.lock", stages), ("datasets/dvc.lock", version)):
            Path(path).parent.mkdir(exist_ok=True)
            Path(path).write_text(yaml.safe_dump({"schema": "2.0", "stages": part}))

    same = dict.fromkeys(("labels.csv", "code", "model", "release", "v1"), "a")
    Path("datasets").mkdir()
    for frozen, names in ((False, ["datasets:v1"]), (True, [])):
        Path("datasets/dvc.yaml").write_text(yaml.safe_dump({"stages": {"v1": {"cmd": "true", "frozen": frozen}}}))
        locked(**same)
        assert status.outdated() == []
        locked(**{**same, "code": "b", "release": "b"})
        assert status.outdated() == []
        locked(**{**same, "model": "b", "labels.csv": "b"})
        assert status.outdated() == ["export", *names]
