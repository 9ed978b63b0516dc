"""The head by itself: what it gives, and files that are not a head."""

from pathlib import Path

import numpy as np
import pytest

from sengu.base.errors import SenguError
from sengu.networks import classifier

FEATURES = np.arange(6, dtype=np.float32).reshape(3, 2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    classifier.save_head(tmp_path / classifier.HEAD, np.eye(2, dtype=np.float32), np.array([0, 1], np.float32))
    return tmp_path


def test_the_head_gives_probabilities(folder: Path) -> None:
    found = classifier.head_probabilities(folder, FEATURES)
    odds = np.exp(FEATURES[:, 1] + 1 - FEATURES[:, 0])
    assert found == pytest.approx(np.stack([1 / (1 + odds), odds / (1 + odds)], axis=1))


@pytest.mark.parametrize("kept", [0, 10, 300, -1])
def test_a_damaged_head_is_named(folder: Path, kept: int) -> None:
    path = folder / classifier.HEAD
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(SenguError, match=r"head.npz is damaged \(.+\): `sengu heal .*` restores it"):
        classifier.head_probabilities(folder, FEATURES)


def test_a_head_for_other_features_is_named(folder: Path) -> None:
    with pytest.raises(
        SenguError, match=r"head.npz holds .*'kernel': \(2, 2\).*not a head for 1 features: run `dvc repro train`"
    ):
        classifier.head_probabilities(folder, FEATURES[:, :1])
    np.savez(folder / classifier.HEAD, kernel=np.eye(2))
    with pytest.raises(SenguError, match="not a head for 2 features"):
        classifier.head_probabilities(folder, FEATURES)
