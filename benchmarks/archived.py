"""Objects with files of their own against objects that lie in the archive only: stages, reads and disk.

    python benchmarks/archived.py [--pictures 2000] [--rounds 3]

Pictures are small drawn JPEGs that differ in a comment. Stages run as programs of their own, with nothing kept in .sengu; the
reads are those of `ObjectStore.read`, in this process, of every object in the order of ids. Prints medians over rounds, in
each of which both ways run once.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from crawlers.demo import pictures
from sengu import warc
from sengu.base import tables
from sengu.base.ids import ObjectId, url_id
from sengu.objects.store import ObjectStore

DATE = "2013-10-05T20:00:00Z"
PARAMS = """\
sites: { a: { fetch: { source: generic, start: ["http://a.example/"] } } }
objects: { max_pixels: 100000000, tree: %s }
prepare: { size: 64, fit: squash }
"""
STAGES = {
    "objects": "data/raw/a data/captures/a.csv tombstones.csv data/object/a data/index/a.csv data/rejected/a.csv",
    "duplicates": "data/index data/object duplicate_groups.csv data/duplicates.csv",
    "prepare": "split.csv data/object data/pixels",
}
WAYS = ("tree", "archive")


def make(folder: Path, count: int, way: str) -> None:
    """A project of one site with `count` distinct pictures."""
    for name in ("index", "rejected", "captures", "object"):
        (folder / "data" / name).mkdir(parents=True)
    drawn = [pictures.jpeg(pictures.draw("dots", number)) for number in range(min(count, 200))]
    writer, captures, rows = warc.Writer(folder / "data/raw/a", "a", {}), [], []
    for number in range(count):
        payload = drawn[number % len(drawn)]
        payload = payload[:2] + b"\xff\xfe\x00\x0a" + b"%08d" % number + payload[2:]
        url = f"http://a.example/{number}"
        writer.response(url, DATE, 200, [], payload)
        captures.append(tables.Capture(url_id(url), url, "", "", "", "", DATE, "", 200))
        rows.append(tables.SplitLabel(str(ObjectId.of(payload, "jpg")), 0, "train"))
    writer.close()
    tables.write(folder / "data/captures/a.csv", tables.frame(captures, tables.Capture), tables.Capture)
    tables.write(folder / "split.csv", tables.frame(rows, tables.SplitLabel), tables.SplitLabel)
    tables.write(folder / "tombstones.csv", tables.empty(tables.Tombstone), tables.Tombstone)
    tables.write(folder / "duplicate_groups.csv", tables.empty(tables.GroupDecision), tables.GroupDecision)
    (folder / "params.yaml").write_text(PARAMS % ("true" if way == "tree" else "false"))


def stage(folder: Path, name: str) -> float:
    """Seconds of a stage that begins from nothing, but for the index of the archive."""
    for path in (folder / ".sengu").glob("*"):
        if path.name != "warc":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if name == "objects":
        shutil.rmtree(folder / "data/object/a", ignore_errors=True)
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", f"sengu.stages.{name}", *STAGES[name].split()], cwd=folder, check=True, capture_output=True
    )
    return time.perf_counter() - start


def reads(folder: Path) -> float:
    """Seconds to read every object, one after the other."""
    objects = [ObjectId.parse(name) for name in tables.read(folder / "split.csv", tables.SplitLabel)["objectId"]]
    store = ObjectStore.below(folder / "data/object")
    start = time.perf_counter()
    for object_id in objects:
        store.read(object_id)
    return time.perf_counter() - start


def disk(folder: Path) -> int:
    """Bytes that archive and objects take, in whole blocks."""
    return sum(path.stat().st_blocks * 512 for name in ("raw", "object") for path in (folder / "data" / name).rglob("*"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folders = {way: Path(temporary, way) for way in WAYS}
        for way, folder in folders.items():
            make(folder, arguments.pictures, way)
            stage(folder, "objects")  # which indexes the archive
        times: dict[tuple[str, str], list[float]] = {}
        for _ in range(arguments.rounds):
            for name in (*STAGES, "reads"):
                for way, folder in folders.items():
                    seconds = reads(folder) if name == "reads" else stage(folder, name)
                    times.setdefault((name, way), []).append(seconds)
        for name in (*STAGES, "reads"):
            tree, archive = (statistics.median(times[name, way]) for way in WAYS)
            print(f"{name:12} tree {tree:7.2f} s   archive {archive:7.2f} s   ratio {archive / tree:.2f}")
        tree_bytes, archive_bytes = (disk(folders[way]) for way in WAYS)
        ratio = archive_bytes / tree_bytes
        print(f"disk         tree {tree_bytes / 1e6:7.1f} MB  archive {archive_bytes / 1e6:7.1f} MB  ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
