import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from project import ROOT, attempt, environment, run
from released import tiny_backbone, tiny_release

from crawlers.demo import pictures
from sengu import embeddings
from sengu.base import tables, working
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.caches import array_cache
from sengu.objects.store import ObjectStore, ObjectTree
from sengu.pictures import images
from sengu.release import bundle, portable
from sengu.stages import embed as stage

COMMAND = ["python", "-m", "sengu.stages.embed", "data/index", "data/object", "models/release", "data/embeddings"]
VIDEO = ObjectId.of(b"a video", "mp4")


def add(folder: Path, site: str, payloads: dict[ObjectId, bytes], video: str = "") -> None:
    """Puts objects into the tree and the index of one site."""
    rows = [tables.IndexRow(str(one), f"{n:040x}", one.extension, 1, 1, 1, 0, video) for n, one in enumerate(payloads)]
    path = folder / f"data/index/{site}.csv"
    before = tables.rows(tables.read(path, tables.IndexRow), tables.IndexRow) if path.is_file() else []
    tables.write(path, tables.frame([*before, *rows], tables.IndexRow), tables.IndexRow)
    for one, payload in payloads.items():
        ObjectTree(folder / "data/object" / site).put(one, payload)


def plain(*levels: int, side: int = 8) -> dict[ObjectId, bytes]:
    """Pictures of one grey level each."""
    made = [pictures.jpeg(np.full((side, side, 3), level, np.uint8)) for level in levels]
    return {ObjectId.of(data, "jpg"): data for data in made}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five pictures on two sites, two of them frames of a video, and a release."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    add(tmp_path, "demo_a", {**plain(10, 100, 200), VIDEO: b"a video"})
    add(tmp_path, "demo_b", plain(100, 250, 60), str(VIDEO))
    tiny_release(tmp_path / "models/release")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def embed() -> embeddings.Embeddings:
    stage.main(COMMAND[3:])
    return embeddings.read(Path("data/embeddings"))


def working_store() -> list[Path]:
    return [path for path in working.EMBEDDINGS.glob("*") if path.name != array_cache.LOCK]


def output() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path("data/embeddings").iterdir()}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[ObjectId]:
    """The objects that the stage reads, from now on."""
    ids: list[ObjectId] = []
    honest = ObjectStore.read

    def noting(store: ObjectStore, object_id: ObjectId) -> bytes:
        ids.append(object_id)
        return honest(store, object_id)

    monkeypatch.setattr(ObjectStore, "read", noting)
    return ids


def test_every_picture_of_every_site_is_run_once_and_no_video(folder: Path) -> None:
    found = embed()
    expected = sorted({**plain(10, 100, 200), **plain(250, 60)})
    assert found.objects == [str(one) for one in expected]
    model, backbone = bundle.load(folder / "models/release"), bundle.load_backbone(folder / "models/release")
    for row, one in enumerate(expected):
        picture = images.decode(ObjectStore.below(folder / "data/object").read(one))
        probabilities, embedding = model.run(picture)
        assert found.features[row] == pytest.approx(embeddings.whitened(backbone.run(picture)[np.newaxis], found.whitening)[0])
        assert found.probabilities[row].tolist() == probabilities.tolist()
        assert found.vectors[row].tolist() == embedding.tolist()
    assert np.linalg.norm(found.vectors, axis=1) == pytest.approx(np.ones(5))
    assert found.vectors.dtype == found.probabilities.dtype == np.float32
    assert (found.model.name, found.model.version) == ("tiny", "0.1.0")
    assert (found.model.sha256, found.model.backbone) == (hashlib.sha256(model.model).hexdigest(), backbone.sha256)


def test_a_rerun_reads_what_is_new_and_gives_the_bytes_of_a_run_from_scratch(folder: Path, read: list[ObjectId]) -> None:
    embed()
    assert len(read) == 5
    read.clear()
    (new,) = plain(33)
    add(folder, "demo_b", plain(33))
    assert str(new) in embed().objects
    assert read == [new]
    kept = output()
    shutil.rmtree(".sengu")
    read.clear()
    embed()
    assert len(read) == 6
    assert output() == kept


