"""`sengu objects erase`, through to the cache and the remote of a real DVC repository."""

import os
import shutil
import sys
from pathlib import Path

import pytest
import yaml
import zc.lockfile
from project import ROOT, attempt, copy_of_the_project, run
from released import tiny_release

from crawlers.demo import pictures
from sengu import embeddings, warc
from sengu.base import digests, tables
from sengu.base.ids import ObjectId
from sengu.base.tables import tombstones
from sengu.commands.objects import erase
from sengu.objects.store import ObjectStore
from sengu.repository import dvc_lock

KEPT, DOOMED = (pictures.jpeg(pictures.draw("dots", number)) for number in range(2))
ID = str(ObjectId.of(DOOMED, "jpg"))
STAGES = ["dvc repro label", "dvc repro --single-item embed"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures of a folder: crawled, hashed, pushed; then one of them erased, and all that was printed done."""
    top = tmp_path_factory.mktemp("erase")
    folder = copy_of_the_project(top / "project")
    (top / "camera").mkdir()
    (top / "camera/kept.jpg").write_bytes(KEPT)
    (top / "camera/doomed.jpg").write_bytes(DOOMED)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["sites"] = {"camera": {"fetch": {"source": "folder", "folder": "../camera"}}}
    params["label"] = {"classes": ["cat", "dog"]}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    (folder / "labels/mine.csv").write_text(f"objectId,value\n{ID},dog\n{ObjectId.of(KEPT, 'jpg')},cat\n")
    (folder / "labels/files.csv").write_text("filename,value\nkept.jpg,cat\ndoomed.jpg,dog\n")
    kept = ObjectId.of(KEPT, "jpg")
    (folder / "labels/both.csv").write_text(
        f"objectId,filename,value\n{kept},kept.jpg,cat\n,doomed.jpg,dog\n{ID},doomed.jpg,dog\n"
    )
    for name in ("dvc.lock", "datasets/dvc.lock"):
        (folder / name).unlink()
    tiny_release(folder / "models/release")
    run(folder, "bash", "-e", "-c", "\n".join(STAGES))
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", "all")
    run(folder, "dvc", "push")
    found = embeddings.read(folder / "data/embeddings")
    (top / "embedding").write_bytes(found.vectors[found.row(ID)].tobytes())
    assert describers(top) == {"project/data/embeddings", "project/.dvc/cache", "project/.sengu", "sengu-remote"}
    assert holders(top) == {"data/object", "cache", "remote", "archive", "camera"}
    done = attempt(folder, "bash", "-c", f"sengu objects erase {ID[:10]} --yes --reason 'asked to' > commands.sh 2> said.txt")
    assert done.returncode == 0, done.stdout + (folder / "said.txt").read_text()
    return folder


def holders(top: Path) -> set[str]:
    """Which places hold the bytes of the doomed picture; archives store media as they are."""
    found = set()
    piece = DOOMED[100:400]
    for name, place in {
        "project/data/object": "data/object", "project/.dvc/cache": "cache", "sengu-remote": "remote",
        "project/data/raw": "archive", "camera": "camera",
    }.items():  # fmt: skip
        if any(piece in path.read_bytes() for path in (top / name).rglob("*") if path.is_file()):
            found.add(place)
    return found


def describers(top: Path) -> set[str]:
    """Which places hold the embedding of the doomed picture."""
    vector = (top / "embedding").read_bytes()
    places = ("project/data/embeddings", "project/.dvc/cache", "project/.sengu", "sengu-remote")
    return {place for place in places if any(vector in path.read_bytes() for path in (top / place).rglob("*") if path.is_file())}


def test_tree_and_archive_are_clean_at_once_and_every_other_record_stays(repository: Path) -> None:
    assert not holders(repository.parent) & {"data/object", "archive"}
    assert "project/.sengu" not in describers(repository.parent)
    (entry,) = warc.read(repository / "data/raw/camera", "camera")
    assert warc.payload(entry) == KEPT
    assert (repository / "data/object/camera" / ObjectId.of(KEPT, "jpg").path).is_file()
    assert ID.partition(".")[0] in tombstones.erased(repository / "tombstones.csv")
    assert "asked to" in (repository / "tombstones.csv").read_text()


def test_what_was_said_names_the_lines_to_delete_and_no_others(repository: Path) -> None:
    said = (repository / "said.txt").read_text().splitlines()
    lines = [line.partition(": ")[0] for line in said if line.startswith("delete labels/")]
    assert lines == ["delete labels/both.csv:3", "delete labels/files.csv:3"]


@pytest.mark.slow
def test_nothing_brings_it_back_and_the_printed_commands_clean_cache_and_remote(repository: Path) -> None:
    for name in ("both", "files"):  # what names it by its id may stay
        sheet = repository / f"labels/{name}.csv"
        sheet.write_text("".join(line for line in sheet.read_text().splitlines(True) if line.lstrip(",") != "doomed.jpg,dog\n"))
    commands = (repository / "commands.sh").read_text().splitlines()
    assert commands[0] == "dvc repro"
    # one class is left, so training must stop; what comes before it must not, nor what the release at hand makes
    commands[:1] = STAGES
    (repository / "commands.sh").unlink()
    (repository / "said.txt").unlink()
    (repository / "folders").mkdir()  # what an export made within the repository; Git is not to get it now
    (repository / "folders/doomed.jpg").write_bytes(DOOMED)
    assert (repository / erase.COMMANDS).is_file()
    run(repository, "bash", "-e", "-c", "\n".join(commands))
    assert not (repository / erase.COMMANDS).exists()
    assert not run(repository, "git", "ls-files", "folders")
    assert holders(repository.parent) == {"camera"}
    assert describers(repository.parent) == set()
    assert embeddings.read(repository / "data/embeddings").objects == [str(ObjectId.of(KEPT, "jpg"))]
    assert ID not in (repository / "data/label.csv").read_text()

    # the folder still has it: neither a crawl, nor heal, nor a clone that pulls gets it back
    run(repository, "dvc", "repro", "--force", "--single-item", "crawl@camera")
    run(repository, "dvc", "repro", "label")
    run(repository, "sengu", "objects", "heal")
    assert holders(repository.parent) == {"camera"}
    reasons = tables.read(repository / "data/failed/camera.csv", tables.Failed)["reason"]
    assert reasons.tolist() == ["erased for good (tombstones.csv)"]
    run(repository.parent, "git", "clone", "--quiet", "project", "clone")
    run(repository.parent / "clone", "dvc", "pull", "--allow-missing")
    assert not any(DOOMED[100:400] in path.read_bytes() for path in (repository.parent / "clone").rglob("*") if path.is_file())


def test_an_erasure_that_stops_half_way_is_finished_by_the_next_and_loses_no_command(repository: Path) -> None:
    folder = shutil.copytree(repository, repository.parent / "stopped", symlinks=True)
    archive = folder / "data/raw/camera"
    (path,) = warc.files(archive, "camera")
    digest = digests.md5(path)
    name = str(ObjectId.of(KEPT, "jpg"))
    command = ("sengu", "objects", "erase", name, "--yes", "--reason", "asked to")
    lock = zc.lockfile.LockFile(str(folder / ".dvc/tmp/lock"))  # as another `dvc` that is at work
    try:
        stopped = attempt(folder, *command)
    finally:
        lock.close()
    assert stopped.returncode == 1
    assert f"again; the remaining commands are kept in {erase.COMMANDS}" in stopped.stdout
    assert digests.md5(path) != digest

    said = run(folder, *command).splitlines()
    copies = [line for line in said if line.startswith("rm --force /") and line.endswith(f"/files/md5/{digest[:2]}/{digest[2:]}")]
    assert len(copies) == 1  # in the cache
    assert any(line.startswith("sengu remote forget ") and digest in line for line in said)
    pinned = dvc_lock.pinned_output("crawl@camera", Path("data/raw/camera"), folder / "dvc.lock")
    assert pinned["md5"] == dvc_lock.dvc_hash(archive)
    assert not (folder / "data/object/camera" / ObjectId.parse(name).path).exists()


def test_lines_of_sheets_are_those_of_an_editor(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("params.yaml", "data/index", "data/captures", "labels"):
        copy = shutil.copytree if (repository / name).is_dir() else shutil.copy
        (tmp_path / name).parent.mkdir(exist_ok=True)
        copy(repository / name, tmp_path / name)
    (tmp_path / "labels/files.csv").write_text('note,filename,value\n"two\nlines",other.jpg,cat\n,kept.jpg,dog\n')
    monkeypatch.chdir(tmp_path)
    assert erase.sheet_lines([ObjectId.of(KEPT, "jpg")]) == ["labels/files.csv:4"]


def test_without_a_yes_it_asks_and_no_means_no(repository: Path) -> None:
    name = str(ObjectId.of(KEPT, "jpg"))
    done = attempt(repository, "bash", "-c", f"echo n | sengu objects erase {name} --reason x")
    assert done.returncode == 1
    assert (repository / "data/object/camera" / ObjectId.of(KEPT, "jpg").path).is_file()
    assert name.partition(".")[0] not in tombstones.erased(repository / "tombstones.csv")


def payloads(folder: Path) -> set[bytes]:
    return {warc.payload(entry) for entry in warc.read(folder / "data/raw/demo_a", "demo_a") if entry.url.endswith(".jpg")}


@pytest.mark.slow
def test_the_archive_of_a_reproducible_site_is_made_anew_and_any_clone_makes_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy_of_the_project(tmp_path / "project")
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["sites"]["demo_a"]["fetch"]["take"] = [r"dots-1\d\.jpg"]  # all of them would take their time
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(folder)
    crawl = (sys.executable, "-m", "crawlers.crawl", "demo_a", "data/raw/demo_a", "data/failed/demo_a.csv")
    run(folder, *crawl)
    before = payloads(folder)
    doomed = ObjectId.of(min(before), "jpg")
    (folder / "data/object/demo_a").mkdir(parents=True)
    monkeypatch.setenv("PATH", os.defpath)  # the environment need not be activated
    erase.erase([doomed], "asked to", ObjectStore.below(folder / "data/object"))

    assert payloads(folder) == before - {min(before)}
    pinned = dvc_lock.pinned_output("crawl@demo_a", Path("data/raw/demo_a"))
    assert pinned["md5"] == dvc_lock.dvc_hash(folder / "data/raw/demo_a")
    run(folder, *crawl)  # which stops where the archive is not what is pinned
