import os
from pathlib import Path

import pytest

from sengu.base.atomic import replaced_file, replaced_folder
from sengu.base.ids import ObjectId
from sengu.base.tables import tombstones

FULL = Path("/dev/full")


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError), replaced_file(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]
    assert path.read_text() == "old"
    with replaced_file(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new"


def test_a_folder_is_replaced_whole_and_leftovers_of_a_killed_run_go(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.mkdir()
    (path / "old").touch()
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial/half").touch()
    with pytest.raises(RuntimeError), replaced_folder(path) as partial:
        raise RuntimeError
    assert [p.name for p in path.iterdir()] == ["old"]
    with replaced_folder(path) as partial:
        (partial / "new").touch()
    assert [p.name for p in path.iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_what_killed_processes_left_of_a_file_goes_with_the_next_that_writes_it(tmp_path: Path) -> None:
    for name in (".out.1.partial", ".out.22.partial", ".other.1.partial", ".out[x].1.partial"):
        (tmp_path / name).touch()
    with replaced_file(tmp_path / "out", writer=".333") as partial:
        partial.write_text("new")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.1.partial", ".out[x].1.partial", "out"]
    with replaced_file(tmp_path / "out[x]", writer=".333") as partial:
        partial.write_text("new")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.1.partial", "out", "out[x]"]


@pytest.mark.parametrize("replaced", [replaced_file, replaced_folder])
def test_a_full_disk_names_what_was_to_be_written(replaced, tmp_path: Path) -> None:
    path = tmp_path / "out"
    with pytest.raises(OSError, match=f"No space left on device: '{path}'"), replaced(path), FULL.open("wb", 0) as stream:
        stream.write(b"x")
    with pytest.raises(OSError, match="No such file or directory: 'other'"), replaced(path):
        Path("other").read_bytes()


def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what is brought to the disk from now on, and of what is renamed, in order."""
    names: list[str] = []
    sync, replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        names.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        sync(descriptor)

    def rename(self: Path, target: Path) -> Path:
        names.append(f"rename {self.name}")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", rename)
    return names


def test_what_cannot_be_rebuilt_is_on_the_disk_before_and_after_it_is_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = synced(monkeypatch)
    with replaced_file(tmp_path / "a") as partial:
        partial.write_bytes(b"a")
    assert names == ["rename .a.partial"]
    names.clear()
    with replaced_file(tmp_path / "a", durable=True) as partial:
        partial.write_bytes(b"a")
    assert names == ["sync .a.partial", "rename .a.partial", f"sync {tmp_path.name}"]


def test_tombstones_are_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = synced(monkeypatch)
    tombstones.add([ObjectId("0" * 40, "jpg")], "asked to", "2026-01-01", tmp_path / "tombstones.csv")
    assert names == ["sync .tombstones.csv.partial", "rename .tombstones.csv.partial", f"sync {tmp_path.name}"]
