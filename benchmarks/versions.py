"""Dataset versions of 100,000 rows: the proof that thirty final ones did not change, and the last of fifty generations.

    python benchmarks/versions.py [--rows 100000] [--versions 30] [--generations 50] [--rounds 3]

check: thirty versions with tags, lock entries, cache listings and trees of objects are written as `finalize` leaves them, and
proved by `sengu dataset check`, started as a program. generations: each version is merged from the one before and, in turn, one
of two sides; the last one, by its stage, against the stage of a version that is made of the labels alone. Times are those of the
processor, which other programs on the machine change little; both use one core.
"""

import argparse
import json
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from crawlers.demo import pictures
from sengu.base import digests, tables
from sengu.base.ids import ObjectId
from sengu.base.tables import versions
from sengu.commands.dataset import proof
from sengu.datasets import tags
from sengu.datasets.recipe import FOLDER, Recipe
from sengu.objects.store import ObjectTree
from sengu.repository import pipeline
from sengu.stages import dataset

CLASSES = ["dots", "stripes"]
DRAWN = 120  # pictures that contact sheets show: those with the smallest ids


def git(*arguments: str) -> str:
    identity = ("-c", "user.name=benchmark", "-c", "user.email=b@b.example")
    return subprocess.run(["git", *identity, *arguments], check=True, capture_output=True, text=True).stdout.strip()


def make(rows: int) -> pd.DataFrame:
    """Fills the current folder with one site; returns the labels, sorted."""
    drawn = {}
    for number in range(DRAWN):
        data = pictures.png(pictures.draw(CLASSES[number % 2], number))
        drawn[str(ObjectId.of(data, "png"))] = (data, number % 2)
    random = np.random.default_rng(20)
    others = [f"ff{random.bytes(19).hex()}.png" for _ in range(rows - DRAWN)]
    values = [value for _, value in drawn.values()] + random.integers(0, 2, len(others)).tolist()
    labels = pd.DataFrame({"objectId": [*drawn, *others], "value": values}).astype({"objectId": "str"})
    labels = labels.sort_values("objectId", ignore_index=True)
    ids = labels["objectId"]
    tree = ObjectTree(Path("data/object/s"))
    for name in ids:
        tree.put(ObjectId.parse(name), drawn[name][0] if name in drawn else b"0123456789")
    sizes = [len(drawn[name][0]) if name in drawn else 10 for name in ids]
    index = pd.DataFrame({"objectId": ids, "urlId": ids.str[:40], "format": "png", "width": 64, "height": 64, "bytes": sizes})
    tables.write(Path("data/index/s.csv"), index.assign(milliseconds=0, video=""), tables.IndexRow)
    captures = pd.DataFrame(dict.fromkeys(tables.columns(tables.Capture), ""), index=range(rows)).astype("str")
    captures = captures.assign(urlId=ids.str[:40], url="http://a.example/", page="http://a.example/", status=200)
    tables.write(Path("data/captures/s.csv"), captures, tables.Capture)
    tables.write(Path("data/label.csv"), labels, tables.Label)
    details = labels.assign(source="sheet", annotator="anna", labelledAt="", rule="", how="blind", subject="")
    tables.write(Path("data/label_details.csv"), details, tables.LabelDetail)
    Path("labels").mkdir()
    sheet = labels.assign(value=labels["value"].map(dict(enumerate(CLASSES))))
    sheet.to_csv("labels/anna.csv", index=False)
    Path("tombstones.csv").write_text("objectId,reason,date\n")
    site = {"fetch": {"source": "folder", "folder": "x"}}
    document = {"sites": {"s": site}, "label": {"classes": CLASSES}, "project": {"name": "x", "licence": "CC0-1.0"}}
    Path("params.yaml").write_text(yaml.safe_dump(document))
    return labels


def recipe(name: str, *parents: str, where: str = "") -> Recipe:
    of_now = None if parents else Path("data/label.csv")
    return Recipe(
        version=FOLDER / name, index=Path("data/index"), captures=Path("data/captures"), objects=Path("data/object"),
        erased=Path("tombstones.csv"), parents=tuple(FOLDER / parent for parent in parents), where=where, labels=of_now,
        details=of_now and Path("data/label_details.csv"), sheets=of_now and Path("labels"),
    )  # fmt: skip


