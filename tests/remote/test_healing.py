"""What is left nowhere is made again by its stage, in a clone; what comes out otherwise, or was erased, does not come back."""

import shutil
from contextlib import chdir
from pathlib import Path

import pytest
import yaml
from bucket import sengu
from reruns import stubs

from sengu.base.tables import tombstones

PROGRAMS = {
    "label": stubs.writes("'a table'"),
    "train": stubs.writes("'a model'"),
    "clock": stubs.writes("time.time_ns()", "time"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stubs.project(tmp_path_factory.mktemp("rebuild") / "project", PROGRAMS)


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


def test_what_was_erased_is_not_rebuilt(made: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(made, tmp_path / "project", symlinks=True)
    shutil.copytree(made.parent / "remote", tmp_path / "remote")
    places = lose(folder, "label", "clock")
    with chdir(folder):
        tombstones.add_files([oid(folder, "label"), oid(folder, "clock")], "2026-11-27")
    assert sengu(folder, "remote", "heal", "--rebuild").code == 0  # nothing of it is asked for
    assert not places["label"].exists()
