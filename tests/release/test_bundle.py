"""A release written and read back, and everything that may be wrong with one."""

import json
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from released import tiny_release

from sengu.base.errors import SenguError
from sengu.base.threads import map_in_threads
from sengu.release import bundle


def grey(level: int, height: int = 20, width: int = 30) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def changed(path: Path, name: str, data: bytes | None) -> Path:
    """Writes a release again with one of its files changed, or left out."""
    with zipfile.ZipFile(path) as archive:
        files = {member: archive.read(member) for member in archive.namelist()}
    files[name] = data
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in files.items():
            if content is not None:
                archive.writestr(member, content)
    return path


def manifest_with(path: Path, **keys: object) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return json.dumps({**json.loads(archive.read(bundle.MANIFEST)), **keys}).encode()


def test_what_is_written_is_read_and_runs_on_pictures_of_any_size(tmp_path: Path) -> None:
    path = tiny_release(tmp_path, ("a", "b", "c"), dimensions=5)
    for where in (path, tmp_path):
        loaded = bundle.load(where)
        assert loaded.path == path == tmp_path / "tiny-0.1.0.zip"
        assert loaded.manifest.classes == ["a", "b", "c"]
    for picture, winner in ((grey(0), 0), (grey(255, 7, 3), 2)):
        probabilities, embedding = loaded.run(picture)
        assert probabilities.dtype == embedding.dtype == np.float32
        assert probabilities.sum() == pytest.approx(1)
        assert probabilities.argmax() == loaded.manifest.decide(probabilities) == winner
        assert embedding.shape == (5,)


def test_many_pictures_run_in_threads_and_stay_in_order(tmp_path: Path) -> None:
    loaded = bundle.load(tiny_release(tmp_path))
    levels = [level for level in range(256) if level % 5]
    found = [probabilities[1] for probabilities, _ in map_in_threads(loaded.run, map(grey, levels))]
    assert found == [loaded.run(grey(level))[0][1] for level in levels]
    assert found == sorted(found) and found[0] < found[-1]


def test_who_stops_early_leaves_no_thread_at_work() -> None:
    begun, ended = [], []

    def work(item: int) -> int:
        begun.append(item)
        time.sleep(0.05)
        ended.append(item)
        return item

    found = map_in_threads(work, range(1000))
    assert next(found) == 0
    found.close()
    assert len(ended) == len(begun) < 1000
    time.sleep(0.1)
    assert len(ended) == len(begun)


@pytest.mark.parametrize(("threshold", "decision"), [(None, 0), (0.4, 1), (0.3, 1), (0.41, 0)])
def test_the_threshold_decides_between_two_classes(tmp_path: Path, threshold: float | None, decision: int) -> None:
    manifest = bundle.load(tiny_release(tmp_path, threshold=threshold)).manifest
    assert manifest.decide(np.array([0.6, 0.4])) == decision


def test_a_release_has_the_same_bytes_every_time(tmp_path: Path) -> None:
    first, second = tiny_release(tmp_path / "1"), tiny_release(tmp_path / "2")
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_completed_fills_in_what_a_stage_cannot_know(tmp_path: Path) -> None:
    path = tiny_release(tmp_path / "stage")
    manifest = bundle.load(path).manifest
    assert (manifest.git_commit, manifest.dvc_lock_sha256) == (None, None)
    copy = bundle.load(bundle.completed(path, tmp_path / "copy", "c0ffee", "ab" * 32, "classifier@v0.1.0"))
    assert (copy.manifest.git_commit, copy.manifest.dvc_lock_sha256) == ("c0ffee", "ab" * 32)
    assert (manifest.git_tag, copy.manifest.git_tag) == (None, "classifier@v0.1.0")
    assert copy.manifest.files == manifest.files
    assert copy.model == bundle.load(path).model


def test_completed_refuses_a_release_with_a_changed_file(tmp_path: Path) -> None:
    path = tiny_release(tmp_path)
    changed(path, "extra.txt", b"not in the manifest")
    with pytest.raises(SenguError, match="there is no extra.txt in it"):
        bundle.completed(path, tmp_path / "copy", "c0ffee", "ab" * 32)


def test_no_release_or_several_are_errors(tmp_path: Path) -> None:
    with pytest.raises(SenguError, match=r"nowhere is missing: run `dvc repro export`"):
        bundle.load(tmp_path / "nowhere")
    with pytest.raises(SenguError, match="should hold one release, but there is none: run `dvc repro export`"):
        bundle.load(tmp_path)
    tiny_release(tmp_path)
    tiny_release(tmp_path, version="0.2.0")
    with pytest.raises(SenguError, match=r"there is tiny-0.1.0.zip, tiny-0.2.0.zip: name the one you mean"):
        bundle.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            bundle.MODEL,
            lambda path: b"another model",
            "model.onnx: SHA-256 is [0-9a-f]{64}, but manifest.json says [0-9a-f]{64}",
        ),
        (bundle.MODEL, lambda path: None, "model.onnx: SHA-256 is missing"),
        (bundle.MANIFEST, lambda path: None, "there is no manifest.json in it"),
        (bundle.MANIFEST, lambda path: b"{", "manifest.json is damaged"),
        (bundle.MANIFEST, lambda path: manifest_with(path, format=2), "format is 2, expected 1: use the Sengu that made it"),
        (bundle.MANIFEST, lambda path: manifest_with(path, classes=["a"]), "damaged .1 classes, but probabilities of shape .2."),
        (bundle.MANIFEST, lambda path: manifest_with(path, classes=[1, 2]), "damaged .classes are .1, 2."),
        (bundle.MANIFEST, lambda path: manifest_with(path, threshold="0.5"), "damaged .threshold is '0.5'"),
        (bundle.MANIFEST, lambda path: manifest_with(path, files={}), "there is no model.onnx in it"),
    ],
)
def test_a_damaged_release_is_an_error(tmp_path: Path, name: str, content, message: str) -> None:
    path = tiny_release(tmp_path)
    changed(path, name, content(path))
    with pytest.raises(SenguError, match=message):
        bundle.load(path)


def test_what_a_later_manifest_says_besides_is_passed_over(tmp_path: Path) -> None:
    path = tiny_release(tmp_path)
    before = bundle.load(path).manifest
    changed(path, bundle.MANIFEST, manifest_with(path, surplus=1))
    assert bundle.load(path).manifest == before


def test_a_deflated_file_that_is_damaged_and_an_encrypted_one_are_errors(tmp_path: Path) -> None:
    path = tiny_release(tmp_path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(bundle.MODEL, bytes(range(256)) * 100)
        start = archive.infolist()[0].header_offset + 30 + len(bundle.MODEL)
    whole = path.read_bytes()
    path.write_bytes(whole[:start] + b"\xff" * 20 + whole[start + 20 :])
    with pytest.raises(SenguError, match="is not a whole zip file .*: `sengu heal models/release`"):
        bundle.load(path)
    directory = whole.index(b"PK\1\2")
    flagged = bytearray(whole)
    flagged[6] |= 1  # in the header of the file, and in the directory
    flagged[directory + 8] |= 1
    path.write_bytes(flagged)
    with pytest.raises(SenguError, match="is not a whole zip file .*encrypted"):
        bundle.load(path)


def test_a_file_that_is_cut_off_is_an_error(tmp_path: Path) -> None:
    path = tiny_release(tmp_path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(SenguError, match="is not a whole zip file"):
        bundle.load(path)
