from pathlib import Path

import numpy as np
import pytest

from sengu.base import tables
from sengu.base.errors import SenguError
from sengu.examples import EXAMPLES, FEATURES, PIXELS, read_features, read_pixels, write

ROWS = tables.frame(
    [tables.SplitLabel(f"{i:040x}.jpg", i % 2, name) for i, name in enumerate(["train", "test", "train"])], tables.SplitLabel
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tables.write(tmp_path / EXAMPLES, ROWS, tables.SplitLabel)
    np.save(tmp_path / PIXELS, np.arange(3 * 2 * 2 * 3, dtype=np.uint8).reshape(3, 2, 2, 3))
    np.save(tmp_path / FEATURES, np.arange(6, dtype=np.float32).reshape(3, 2))
    return tmp_path


def test_rows_and_arrays_stay_together(folder: Path) -> None:
    train = read_pixels(folder).of_type("train")
    assert train.values.tolist() == [0, 0]
    assert train.arrays[:, 0, 0, 0].tolist() == [0, 24]
    assert read_features(folder, folder).of_type("test").arrays.tolist() == [[2, 3]]


def test_a_missing_a_damaged_and_a_short_array_are_named(folder: Path) -> None:
    whole = (folder / PIXELS).read_bytes()
    (folder / PIXELS).write_bytes(whole[:-1])
    with pytest.raises(SenguError, match="pixels.npy is damaged"):
        read_pixels(folder)
    np.save(folder / PIXELS, np.zeros((2, 2, 2, 3), np.uint8))
    with pytest.raises(SenguError, match="pixels.npy has 2 rows, but .*examples.csv has 3"):
        read_pixels(folder)
    (folder / PIXELS).unlink()
    with pytest.raises(SenguError, match="pixels.npy is missing"):
        read_pixels(folder)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (None, "damaged"),
        (np.array(1, np.uint8), r"damaged \(holds uint8 of shape \(\), expected uint8 in 4 dimensions\): `sengu heal"),
        (np.zeros((3, 2), np.uint8), "damaged"),
        (np.zeros((3, 2, 2, 3), np.float32), "damaged"),
        (np.zeros((3, 2, 2, 3), object), "damaged"),
    ],
    ids=["empty", "no dimension", "other dimensions", "other dtype", "objects"],
)
def test_what_is_no_array_of_pixels_is_damaged(folder: Path, array: np.ndarray | None, message: str) -> None:
    (folder / PIXELS).write_bytes(b"")
    if array is not None:
        np.save(folder / PIXELS, array)
    with pytest.raises(SenguError, match=f"pixels.npy is {message}"):
        read_pixels(folder)


@pytest.mark.parametrize("dtype", ["u1", "<f4"])
def test_arrays_written_one_by_one_are_the_bytes_of_numpy(tmp_path: Path, dtype: str) -> None:
    stacked = np.arange(5 * 2 * 3).reshape(5, 2, 3).astype(dtype)
    np.save(tmp_path / "expected.npy", stacked)
    write(tmp_path / "found.npy", 5, iter(stacked))
    assert (tmp_path / "found.npy").read_bytes() == (tmp_path / "expected.npy").read_bytes()
