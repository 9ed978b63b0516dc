import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from project import environment

from crawlers.demo import pictures
from sengu.base import tables
from sengu.base.errors import SenguError, one_line
from sengu.base.ids import ObjectId
from sengu.caches import array_cache
from sengu.examples import EXAMPLES, PIXELS, read_pixels
from sengu.objects.store import ObjectTree
from sengu.pictures import resizing
from sengu.stages import prepare as stage

pytestmark = pytest.mark.slow  # a pool of processes takes seconds to start

PROGRAM = (sys.executable, "-m", "sengu.stages.prepare", "split.csv", "trees", "pixels")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    settings(64)
    return tmp_path


def settings(size: int) -> None:
    Path("params.yaml").write_text(f"prepare: {{ size: {size}, fit: squash }}\n")


def objects(numbers: Sequence[int], copies: int = 1) -> list[ObjectId]:
    """Drawn pictures in the store, and as the rows of split.csv; copies differ in bytes behind the picture."""
    payloads = [pictures.png(pictures.draw("stripes", i)) + bytes([0] * copy) for i in numbers for copy in range(copies)]
    ids = sorted(ObjectId.of(payload, "png") for payload in payloads)
    for payload in payloads:
        ObjectTree(Path("trees/a")).put(ObjectId.of(payload, "png"), payload)
    tables.write(
        Path("split.csv"),
        tables.frame([tables.SplitLabel(str(i), 0, "train") for i in ids], tables.SplitLabel),
        tables.SplitLabel,
    )
    return ids


def damage(ids: Sequence[ObjectId]) -> None:
    for object_id in ids:
        ObjectTree(Path("trees/a")).path(object_id).write_bytes(b"damaged")


def run() -> bytes:
    stage.main(list(PROGRAM[3:]))
    return Path("pixels", PIXELS).read_bytes() + Path("pixels", EXAMPLES).read_bytes()


def test_pixels_are_those_of_the_one_preprocessing_in_order(folder: Path) -> None:
    ids = objects(range(8))
    run()
    resize = resizing.resizer(64, "squash")
    drawn = {ObjectId.of(pictures.png(picture), "png"): picture for picture in (pictures.draw("stripes", i) for i in range(8))}
    found = read_pixels(Path("pixels"))
    assert found.rows["objectId"].tolist() == [str(object_id) for object_id in ids]
    assert found.arrays.dtype == np.uint8
    assert all((pixels == resize(drawn[object_id])).all() for pixels, object_id in zip(found.arrays, ids, strict=True))


def test_a_new_version_decodes_its_new_objects_only(folder: Path) -> None:
    old = objects(range(6))
    run()
    objects(range(10))
    damage(old)  # reading one of them would be an error
    with_cache = run()
    assert len(cached()) == 10
    objects(range(10))
    shutil.rmtree(".sengu")
    assert run() == with_cache
    objects(range(6, 10))
    run()
    assert len(cached()) == 4  # what the split has no more is not kept


def cached() -> list[str]:
    """The names in the working cache, of which there is one file."""
    (path,) = (path for path in Path(".sengu/prepared").iterdir() if path.name != array_cache.LOCK)
    records = np.fromfile(path, np.dtype([("name", "S64"), ("rest", "V", 4 + 64 * 64 * 3)]))
    return [name.decode() for name in records["name"]]


def test_another_size_uses_nothing_of_the_old_one(folder: Path) -> None:
    ids = objects(range(2))
    run()
    damage(ids)
    run()
    settings(65)
    with pytest.raises(SenguError, match="is damaged"):
        run()


def test_a_missing_object_is_named_even_if_its_pixels_are_known(folder: Path) -> None:
    ids = objects(range(3))
    run()
    ObjectTree(Path("trees/a")).path(ids[1]).unlink()
    with pytest.raises(SenguError, match=f"object {ids[1]} is missing"):
        run()


def test_an_object_that_cannot_be_decoded_is_named(folder: Path) -> None:
    data = pictures.png(pictures.draw("stripes", 0))[:3000]
    cut = ObjectId.of(data, "png")
    ObjectTree(Path("trees/a")).put(cut, data)
    tables.write(Path("split.csv"), tables.frame([tables.SplitLabel(str(cut), 0, "train")], tables.SplitLabel), tables.SplitLabel)
    with pytest.raises(SenguError, match=f"object {cut} cannot be decoded: truncated"):
        run()


def test_a_killed_run_leaves_nothing_wrong_behind(folder: Path) -> None:
    ids = objects(range(30), copies=40)
    running = subprocess.Popen(PROGRAM, env=environment(), stderr=subprocess.DEVNULL, start_new_session=True)
    while not (Path(".sengu/prepared").is_dir() and any(path.stat().st_size for path in Path(".sengu/prepared").iterdir())):
        assert running.poll() is None
        time.sleep(0.001)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert 0 < len(cached()) < len(ids)
    assert not Path("pixels").exists()
    after = run()
    shutil.rmtree(".sengu")
    assert run() == after


def test_two_runs_at_once_do_not_harm_each_other(folder: Path) -> None:
    ids = objects(range(30), copies=4)
    both = [subprocess.Popen(PROGRAM, env=environment(), stderr=subprocess.PIPE, text=True) for _ in range(2)]
    logs = [process.communicate(timeout=100)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], logs
    assert sorted(", 0 known before" in log for log in logs) == [False, True], logs
    assert sorted(f", {len(ids)} known before" in log for log in logs) == [False, True], logs
    together = Path("pixels", PIXELS).read_bytes() + Path("pixels", EXAMPLES).read_bytes()
    shutil.rmtree(".sengu")
    assert run() == together


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        # a limit on the size of files gives the error of a full disk, at the same places
        (resource.RLIMIT_FSIZE, 20_000, r"error: \S*\.sengu/prepared/\w+: File too large"),
        (resource.RLIMIT_NOFILE, 3, r"error: \S+: Too many open files"),
    ],
)
def test_a_full_disk_and_too_many_open_files_are_one_line_with_the_name_of_the_file(
    folder: Path, limit: int, value: int, message: str
) -> None:
    objects(range(4))
    before = resource.getrlimit(limit)
    with pytest.raises(SystemExit, match=message), one_line():
        resource.setrlimit(limit, (value, before[1]))
        try:
            run()
        finally:
            resource.setrlimit(limit, before)
    assert not Path("pixels").exists()
    run()
    assert not list(folder.rglob("*.partial"))


def test_a_folder_that_may_not_be_written_is_one_line_with_its_name(folder: Path) -> None:
    objects(range(2))
    Path("out").mkdir(mode=0o555)
    folder.chmod(0o755)
    Path(".sengu").mkdir(mode=0o777)
    Path(".sengu").chmod(0o777)
    as_another_user = os.geteuid() == 0
    if as_another_user:  # root may write everywhere
        os.seteuid(65534)
    try:
        with pytest.raises(SystemExit, match=r"^error: out/\.pixels\.partial: Permission denied$"), one_line():
            stage.main([*PROGRAM[3:5], "out/pixels"])
    finally:
        if as_another_user:
            os.seteuid(0)
