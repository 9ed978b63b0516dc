"""What is left nowhere is made again by its stage, in a clone; what comes out otherwise, or was erased, does not come back."""

import shutil
from contextlib import chdir
from pathlib import Path

import pytest
import yaml
from bucket import sengu
from reruns import stubs

from sengu.base.tables import tombstones
from sengu.remote import rebuilding
from sengu.remote.rebuilding import Clone, Made, Maker

# a program that also says, beside the remote, how many files its clone has pulled or made by then
COUNTS = (
    "import os, pathlib\n"
    "count = sum(path.is_file() for path in pathlib.Path('.dvc/cache/files/md5').rglob('*'))\n"
    "open(os.environ.get('COUNTED', os.devnull), 'a').write(f'{sys.argv[2]} {count}\\n')\n"
)
PROGRAMS = {
    "label": stubs.writes("'labels'"),
    "tree": stubs.writes("'leaves'") + COUNTS,  # which no remote has
    "table": stubs.writes("'a table'") + COUNTS,
    "train": stubs.writes("'a model'") + COUNTS,
    "clock": stubs.writes("time.time_ns()", "time") + COUNTS,
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stubs.project(tmp_path_factory.mktemp("rebuild") / "project", PROGRAMS, uncached=["tree"])


@pytest.fixture
def made(template: Path, tmp_path: Path) -> Path:
    """The project of each test, with a remote of its own beside it."""
    shutil.copytree(template.parent / "remote", tmp_path / "remote")
    return shutil.copytree(template, tmp_path / "project", symlinks=True)


def oid(folder: Path, stage: str) -> str:
    return str(yaml.safe_load((folder / "dvc.lock").read_text())["stages"][stage]["outs"][0]["md5"])


def lose(folder: Path, *stages: str) -> dict[str, Path]:
    """Takes the outputs of stages away wherever they are; returns where the remote had them."""
    places = {}
    for stage in stages:
        name = oid(folder, stage)
        places[stage] = folder.parent / "remote/files/md5" / name[:2] / name[2:]
        for path in (places[stage], folder / ".dvc/cache/files/md5" / name[:2] / name[2:], folder / "data" / stage):
            path.unlink(missing_ok=True)
    return places


@pytest.mark.slow
def test_a_rebuild_is_the_last_resort_and_gives_the_same_bytes_or_nothing(made: Path) -> None:
    places = lose(made, "train", "clock")
    before = (made / "dvc.lock").read_bytes()
    said = sengu(made, "remote", "heal")
    assert said.code == 1
    assert "missing: data/train (rebuildable): no copy; `sengu remote heal --rebuild` runs its stage again" in said.err
    said = sengu(made, "remote", "heal", "--rebuild")
    assert said.code == 1
    assert places["train"].read_text() == "a model\n"
    assert "rebuilt by train" in said.out
    assert "missing: data/clock (rebuildable): clock made no such file again" in said.err
    assert not places["clock"].exists()
    assert (made / "dvc.lock").read_bytes() == before
    assert not (made / "data/train").exists()  # all of it happened in a clone


def test_what_was_erased_is_not_rebuilt(made: Path) -> None:
    places = lose(made, "label", "clock")
    with chdir(made):
        tombstones.add_files([oid(made, "label"), oid(made, "clock")], "2026-11-27")
    assert sengu(made, "remote", "heal", "--rebuild").code == 0  # nothing of it is asked for
    assert not places["label"].exists()


@pytest.mark.slow
def test_a_rebuild_pulls_what_it_needs_and_no_more(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = tmp_path / "counted"
    monkeypatch.setenv("COUNTED", str(counted))
    places = lose(made, "train")
    assert sengu(made, "remote", "heal", "--rebuild").code == 0
    assert places["train"].read_text() == "a model\n"
    assert counted.read_text() == "data/train 1\n"  # the table was pulled
    counted.unlink()
    places = lose(made, "table", "train")
    assert sengu(made, "remote", "heal", "--rebuild").code == 0
    assert (places["table"].read_text(), places["train"].read_text()) == ("a table\n", "a model\n")
    # the labels were pulled, and no tree is in the cache
    assert counted.read_text() == "data/tree 1\ndata/table 1\ndata/train 2\n"


def test_a_rebuild_never_asks_the_web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []
    monkeypatch.setattr(rebuilding, "dvc", lambda folder, *arguments: commands.append((arguments[0], arguments[-1])))
    archive = Made(tmp_path / "data/raw/birds", f"{'0' * 32}.dir")
    makers = {"crawl@birds": Maker(False, (), (archive,)), "extract@birds": Maker(True, (archive.path,), ())}
    Clone(tmp_path, makers).run("extract@birds")
    assert commands == [("pull", "data/raw/birds"), ("repro", "extract@birds")]
