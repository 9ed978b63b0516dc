from pathlib import Path

import pytest

from sengu.base.atomic import replaced_file, replaced_folder

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


@pytest.mark.parametrize("replaced", [replaced_file, replaced_folder])
def test_a_full_disk_names_what_was_to_be_written(replaced, tmp_path: Path) -> None:
    path = tmp_path / "out"
    with pytest.raises(OSError, match=f"No space left on device: '{path}'"), replaced(path), FULL.open("wb", 0) as stream:
        stream.write(b"x")
    with pytest.raises(OSError, match="No such file or directory: 'other'"), replaced(path):
        Path("other").read_bytes()