def test_an_object_that_is_gone_leaves_output_and_working_store(folder: Path) -> None:
    embed()
    (kept,) = working_store()
    (gone,) = plain(10)
    path = folder / "data/index/demo_a.csv"
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if str(gone) not in line))
    assert str(gone) not in embed().objects
    assert str(gone).encode() not in kept.read_bytes()


def test_the_working_store_holds_the_rows_of_the_latest_model_only(folder: Path, read: list[ObjectId]) -> None:
    embed()
    (first,) = working_store()
    (folder / "models/release/tiny-0.1.0.zip").unlink()
    tiny_release(folder / "models/release", dimensions=5, version="0.2.0")
    read.clear()
    found = embed()
    assert len(read) == 5
    assert (found.vectors.shape, found.model.version) == ((5, 5), "0.2.0")
    (second,) = working_store()
    assert second != first


def test_a_model_that_says_something_else_of_itself_only_is_not_run_again(folder: Path, read: list[ObjectId]) -> None:
    embed()
    read.clear()
    first = bundle.load(folder / "models/release")
    manifest = replace(first.manifest, version="0.3.0", threshold=0.25)
    meant = [{"name": name, "meaning": "something"} for name in ("picture", "probabilities", "embedding")]
    first.path.unlink()
    said = replace(manifest, inputs=[], outputs=meant)
    told = portable.describe(onnx.load_from_string(first.model), said, "a licence").SerializeToString()
    bundle.write(folder / "models/release", manifest, {bundle.MODEL: told})
    found = embed()
    assert (read, found.model.version) == ([], "0.3.0")
    assert found.model.sha256 == hashlib.sha256(told).hexdigest() != hashlib.sha256(first.model).hexdigest()


def test_another_backbone_is_run_again(folder: Path, read: list[ObjectId]) -> None:
    embed()
    read.clear()
    (folder / "models/release" / bundle.BACKBONE).write_bytes(tiny_backbone(dimensions=4).SerializeToString())
    assert embed().features.shape == (5, 4)
    assert len(read) == 5
    (folder / "models/release" / bundle.BACKBONE).unlink()
    with pytest.raises(SenguError, match=r"models/release/backbone\.onnx is missing: run `dvc repro export`"):
        embed()


def test_a_missing_object_is_named_and_leaves_no_output(folder: Path) -> None:
    (one,) = plain(200)
    ObjectTree(folder / "data/object/demo_a").path(one).unlink()
    done = attempt(folder, sys.executable, *COMMAND[1:])
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith(f"error: object {one} is missing")
    assert list((folder / "data").glob("*embeddings*")) == []


def test_an_object_that_cannot_be_decoded_is_named(folder: Path) -> None:
    data = pictures.png(pictures.draw("stripes", 0))[:3000]
    cut = ObjectId.of(data, "png")
    add(folder, "demo_a", {cut: data})
    with pytest.raises(SenguError, match=f"object {cut} cannot be decoded: truncated"):
        embed()
    assert list((folder / "data").glob("*embeddings*")) == []


def test_a_site_without_pictures_is_no_error(folder: Path) -> None:
    for site in ("demo_a", "demo_b"):
        tables.write(folder / f"data/index/{site}.csv", tables.empty(tables.IndexRow), tables.IndexRow)
    found = embed()
    assert (found.objects, found.vectors.shape, found.probabilities.shape) == ([], (0, 8), (0, 2))


def test_a_killed_run_goes_on_where_it_was(folder: Path) -> None:
    add(folder, "demo_a", plain(*range(1, 60), side=1500))
    running = subprocess.Popen(COMMAND, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not any(path.stat().st_size > 1000 for path in working_store()):
        assert running.poll() is None, "the stage ended too soon"
        time.sleep(0.002)
    os.kill(running.pid, signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    assert not Path("data/embeddings").exists()
    said = run(folder, *COMMAND)
    new = int(said.splitlines()[-1].split()[3])
    assert "64 pictures" in said.splitlines()[-1]
    assert 0 < new < 60
    kept = output()
    shutil.rmtree(".sengu")
    embed()
    assert output() == kept
