"""`sengu verify` and `sengu heal` in a real DVC repository, of which each test damages something."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from project import attempt, copy_of_the_project, run

from crawlers.demo import pictures
from sengu.base import locks
from sengu.base.errors import SenguError
from sengu.commands import verify
from sengu.repository import verified
from sengu.repository.dvc_lock import pinned_output

ARCHIVE = "data/raw/web/web-00000.warc.gz"
CRAWL = ("dvc", "repro", "--force", "--single-item", "crawl@web")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with one folder as its site, run as far as the objects, committed, and pushed to a folder beside it."""
    folder = copy_of_the_project(tmp_path_factory.mktemp("verified") / "project")
    for number in range(4):
        path = folder / f"camera/{'cat' if number % 2 else 'dog'}/{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pictures.jpeg(pictures.draw("dots", number)))
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["sites"] = {"web": {"fetch": {"source": "folder", "folder": "camera"}}}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    for name in ("dvc.lock", "datasets/dvc.lock"):
        (folder / name).unlink(missing_ok=True)
    run(folder, "dvc", "repro", "objects@web")
    run(folder, "dvc", "push")
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", "made")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage, hard links and remote and all."""
    subprocess.run(["cp", "--archive", made.parent, tmp_path / "copy"], check=True)
    return tmp_path / "copy/project"


def flip(path: Path) -> None:
    """Turns one bit of a file, whose size and time stay."""
    state, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    with path.open("r+b") as stream:
        stream.write(data)
    path.chmod(state.st_mode & 0o777)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def cached(folder: Path, path: str) -> Path:
    return folder / cached_name(folder, path)


def cached_name(folder: Path, path: str) -> str:
    done = subprocess.run(["md5sum", folder / path], capture_output=True, text=True, check=True).stdout.split()[0]
    return f".dvc/cache/files/md5/{done[:2]}/{done[2:]}"


def leaf(folder: Path) -> str:
    return str(min((folder / "data/object/web").rglob("*.jpg")).relative_to(folder))


