"""The working cache: what a kill, a bad disk or another run may leave behind is never believed, and it does not grow."""

import threading
from pathlib import Path

import numpy as np
import pytest

from sengu.caches import array_cache

NAMES = [f"{letter}.png" for letter in "abcdefgh"]
SHAPE = (2, 3)
RECORD = 64 + 4 + 6  # name, checksum, array


def array(name: str) -> np.ndarray:
    return np.full(SHAPE, ord(name[0]), np.uint8)


def fill(folder: Path, names: list[str], key: str = "key") -> list[str]:
    """Brings the arrays of these names into the cache; returns those that it did not have."""
    with array_cache.opened(folder, key, names, SHAPE, "u1") as known:
        new = [name for name in names if name not in known]
        if new:
            known.add(new, np.stack([array(name) for name in new]))
        assert all(np.array_equal(known[name], array(name)) for name in names)
        assert len(known) == len(names)
    return new


def test_what_was_added_is_known_and_the_rest_is_new(tmp_path: Path) -> None:
    assert fill(tmp_path, NAMES[:3]) == NAMES[:3]
    assert fill(tmp_path, NAMES[:3]) == []
    assert fill(tmp_path, NAMES) == NAMES[3:]
    assert (tmp_path / "key").stat().st_size == len(NAMES) * RECORD


@pytest.mark.parametrize("wanted", [NAMES[:2], NAMES[6:], NAMES[::2], ["c.png", "z.png"]])
def test_what_is_not_wanted_any_more_leaves_the_file(tmp_path: Path, wanted: list[str]) -> None:
    fill(tmp_path, NAMES)
    assert fill(tmp_path, wanted) == [name for name in wanted if name not in NAMES]
    assert (tmp_path / "key").stat().st_size == len(wanted) * RECORD
    assert b"e.png" not in (tmp_path / "key").read_bytes() or "e.png" in wanted


def test_arrays_of_another_key_are_neither_used_nor_kept(tmp_path: Path) -> None:
    fill(tmp_path, NAMES)
    assert fill(tmp_path, NAMES, "other") == NAMES
    assert {path.name for path in tmp_path.iterdir()} == {"other", array_cache.LOCK}


@pytest.mark.parametrize("left", [1, RECORD - 1])
def test_a_record_that_a_kill_cut_off_is_made_again(tmp_path: Path, left: int) -> None:
    fill(tmp_path, NAMES)
    whole = (tmp_path / "key").read_bytes()
    (tmp_path / "key").write_bytes(whole[: 3 * RECORD + left])
    assert fill(tmp_path, NAMES) == NAMES[3:]
    assert (tmp_path / "key").read_bytes() == whole


def test_a_record_that_was_copied_before_a_kill_counts_once(tmp_path: Path) -> None:
    fill(tmp_path, NAMES)
    whole = (tmp_path / "key").read_bytes()
    (tmp_path / "key").write_bytes(whole[-RECORD:] + whole[RECORD:])
    assert fill(tmp_path, NAMES[1:]) == []
    assert (tmp_path / "key").stat().st_size == (len(NAMES) - 1) * RECORD


@pytest.mark.parametrize("place", [0, 63, 64, 68, RECORD - 1])
def test_a_flipped_bit_is_noticed(tmp_path: Path, place: int) -> None:
    fill(tmp_path, NAMES)
    data = bytearray((tmp_path / "key").read_bytes())
    data[2 * RECORD + place] ^= 1
    (tmp_path / "key").write_bytes(data)
    assert fill(tmp_path, NAMES) == ["c.png"]


def test_zeros_that_a_power_failure_left_are_no_record(tmp_path: Path) -> None:
    fill(tmp_path, NAMES[:2])
    with (tmp_path / "key").open("ab") as file:
        file.write(bytes(2 * RECORD))
    assert fill(tmp_path, NAMES[:3]) == ["c.png"]


def test_a_second_run_waits_and_finds_what_the_first_made(tmp_path: Path) -> None:
    found: list[list[str]] = []
    second = threading.Thread(target=lambda: found.append(fill(tmp_path, NAMES)))
    with array_cache.opened(tmp_path, "key", NAMES, SHAPE, "u1") as known:
        second.start()
        second.join(0.3)
        assert second.is_alive()
        known.add(NAMES, np.stack([array(name) for name in NAMES]))
    second.join(10)
    assert found == [[]]
