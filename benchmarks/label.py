"""The label stage on 1,000,000 lines against pandas' read_csv and groupby of the same files: time.

    python benchmarks/label.py [--lines 1000000] [--annotators 3] [--rounds 3] [--strings python|pyarrow]

Each of the annotators labels every object once and a tenth of them again; one line in a hundred differs. The baseline reads
the same sheets and tables with pandas' defaults, joins captures and index, takes each annotator's last value, and counts the
values of each object; it checks nothing and writes nothing. Prints the median of the ratios of rounds in which each runs once, in
time of the processor, of which each uses one core. pandas keeps texts in pyarrow where that is installed, as the test extra does,
and its baseline is then four times faster; --strings chooses for both.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from sengu.base import tables
from sengu.stages import label

STAGE = "labels tombstones.csv data/captures data/index data/rejected data/label.csv data/conflicts.csv data/details.csv"


def make(lines: int, annotators: int) -> None:
    """Fills the current folder."""
    random = np.random.default_rng(20)
    count = round(lines / annotators / 1.1)
    ids = [f"{random.bytes(20).hex()}.jpg" for _ in range(count)]
    urls = [name[:40] for name in ids]
    classes = ["dots", "stripes", "rings"]
    site = {"fetch": {"source": "folder", "folder": "x"}}
    settings = {"sites": {"s": site}, "label": {"classes": classes}}
    Path("params.yaml").write_text(yaml.safe_dump(settings))
    Path("tombstones.csv").write_text("objectId,reason,date\n")
    index = pd.DataFrame({"objectId": ids, "urlId": urls, "format": "jpg", "width": 640, "height": 480, "bytes": 20000})
    tables.write(Path("data/index/s.csv"), index.assign(milliseconds=0, video=""), tables.IndexRow)
    captures = pd.DataFrame(dict.fromkeys(tables.columns(tables.Capture), ""), index=range(count))
    captures = captures.assign(urlId=urls, url=[f"http://a.example/{url}" for url in urls], page="http://a.example/", status=200)
    tables.write(Path("data/captures/s.csv"), captures, tables.Capture)
    tables.write(Path("data/rejected/s.csv"), tables.empty(tables.Rejected), tables.Rejected)
    Path("labels").mkdir()
    truth = random.integers(0, 3, count)
    names = np.array(classes)
    for person in range(annotators):
        rows = np.append(random.permutation(count), random.integers(0, count, count // 10))
        values = np.where(random.random(len(rows)) < 0.01, random.integers(0, 3, len(rows)), truth[rows])
        stamps = np.datetime64("2026-01-01T00:00:00") + np.arange(len(rows)) * np.timedelta64(7, "s")
        sheet = pd.DataFrame({"objectId": np.array(ids)[rows], "value": names[values], "annotator": f"person{person}"})
        sheet["labelledAt"] = np.char.add(np.datetime_as_string(stamps), "Z")
        sheet.assign(rule="R1@1f2e3d4c", how="blind", note="").to_csv(f"labels/person{person}.csv", index=False)


def obvious() -> None:
    captures, index = (pd.read_csv(f"data/{name}/s.csv") for name in ("captures", "index"))
    index[["objectId", "urlId", "video"]].merge(captures[["urlId", "filename"]], on="urlId")
    words = pd.concat([pd.read_csv(path) for path in sorted(Path("labels").glob("*.csv"))])
    last = words.groupby(["objectId", "annotator"])["value"].last()
    last.groupby("objectId").agg(["nunique", "first"])


def ours() -> None:
    label.main(STAGE.split())


def timed(function: Callable[[], None]) -> float:
    before = time.process_time()
    function()
    return time.process_time() - before


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--annotators", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--strings", choices=("python", "pyarrow"), help="what pandas keeps texts in; by default what is there")
    options = parser.parse_args()
    if options.strings:
        pd.set_option("mode.string_storage", options.strings)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        make(options.lines, options.annotators)
        ratios = []
        for _ in range(options.rounds):
            theirs, mine = timed(obvious), timed(ours)
            ratios.append(mine / theirs)
            print(f"pandas {theirs:.1f} s, label {mine:.1f} s: {ratios[-1]:.2f}")
    print(f"{options.lines} lines: label takes {statistics.median(ratios):.2f} times pandas' read_csv and groupby")


if __name__ == "__main__":
    main()
