import os
import platform
from pathlib import Path

import pytest
from joblib import Parallel, delayed

from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.objects.store import ObjectStore, ObjectTree

FOO, BAR = ObjectId.of(b"foo", "jpg"), ObjectId.of(b"bar", "png")


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    ObjectTree(tmp_path / "a").put(FOO, b"foo")
    ObjectTree(tmp_path / "b").put(BAR, b"bar")
    return tmp_path


def test_all_sites_are_read_as_one(trees: Path) -> None:
    store = ObjectStore.below(trees)
    assert store.read(FOO) == b"foo"
    assert store.path(BAR) == trees / "b" / BAR.path


def test_a_missing_object_is_named_with_the_cure(trees: Path) -> None:
    (trees / "a" / FOO.path).unlink()
    with pytest.raises(SenguError, match=rf"object {FOO} is missing .*sengu objects heal"):
        ObjectStore.below(trees).read(FOO)
    with pytest.raises(SenguError, match="no tree at all"):
        ObjectStore.below(trees / "nothing").read(FOO)


def test_storing_again_mends_a_damaged_leaf(trees: Path) -> None:
    tree = ObjectTree(trees / "a")
    tree.path(FOO).write_bytes(b"fop")
    tree.put(FOO, b"foo")
    assert tree.path(FOO).read_bytes() == b"foo"


def test_several_processes_may_store_the_same_bytes(tmp_path: Path) -> None:
    payload = bytes(3_000_000)
    object_id = ObjectId.of(payload, "jpg")
    for round_ in range(5):
        tree = ObjectTree(tmp_path / str(round_))
        Parallel(n_jobs=2)(delayed(tree.put)(object_id, payload) for _ in range(8))
        assert [path.name for path in tree.root.rglob("*") if path.is_file()] == [str(object_id)]


def test_pruning_leaves_what_a_run_from_scratch_would_make(trees: Path) -> None:
    tree = ObjectTree(trees / "a")
    tree.put(BAR, b"bar")
    (trees / "a/stray.partial").write_bytes(b"")
    assert tree.prune([FOO]) == 2
    assert sorted(p.relative_to(trees / "a") for p in (trees / "a").rglob("*")) == [
        Path(FOO.path).parents[1],
        Path(FOO.path).parents[0],
        Path(FOO.path),
    ]


def test_a_full_disk_is_said_of_the_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = ObjectTree(tmp_path)
    leaf = tree.path(FOO)
    leaf.parent.mkdir(parents=True)
    Path(f"{leaf}.{platform.node()}.{os.getpid()}.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match=f"No space left on device: '{leaf}'"):
        tree.put(FOO, b"foo")
