"""What a zip file of outputs is: the same bytes by every Python, so that they can be pinned."""

import hashlib
from pathlib import Path

import numpy as np

from sengu.base import arrays, zips


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def test_the_bytes_are_golden(tmp_path: Path) -> None:
    zips.write(tmp_path / "a.zip", {"b": b"", "a.npy": b"x" * 1000})
    assert md5(tmp_path / "a.zip") == "52e0e06331d230b7fe9a4a0b2b8b2f73"  # by Python 3.11.2 and by 3.11.7


def test_arrays_come_back_and_their_bytes_are_golden(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    stored = {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "bias": np.zeros(3, np.float32)}
    arrays.write(path, stored)
    found = arrays.read(path, "")
    assert found.keys() == stored.keys()
    assert all(np.array_equal(found[name], stored[name]) for name in stored)
    assert md5(path) == "770005953277a03cb6106a3898c5536c"
