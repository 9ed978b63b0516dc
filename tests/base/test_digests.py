"""The key of a cache changes with all that decides what the cache holds."""

import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from project import ROOT

from sengu.base import digests


def test_the_key_tells_settings_files_and_versions_apart(tmp_path: Path) -> None:
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_text("a")
    two.write_text("b")
    keys = [
        digests.key({"size": 64}, [one, two], ["numpy"]),
        digests.key({"size": 65}, [one, two], ["numpy"]),
        digests.key({"size": 64}, [one], ["numpy"]),
        digests.key({"size": 64}, [one, two], ["pillow"]),
    ]
    two.write_text("c")
    keys.append(digests.key({"size": 64}, [one, two], ["numpy"]))
    # a folder stands for all that is in it, by names and content
    keys.append(digests.key({"size": 64}, [tmp_path], ["numpy"]))
    assert keys[-1] == digests.key({"size": 64}, [tmp_path], ["numpy"])
    (tmp_path / "deeper").mkdir()
    two.rename(tmp_path / "deeper/two.py")
    keys.append(digests.key({"size": 64}, [tmp_path], ["numpy"]))
    (tmp_path / "deeper/two.py").write_text("d")
    keys.append(digests.key({"size": 64}, [tmp_path], ["numpy"]))
    with pytest.raises(FileNotFoundError):
        digests.key({"size": 64}, [two], ["numpy"])
    assert len(set(keys)) == len(keys)


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A copy of a room under a name of its own."""
    shutil.copytree(ROOT / "src/sengu/pictures", tmp_path / "room", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("room")
    del sys.modules["room"]


def test_a_changed_byte_anywhere_in_a_room_gives_another_key(room: ModuleType) -> None:
    files = [path for _, path in digests.sources(room)]
    assert {"__init__.py", "images.py", "videos.py", "resizing.py"} <= {path.name for path in files}
    keys = {digests.key((), [room], [])}
    for path in files:
        path.write_bytes(path.read_bytes() + b"#")
        keys.add(digests.key((), [room], []))
    (files[0].parent / "new.py").write_bytes(b"")
    keys.add(digests.key((), [room], []))
    assert len(keys) == len(files) + 2
    (files[0].parent / ".images.py.swp").write_bytes(b"what an editor leaves")
    assert digests.key((), [room], []) in keys


def test_a_module_stands_for_its_source(room: ModuleType) -> None:
    images = importlib.import_module("room.images")
    before = digests.key((), [images], [])
    Path(str(room.__file__)).write_bytes(b"")
    assert digests.key((), [images], []) == before
    Path(str(images.__file__)).write_bytes(b"")
    assert digests.key((), [images], []) != before
