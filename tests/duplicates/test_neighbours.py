"""Candidate pairs that were kept are those of a search from scratch, whatever came, went or is crowded."""

from pathlib import Path

import numpy as np
import pytest

from sengu.duplicates import candidates
from sengu.duplicates.candidates import Index, Near
from sengu.duplicates.neighbours import Neighbours

COUNT = 3000
IDS = [f"{number:040x}.jpg" for number in range(COUNT)]


@pytest.fixture(scope="module")
def hashes() -> np.ndarray:
    """Hashes (n, 3, 8) of pictures in families, some of them large, whose hashes differ in a few bits."""
    chance = np.random.default_rng(0)
    families = np.minimum(chance.geometric(0.003, COUNT), 900)
    bits = chance.integers(0, 2, (901, 64))[families][:, np.newaxis] ^ (chance.random((COUNT, 3, 64)) < 0.05)
    return np.packbits(bits.astype(np.uint8), axis=-1)


def different(pairs: np.ndarray) -> np.ndarray:
    """Stands for the looks of pictures, which rule some pairs out."""
    return np.asarray(pairs.sum(axis=1) % 7 > 0)


def found(hashes: np.ndarray, rows: np.ndarray, kept: Neighbours | None) -> list[Near]:
    index = Index(hashes[rows])
    near = []
    for is_mirror in (False, True):
        wanted = candidates.codes(hashes[rows][:, int(is_mirror)])
        looks = lambda pairs: different(rows[pairs])  # noqa: E731
        if kept is None:
            near.append(candidates.search(index, wanted, np.arange(len(rows)), looks))
        else:
            near.append(kept.search(rows, index, wanted, is_mirror, looks))
    return near


def again(hashes: np.ndarray, rows: np.ndarray, folder: Path) -> None:
    kept = Neighbours(folder, IDS)
    mine = found(hashes, rows, kept)
    kept.save()
    for one, other in zip(mine, found(hashes, rows, None), strict=True):
        assert [column.tolist() for column in one.columns] == [column.tolist() for column in other.columns]
        assert len(one.queries) > 0 or not len(rows)


@pytest.mark.parametrize(("cap", "bucket"), [(256, 1024), (20, 1024), (256, 40), (20, 40)])
def test_pairs_are_those_of_a_search_from_scratch(
    hashes: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cap: int, bucket: int
) -> None:
    monkeypatch.setattr(candidates, "CAP", cap)
    monkeypatch.setattr(candidates, "BUCKET", bucket)
    chance = np.random.default_rng(1)
    most = np.sort(chance.choice(COUNT, COUNT - 100, replace=False))
    again(hashes, most, tmp_path)
    again(hashes, np.arange(COUNT), tmp_path)  # some came
    again(hashes, np.arange(COUNT), tmp_path)
    again(hashes, np.delete(np.arange(COUNT), chance.choice(COUNT, 100)), tmp_path)  # some went
    again(hashes, most, tmp_path)  # both
    again(hashes, np.arange(100), tmp_path)  # too few are known
    again(hashes, np.arange(0), tmp_path)


def test_only_new_pictures_are_looked_up(hashes: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "CAP", COUNT)
    looked_up: list[int] = []
    near = Index.near

    def counted(index: Index, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        looked_up.append(len(wanted))
        return near(index, wanted)

    monkeypatch.setattr(Index, "near", counted)
    for rows, expected in ((np.arange(COUNT - 10), 2 * (COUNT - 10)), (np.arange(COUNT), 2 * 10 * 4), (np.arange(COUNT), 0)):
        looked_up.clear()
        kept = Neighbours(tmp_path, IDS)
        found(hashes, rows, kept)
        kept.save()
        assert sum(looked_up) == expected


def test_a_damaged_file_counts_as_none(hashes: np.ndarray, tmp_path: Path) -> None:
    again(hashes, np.arange(COUNT), tmp_path)
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    again(hashes, np.arange(COUNT), tmp_path)
    path.write_bytes(b"")
    (tmp_path / "of-older-code").touch()
    again(hashes, np.arange(COUNT), tmp_path)
    assert list(tmp_path.iterdir()) == [path]