def build(made: Recipe) -> float:
    """Seconds of the processor that the stage of a version takes."""
    before = time.process_time()
    dataset.main(shlex.split(" ".join(made.command()))[3:])
    return time.process_time() - before


def generations(count: int, rounds: int) -> None:
    build(recipe("g1"))
    for number, side in enumerate(("left", "right")):
        build(recipe(side, where=f"value == {number} or objectId < '8'"))
    last = recipe("g1")
    for number in range(2, count + 1):
        last = recipe(f"g{number}", f"g{number - 1}", ("left", "right")[number % 2])
        build(last)
    ratios = []
    for _ in range(rounds):
        flat, deep = build(recipe("flat")), build(last)
        ratios.append(deep / flat)
        print(f"without parents {flat:.1f} s, {last.name} {deep:.1f} s: {ratios[-1]:.2f}", flush=True)
    same = (FOLDER / "flat/label.csv").read_bytes() == (FOLDER / last.name / "label.csv").read_bytes()
    print(f"{count} generations, equal labels: {same}; the last takes {statistics.median(ratios):.2f} times one without parents")


def finalised(count: int, labels: pd.DataFrame) -> None:
    """A repository with `count` final versions of all rows but one, each another one, as `finalize` leaves it."""
    git("init", "--quiet", "--initial-branch", "main")
    Path(".gitignore").write_text("/data/\n/.dvc/cache/\n")
    Path("datasets").mkdir()
    pipeline.DATASETS.write_text("stages: {}\n")
    lock: dict[str, Any] = {}
    for number in range(count):
        name = f"v{number}"
        made = recipe(name)
        folder = made.version
        folder.mkdir(parents=True)
        rows = labels.drop(index=number).reset_index(drop=True)
        versions.write(folder, versions.describe(name, CLASSES, rows), rows)
        entries = [{"md5": digests.md5(path), "relpath": path.name} for path in sorted(folder.iterdir())]
        text = json.dumps(entries)
        md5 = digests.md5(_written(Path("listing"), text)) + ".dir"
        place = Path(f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        lock[name] = {"cmd": " ".join(made.command()), "outs": [{"path": str(folder), "md5": md5, "size": 1, "nfiles": 2}]}
        pipeline.add_version(pipeline.NewVersion(name, made.command(), "x", made.inputs(), ["project"]))
        pipeline.freeze_version(name, {"finalised": "1.0.0"})
    _written(proof.LOCK, yaml.safe_dump({"schema": "2.0", "stages": lock}))
    outs = [{"path": "data/index/s.csv", "md5": digests.md5(Path("data/index/s.csv"))}]
    raw = {"path": "data/raw/s", "md5": "0" * 32 + ".dir"}
    stages = {"crawl@s": {"outs": [raw]}, "objects@s": {"deps": [raw], "outs": outs}}
    _written(Path("dvc.lock"), yaml.safe_dump({"schema": "2.0", "stages": stages}))
    git("add", ".gitignore", "datasets", "dvc.lock", "params.yaml", "labels", "tombstones.csv")
    git("commit", "--quiet", "--message", "versions")
    commit = git("rev-parse", "HEAD")
    for name, entry in lock.items():
        folder = FOLDER / name
        said = dict.fromkeys(tags.KEYS, "none") | {tags.FOLDER: entry["outs"][0]["md5"], tags.COMMIT: commit}
        said |= {key: proof.both(folder / key) for key in (tags.LABEL, tags.METADATA)}
        git("tag", "--annotate", "--message", tags.message(name, "1.0.0", said), f"{tags.PREFIX}{name}@v1.0.0")


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def check(rounds: int) -> None:
    for _ in range(rounds):
        before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        command = [sys.executable, "-m", "sengu.commands.main", "dataset", "check"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        said = (done.stdout or done.stderr).splitlines()[0]
        print(
            f"check: {used:.1f} s of the processor, {time.perf_counter() - wall:.1f} s in all; {said[:60]} … {done.returncode}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, default in (("rows", 100_000), ("versions", 30), ("generations", 50), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        labels = make(options.rows)
        finalised(options.versions, labels)
        check(options.rounds)
        generations(options.generations, options.rounds)


if __name__ == "__main__":
    main()