def state(folder: Path) -> dict[str, bytes]:
    kept = [*(folder / "data").rglob("*"), folder / "dvc.lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept if path.is_file()}


def without_copies(folder: Path) -> None:
    """Leaves the working tree only: no cache and no remote has anything."""
    shutil.rmtree(folder / ".dvc/cache")
    shutil.rmtree(folder.parent / "sengu-remote")
    (folder.parent / "sengu-remote").mkdir()


@pytest.mark.parametrize("name", [ARCHIVE, "data/captures/web.csv", "data/index/web.csv", "tree"])
@pytest.mark.parametrize("is_linked", [True, False])
def test_a_flipped_byte_is_named_with_who_needs_it_and_healed(folder: Path, name: str, is_linked: bool) -> None:
    name = leaf(folder) if name == "tree" else name
    before = state(folder)
    run(folder, "dvc", "status")  # which keeps how the files look
    if not is_linked:  # its copy in the cache stays whole
        shutil.copy2(folder / name, folder / "x")
        (folder / "x").replace(folder / name)
    flip(folder / name)
    if is_linked:
        assert run(folder, "dvc", "status", "crawl@web", "extract@web").strip() == "Data and pipelines are up to date."
    done = attempt(folder, "sengu", "verify")
    assert done.returncode == 1
    (row,) = [line for line in done.stdout.splitlines() if line.split()[:2] == ["damaged", name]]
    needed = {ARCHIVE: "extract@web, objects@web", "data/captures/web.csv": "label, objects@web"}.get(name, "")
    assert needed in row
    assert "`sengu heal`" in row
    run(folder, "sengu", "heal")
    assert state(folder) == before
    assert "everything that was checked is intact" in run(folder, "sengu", "verify")


def test_what_no_copy_has_is_rebuilt_and_an_archive_is_asked_for_by_its_md5(folder: Path) -> None:
    before = state(folder)
    saved = folder.parent / "backup"
    shutil.copyfile(folder / ARCHIVE, saved)
    without_copies(folder)
    for name in ("data/captures/web.csv", "data/index/web.csv", leaf(folder)):
        flip(folder / name)
    said = run(folder, "sengu", "heal")
    assert "the outputs of extract@web: rebuilt" in said
    assert state(folder) == before
    flip(folder / ARCHIVE)
    run(folder, "dvc", "remote", "remove", "local")
    done = attempt(folder, "sengu", "heal")
    assert done.returncode == 1
    md5 = subprocess.run(["md5sum", saved], capture_output=True, text=True, check=True).stdout.split()[0]
    assert f"no other copy is known here: put one with MD5 {md5} in its place" in done.stdout
    (folder / ARCHIVE).unlink()  # which may only be read
    shutil.copyfile(saved, folder / ARCHIVE)
    run(folder, "sengu", "verify")


def test_a_damaged_cache_comes_back_from_the_tree_or_the_remote(folder: Path) -> None:
    paths = [ARCHIVE, "data/captures/web.csv"]
    copies = [cached(folder, path) for path in paths]
    whole = [path.read_bytes() for path in copies]
    for path, copy in zip(paths, copies, strict=True):
        shutil.copyfile(folder / path, folder / "x")
        (folder / "x").replace(folder / path)
        flip(copy)
    (folder / paths[1]).unlink()
    done = attempt(folder, "sengu", "verify")
    assert all(str(copy.relative_to(folder)) in done.stdout for copy in copies)
    said = run(folder, "sengu", "heal", *(() if done.returncode else ("data",)))
    assert f"from {ARCHIVE}" in said
    assert [copy.read_bytes() for copy in copies] == whole


@pytest.mark.parametrize("program", ["crawl", "extract", "objects"])
def test_the_cure_that_a_stage_names_cures(folder: Path, program: str) -> None:
    before = state(folder)
    flip(folder / ARCHIVE)
    shutil.rmtree(folder / ".sengu")
    command = ("dvc", "repro", "--force", "--single-item", f"{program}@web")
    done = attempt(folder, *command)
    assert done.returncode != 0
    assert (folder / "dvc.lock").read_bytes() == before["dvc.lock"]
    cure = re.search(r"`(sengu heal[^`]*)`", done.stdout)
    assert cure is not None, done.stdout
    run(folder, *cure[1].split())
    run(folder, *command)
    assert state(folder)[ARCHIVE] == before[ARCHIVE]


def test_what_is_foreign_in_a_tree_goes_by_the_cure_that_is_named(folder: Path) -> None:
    stranger = (folder / leaf(folder)).with_name("notes.txt")
    stranger.write_text("mine")
    done = attempt(folder, "sengu", "objects", "verify")
    assert done.returncode == 1
    cure = re.search(r"`(dvc repro[^`]*@)SITE` removes what is foreign", done.stdout)
    assert cure is not None, done.stdout
    run(folder, *f"{cure[1]}web".split())
    assert not stranger.exists()
    assert "every object is present and intact" in run(folder, "sengu", "objects", "verify")


def test_dvc_itself_does_not_cure(folder: Path) -> None:
    """The reason why no message names these commands; should this fail one day, they may."""
    run(folder, "dvc", "status")  # which keeps how the files look
    flip(folder / ARCHIVE)
    damaged = (folder / ARCHIVE).read_bytes()
    site = str(Path(ARCHIVE).parent)
    for words in (("checkout", "--force", site), ("pull", site), ("repro", "extract@web")):
        run(folder, "dvc", *words)
        assert (folder / ARCHIVE).read_bytes() == damaged


def test_an_archive_that_no_lock_pins_yet_stays(folder: Path) -> None:
    other = folder / "data/raw/web/web-00001.warc.gz"
    shutil.copyfile(folder / ARCHIVE, other)
    flip(folder / ARCHIVE)
    run(folder, "sengu", "heal")
    assert other.is_file()


def test_a_named_path_is_fetched_even_if_all_of_it_is_missing(folder: Path) -> None:
    before = state(folder)
    shutil.rmtree(folder / "data/raw/web")
    shutil.rmtree(folder / ".dvc/cache")
    said = run(folder, "sengu", "verify")  # what a clone has not pulled is not damaged
    assert (
        "intact" in said and "1 pinned outputs are not here, and were not checked: data/raw/web; `dvc pull` restores them" in said
    )
    done = attempt(folder, *CRAWL)
    assert done.returncode != 0
    cure = re.search(r"`(sengu heal[^`]*)`", done.stdout)
    assert cure is not None
    run(folder, *cure[1].split())
    assert state(folder) == before
    run(folder, *CRAWL)


def item(path: Path) -> Any:
    return verify.Item(verify.OUTPUT, path, verify.digests.md5(path), "s", (), path.stat().st_size)


def test_a_verification_that_was_broken_off_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = [tmp_path / str(number) for number in range(20)]
    for path in paths:
        path.write_bytes(path.name.encode())
    every = [item(path) for path in paths]
    with verified.opened() as memory:
        assert verify.due(every, memory) == every
        found, count = verify.verify(every, memory, 0)  # broken off after the first
        assert (found, count) == ([], verify.AHEAD)
        assert verify.due(every, memory) == every[count:]
        flip(paths[1])  # since it was looked at
        assert verify.due(every, memory) == [every[1], *every[count:]]
        found, _ = verify.verify(verify.due(every, memory), memory)
        assert [damage.path for damage in found] == [paths[1]]
        memory.note(verified.ROUND, None)
        assert verify.due(every, memory) == every


def test_a_budget_takes_the_least_recently_verified_first(folder: Path) -> None:
    run(folder, "sengu", "verify")
    flip(folder / "data/captures/web.csv")
    memory = folder / ".sengu/verified.sqlite"
    done = [attempt(folder, "sengu", "verify", "--budget", "0s") for _ in range(12)]
    assert "items were verified in 0s; the next run takes the others first" in done[0].stdout
    assert any("damaged data/captures/web.csv" in one.stdout for one in done)
    assert memory.is_file()


def test_a_budget_is_a_time() -> None:
    assert [verify.budget(text) for text in ("1h", "90m", "1h30m", "45s")] == [3600, 5400, 5400, 45]
    for text in ("1", "h", "1d", "-1h"):
        with pytest.raises(SenguError, match="expected a time such as 1h"):
            verify.budget(text)


def test_a_crawl_reads_a_pinned_archive_again_only_if_it_looks_otherwise(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from crawlers import pinned

    monkeypatch.chdir(folder)
    read: list[Path] = []
    monkeypatch.setattr(pinned, "md5", lambda path: (read.append(path), verify.digests.md5(path))[1])
    with verified.opened() as memory:
        pinned.refuse_if_damaged("web", Path("data/raw/web"), memory)
        pinned.refuse_if_damaged("web", Path("data/raw/web"), memory)
        assert len(read) <= 1
        flip(folder / ARCHIVE)
        expected = pinned_output("crawl@web", Path("data/raw/web"))
        assert expected is not None
        for _ in range(2):
            with pytest.raises(SenguError, match=f"{ARCHIVE} is damaged or missing: dvc.lock pins [0-9a-f]+, .*`sengu heal"):
                pinned.refuse_if_damaged("web", Path("data/raw/web"), memory)


@pytest.mark.parametrize(("name", "stage", "work"), [
    ("crawl-web", "crawl@web", "the archive of site web is in use"),
    ("objects-web", "objects@web", "the tree of site web is being filled"),
])  # fmt: skip
def test_a_stage_that_dvc_left_behind_keeps_the_next_one_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, stage: str, work: str
) -> None:
    monkeypatch.chdir(folder)
    before = state(folder)
    with locks.held(name, work):
        done = attempt(folder, "dvc", "repro", "--force", "--single-item", stage)
    assert done.returncode != 0
    assert f"error: {work} already: process {os.getpid()} on " in done.stdout
    # DVC removes outputs that are not `persist: true` before it runs a stage; they come back with the next run
    gone = ("data/index/", "data/rejected/") if stage.startswith("objects") else ()
    assert state(folder) == {path: data for path, data in before.items() if not path.startswith(gone)}
