from pathlib import Path

import pytest

from sengu.atomic import replaced_file, replaced_folder


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
