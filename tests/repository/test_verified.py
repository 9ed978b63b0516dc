import os
from pathlib import Path

import pytest

from sengu.repository import verified


def test_a_file_is_known_until_anything_of_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    with verified.opened(tmp_path / "memory") as memory:
        memory.remember("a", "digest", verified.stamp(path))
        assert memory.holds("a", "digest", verified.stamp(path))
        assert not memory.holds("a", "another", verified.stamp(path))
        assert memory.digest("a", verified.stamp(path)) == "digest"
    before = path.stat()
    with path.open("r+b") as stream:  # in place, with its time put back
        stream.write(b"x")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns, path.stat().st_ino) == (3, before.st_mtime_ns, before.st_ino)
    with verified.opened(tmp_path / "memory") as memory:
        assert not memory.holds("a", "digest", verified.stamp(path))
        memory.forget("a")
        assert memory.times() == {}


@pytest.mark.parametrize("place", [10, 5000])
def test_a_damaged_memory_is_begun_anew(tmp_path: Path, place: int) -> None:
    path = tmp_path / "memory"
    with verified.opened(path) as memory:
        for number in range(100):
            memory.remember(str(number), "digest", "stamp")
    data = bytearray(path.read_bytes())
    data[place : place + 100] = bytes(100)
    path.write_bytes(data)
    with verified.opened(path) as memory:
        memory.remember("a", "digest", "stamp")
        assert memory.holds("a", "digest", "stamp")
        assert set(memory.times()) <= {"a", *map(str, range(100))}


def test_a_full_disk_costs_the_memory_only(tmp_path: Path) -> None:
    path = tmp_path / "memory"
    with verified.opened(path) as memory:
        memory._connection.execute("PRAGMA max_page_count = 4")
        for number in range(1000):
            memory.remember(f"{number:0200}", "digest", "stamp")
        assert 0 < len(memory.times()) < 1000


def test_only_the_places_that_are_meant_are_forgotten(tmp_path: Path) -> None:
    with verified.opened(tmp_path / "memory") as memory:
        for place in ("a", "b", "remote c"):
            memory.remember(place, "digest", "stamp")
        memory.keep_only({"a"}, lambda place: not place.startswith("remote "))
        assert set(memory.times()) == {"a", "remote c"}
        memory.note("x", 2.5)
        assert memory.noted("x") == 2.5
        memory.note("x", None)
        assert memory.noted("x") is None
