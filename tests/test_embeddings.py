import importlib
import json
import logging
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from sengu import embeddings
from sengu.base.errors import SenguError
from sengu.embeddings import Model

MODEL = Model("tiny", "0.1.0", "ab" * 32, "cd" * 32)
IDS = [f"{digit * 40}.jpg" for digit in "abc"]


def directions(*degrees: float) -> np.ndarray:
    """Vectors in a plane; their cosine similarity is the cosine of the angle between them."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def npy(array: np.ndarray) -> bytes:
    np.save(buffer := BytesIO(), array)
    return buffer.getvalue()


def written(folder: Path) -> Path:
    folder.mkdir()
    rows = zip(np.eye(3, dtype=np.float32), directions(0, 30, 90), directions(5, 6, 7), strict=True)
    embeddings.write(folder, MODEL, IDS, rows, (3, 2, 2))
    return folder


def test_what_is_written_is_read_in_the_same_rows(tmp_path: Path) -> None:
    found = embeddings.read(written(tmp_path / "a"))
    assert (found.model, found.objects) == (MODEL, IDS)
    assert found.vectors.tolist() == directions(0, 30, 90).tolist()
    assert found.probabilities.tolist() == np.eye(3).tolist()
    assert found.features == pytest.approx(embeddings.whitened(directions(5, 6, 7), found.whitening))
    assert [found.row(name) for name in IDS] == [0, 1, 2]
    written(tmp_path / "b")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("name", "message"),
    [("d" * 40 + ".jpg", "has no embedding: run `dvc repro embed`"), ("d" * 40 + ".mp4", "is a video: name one of its frames")],
)
def test_an_object_without_an_embedding_is_an_error(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(SenguError, match=f"object {name} {message}"):
        embeddings.read(written(tmp_path / "a")).row(name)


@pytest.mark.parametrize(
    "name", ["objects.csv", "embeddings.npy", "probabilities.npy", "features.npy", "whitening.npy", "meta.json"]
)
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    (written(tmp_path / "a") / name).unlink()
    with pytest.raises(SenguError, match=f"{name} is missing: run `dvc repro"):
        embeddings.read(tmp_path / "a")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("embeddings.npy", b"\x93NUMPY", "embeddings.npy is damaged .*sengu heal"),
        ("embeddings.npy", b"", "embeddings.npy is damaged .*sengu heal"),
        ("probabilities.npy", npy(np.array(1, np.float32)), "probabilities.npy is damaged .*sengu heal"),
        ("meta.json", b"{", "meta.json is damaged .*sengu heal"),
        ("meta.json", json.dumps({"name": "tiny"}).encode(), "meta.json is damaged"),
        ("objects.csv", b"objectId\n" + IDS[0].encode() + b"\n", "embeddings.npy has 3 rows, but .*objects.csv has 1"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (written(tmp_path / "a") / name).write_bytes(content)
    with pytest.raises(SenguError, match=message):
        embeddings.read(tmp_path / "a")


def test_objects_and_results_of_different_number_are_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shorter"):
        embeddings.write(tmp_path, MODEL, IDS, [(np.ones(3), np.ones(2), np.ones(2))], (3, 2, 2))


def test_the_nearest_are_those_of_the_smallest_angle() -> None:
    vectors = directions(90, 0, 20, 180, 5)
    similarities, rows = embeddings.nearest(directions(4)[0], vectors, 3)
    assert rows.tolist() == [4, 1, 2]
    assert similarities == pytest.approx(np.cos(np.radians([1, 4, 16])), abs=1e-6)
    assert len(embeddings.nearest(directions(4)[0], vectors, 50)[1]) == 5
    assert len(embeddings.nearest(directions(4)[0], vectors[:0], 50)[1]) == 0


def test_the_nearest_to_any_of_several_are_found() -> None:
    vectors = directions(90, 0, 20, 180, 5)
    similarities, rows = embeddings.nearest(directions(4, 178), vectors, 3)
    assert rows.tolist() == [4, 3, 1]
    assert similarities == pytest.approx(np.cos(np.radians([1, 2, 4])), abs=1e-6)


@pytest.mark.parametrize("count", [0, 1, 2, 300])
def test_features_are_whitened_half_way_so_that_what_differs_little_counts(tmp_path: Path, count: int) -> None:
    chance = np.random.default_rng(3)
    subjects = np.repeat(np.array([[1, 0, 0, 0], [0.9, 0.4, 0, 0]]), 200, axis=0)
    vectors = (subjects + 0.02 * chance.normal(size=(400, 4)) * [0, 0, 1, 1]).astype("<f4")[:count]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = [f"{number:040x}.jpg" for number in range(count)]
    embeddings.write(tmp_path, MODEL, ids, ((vector[:3], vector[:2], vector) for vector in vectors), (3, 2, 4))
    stored = embeddings.read(tmp_path)
    assert np.linalg.norm(stored.features, axis=1) == pytest.approx(np.ones(count))
    if count < 3:
        return
    deviations = (stored.features.std(axis=0)[1:], np.linalg.svd(vectors - vectors.mean(axis=0))[1][:3] / np.sqrt(count))
    (after, before) = (sorted(each) for each in deviations)
    assert after[-1] / after[0] < 0.6 * before[-1] / before[0]
    assert embeddings.nearest(stored.features[7], stored.features, 1)[1].tolist() == [7]


def test_the_search_agrees_with_a_full_sort_also_among_equals(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    vectors = chance.normal(size=(5000, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[[7, 4000]] = vectors[1234]  # one picture three times
    np.save(tmp_path / "vectors.npy", vectors)
    similarities, rows = embeddings.nearest(vectors[1234], np.load(tmp_path / "vectors.npy", mmap_mode="r"), 30)
    expected = np.argsort(-(vectors @ vectors[1234]), kind="stable")[:30]
    assert rows[:3].tolist() == [7, 1234, 4000]
    assert rows[3:].tolist() == expected[3:].tolist()
    assert similarities == pytest.approx(vectors[rows] @ vectors[1234], abs=1e-6)


def test_many_pictures_have_a_sketch_by_which_nearly_all_of_the_nearest_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"LARGE": 3000, "WIDTH": 16, "SAMPLE": 1000, "LOOKED": 200}.items():
        monkeypatch.setattr(embeddings, name, value)
    chance = np.random.default_rng(2)
    # as features are: a few directions hold most of what differs
    vectors = (chance.normal(size=(4000, 64)) / (1 + np.arange(64)) @ np.linalg.qr(chance.normal(size=(64, 64)))[0]).astype("<f4")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = [f"{number:040x}.jpg" for number in range(4000)]
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        embeddings.write(folder, MODEL, ids, ((vector[:3], vector[:2], vector) for vector in vectors), (3, 2, 64))
    assert all(path.read_bytes() == (tmp_path / "b" / path.name).read_bytes() for path in (tmp_path / "a").iterdir())
    stored = embeddings.read(tmp_path / "a")
    assert stored.sketch is not None and stored.sketch.rows.shape == (4000, 16)
    shares = []
    queries = embeddings.whitened(vectors, stored.whitening)
    for row in range(0, 4000, 100):
        exact, near = (embeddings.nearest(queries[row], stored.features, 10, sketch)[1] for sketch in (None, stored.sketch))
        assert near[0] == row
        shares.append(np.isin(exact, near).mean())
    assert np.mean(shares) >= 0.98
    (tmp_path / "a" / embeddings.SKETCH).unlink()
    with pytest.raises(SenguError, match=r"sketch\.npy is missing"):
        embeddings.read(tmp_path / "a")


def test_distances_are_those_to_the_nearest_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "BATCH", 2)
    vectors = directions(0, 10, 90, 180, 10)
    found = embeddings.distances(np.array([1, 2, 3, 4]), np.array([0, 4]), vectors)
    assert found == pytest.approx(1 - np.cos(np.radians([0, 80, 170, 0])), abs=1e-6)
    assert (found >= 0).all()
    assert embeddings.distances(np.array([1, 2]), np.array([], int), vectors).tolist() == [1, 1]


def test_faiss_does_not_say_how_it_was_loaded(caplog: pytest.LogCaptureFixture) -> None:
    vectors = directions(0, 60)
    with caplog.at_level(logging.INFO):
        assert embeddings.distances(np.array([0]), np.array([1]), vectors) == pytest.approx([0.5])
        importlib.reload(sys.modules["faiss.loader"])  # another test may have loaded it before
    assert not caplog.records
