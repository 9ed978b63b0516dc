"""Candidates are nearly all pairs of near hashes, and how many are looked at grows less than the square of the pictures."""

import numpy as np
import pytest

from sengu.duplicates import candidates
from sengu.duplicates.candidates import RADIUS, Index


def hashes(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 1, 8), dtype=np.uint8)


def changed(made: np.ndarray, bits: int) -> np.ndarray:
    """The same hashes with some bits flipped."""
    chance = np.random.default_rng(1)
    values = np.unpackbits(made, axis=-1)
    for row in values.reshape(-1, 64):
        row[chance.permutation(64)[:bits]] ^= 1
    return np.packbits(values, axis=-1)


def pairs_of(made: np.ndarray) -> list[np.ndarray]:
    """The pairs of each batch, whatever the pictures look like."""
    wanted = candidates.codes(made[:, 0])
    near = candidates.search(Index(made), wanted, np.arange(len(made)), lambda pairs: np.ones(len(pairs), bool))
    return list(near.batches(is_mirror=False))


def found(made: np.ndarray) -> set[tuple[int, int]]:
    return {tuple(pair) for pairs in pairs_of(made) for pair in pairs.tolist()}


@pytest.mark.parametrize(("bits", "least"), [(0, 1.0), (4, 1.0), (7, 1.0), (10, 0.7)])
def test_near_hashes_are_found(bits: int, least: float) -> None:
    made = np.concatenate([hashes(300), changed(hashes(300), bits)])
    pairs = found(made)
    assert all(one < other for one, other in pairs)
    assert sum((number, number + 300) in pairs for number in range(300)) >= least * 300
    distances = {int(np.unpackbits(made[one, 0] ^ made[other, 0]).sum()) for one, other in pairs}
    assert max(distances) <= RADIUS


def test_the_nearest_come_first_and_a_capped_picture_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    made = np.concatenate([np.tile(hashes(1), (5, 1, 1)), changed(hashes(1), 5)])
    (pairs,) = pairs_of(made)
    assert pairs[-1].tolist() == [4, 5]
    assert not caplog.records
    monkeypatch.setattr(candidates, "CAP", 2)
    (pairs,) = pairs_of(made)
    assert sorted(set(map(tuple, pairs.tolist()))) == [(0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (1, 2), (1, 3), (1, 4), (1, 5)]
    assert "6 pictures have more than 2 candidates" in caplog.text


def test_how_many_hashes_are_looked_at_grows_less_than_their_square(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = []
    bitwise_count = np.bitwise_count
    monkeypatch.setattr(np, "bitwise_count", lambda codes: (looked_at.append(len(codes)), bitwise_count(codes))[1])
    counts = []
    for count in (40_000, 160_000):
        looked_at.clear()
        made = hashes(count)
        pairs_of(made)
        counts.append(sum(looked_at))
    assert np.log(counts[1] / counts[0]) / np.log(4) < 1.4
