"""The stage over real small models: what is pinned is kept, whatever became of the place it came from."""

import logging
import resource
import shutil
from importlib import import_module
from pathlib import Path

import pytest
import tiny
import yaml
from project import ROOT

from sengu.base.errors import SenguError, one_line
from sengu.repository import dvc_lock

pytestmark = pytest.mark.slow

import_module("sengu.networks.backbone")

from sengu.stages import backbone as stage  # noqa: E402

GONE = "http://127.0.0.1:9/efficientnet/b0/1"  # nothing listens there
OUTPUT = Path("models/backbone")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose dvc.lock pins a backbone that came from GONE."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(f"backbone: {{ source: '{GONE}' }}\nprepare: {{ size: 32, fit: squash }}\n")
    tiny.save(OUTPUT)
    pinned = {
        "params": {"params.yaml": {"backbone": {"source": GONE}, "prepare.size": 64}},
        "outs": [{"path": OUTPUT.as_posix(), "md5": dvc_lock.dvc_hash(OUTPUT)}],
    }
    Path("dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {"backbone": pinned}}))
    return tmp_path


def run() -> None:
    stage.main(["embedded.npz", str(OUTPUT)])


def test_a_pinned_backbone_is_kept_when_its_hub_is_gone(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = dvc_lock.dvc_hash(OUTPUT)
    with caplog.at_level(logging.INFO):
        run()
    assert dvc_lock.dvc_hash(OUTPUT) == before
    assert "models/backbone is pinned by dvc.lock and is kept" in caplog.text
    assert f"{GONE} was made for 224 x 224 pixels, prepare.size is 32" in caplog.text


def test_another_source_and_a_changed_backbone_are_not_taken_for_the_pinned_one(folder: Path) -> None:
    kept = folder / "kept"
    shutil.copytree(OUTPUT, kept)
    with (OUTPUT / "keras_metadata.pb").open("ab") as file:
        file.write(b"\n")
    with pytest.raises(SenguError, match=f"{GONE} could not be fetched"):
        run()
    shutil.rmtree(OUTPUT)
    with pytest.raises(SenguError, match=f"{GONE} could not be fetched"):
        run()
    kept.rename(OUTPUT)
    Path("params.yaml").write_text(f"backbone: {{ source: '{GONE}1' }}\nprepare: {{ size: 32, fit: squash }}\n")
    with pytest.raises(SenguError, match=f"{GONE}1 could not be fetched"):
        run()


def test_the_size_of_a_pinned_backbone_is_checked_too(folder: Path) -> None:
    shutil.rmtree(OUTPUT)
    tiny.save(OUTPUT, size=40)
    lock = yaml.safe_load(Path("dvc.lock").read_text())
    lock["stages"]["backbone"]["outs"][0]["md5"] = dvc_lock.dvc_hash(OUTPUT)
    Path("dvc.lock").write_text(yaml.safe_dump(lock))
    with pytest.raises(SenguError, match="prepare.size is 32, but backbone.source: .* takes pictures of 40 x 40 pixels only"):
        run()


def test_a_local_source_is_read_anew(folder: Path) -> None:
    shutil.copytree(OUTPUT, "local")
    Path("params.yaml").write_text("backbone: { source: local }\nprepare: { size: 32, fit: squash }\n")
    shutil.rmtree(OUTPUT)
    run()
    (OUTPUT / "keras_metadata.pb").unlink()
    run()
    assert (OUTPUT / "keras_metadata.pb").exists()


def test_a_full_disk_is_one_line_with_the_name_of_the_folder(folder: Path) -> None:
    """Of TensorFlow, which writes the embedded network and says so in an error of its own."""
    Path("params.yaml").write_text("backbone: { source: embedded }\nprepare: { size: 32, fit: squash }\n")
    weights = ROOT / "models/embedded/efficientnet-b0.npz"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(SystemExit, match=r"^error: (\S*/)?models/backbone\S*: File too large$"), one_line():
        # a limit on the size of files gives the error of a full disk, at the same places
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
        try:
            stage.main([str(weights), str(OUTPUT)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert dvc_lock.dvc_hash(OUTPUT)  # what was there stays
