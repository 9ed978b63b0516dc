"""The objects stage against sha1sum and cp, against a bare Pillow loop, and rerun after one new archive file.

    python benchmarks/objects.py [--pictures 8000] [--rounds 3]

Pictures are JPEGs of about 60 KB, 400 of them drawn, the others different from those in a comment only. Every command runs as
a program of its own, over all pictures and over a quarter of them: the difference is what three quarters take, without what
Python, its imports and its workers take to start, which is printed too. Prints medians of the ratios of rounds in which each
runs once. The index of the archive (.sengu/warc) is there, as `extract` leaves it; what it takes is printed apart.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from sengu import warc
from sengu.base import tables
from sengu.base.ids import url_id

DATE = "2013-10-05T20:00:00Z"
FEW = 32
SCAN = "from sengu.base.urls import TRACKING; warc.read(Path('raw').absolute(), 'site', TRACKING)"
PARAMS = """\
sites: { site: { fetch: { source: generic, start: ["http://a.example/"] } } }
objects: { max_pixels: 100000000, checks: %s }
"""
# what most people would write to see that their pictures are whole
PILLOW = """
import sys
from multiprocessing import Pool
from pathlib import Path
from PIL import Image

def decode(path):
    with Image.open(path) as picture:
        picture.load()

if __name__ == "__main__":
    with Pool(2) as pool:
        for _ in pool.imap_unordered(decode, sorted(Path(sys.argv[1]).iterdir()), chunksize=16):
            pass
"""


def picture(number: int) -> bytes:
    """A JPEG unlike all others, which takes as long to decode."""
    comment = f"{number:012}".encode()
    data = drawn(number % 400)
    return data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:]


@cache
def drawn(seed: int) -> bytes:
    """A JPEG as a camera's: smooth areas, edges and some noise; about 60 KB."""
    numbers = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:480, 0:640]
    waves = [np.sin(rows / a + columns / b) for a, b in numbers.uniform(15, 120, (3, 2))]
    pixels = 128 + 60 * np.stack(waves, axis=-1) + numbers.normal(0, 9, (480, 640, 3))
    stream = BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(stream, "JPEG", quality=82)
    return stream.getvalue()


class Site:
    """A folder in which the stage runs: archive files, captures, and the same payloads as loose files."""

    def __init__(self, folder: Path):
        self.folder, self.urls = folder, list[str]()
        (folder / "files").mkdir(parents=True)

    def add(self, pictures: list[bytes]) -> None:
        """One more archive file."""
        writer = warc.Writer(self.folder / "raw", "site", {})
        for data in pictures:
            self.urls.append(f"http://a.example/pictures/{len(self.urls)}.jpg")
            writer.response(self.urls[-1], DATE, 200, [(b"Content-Type", b"image/jpeg")], data)
            (self.folder / "files" / f"{len(self.urls):07}.jpg").write_bytes(data)
        writer.close()
        rows = [tables.Capture(url_id(url), url, "", "", "", "", DATE, "", 200) for url in self.urls]
        tables.write(self.folder / "site.csv", tables.frame(rows, tables.Capture), tables.Capture)

    def stage(self, checks: bool, afresh: bool = True) -> float:
        if afresh:
            for name in ("tree", ".sengu/objects"):
                shutil.rmtree(self.folder / name, ignore_errors=True)
        (self.folder / "params.yaml").write_text(PARAMS % str(checks).lower())
        return timed(
            self.folder,
            sys.executable,
            "-m",
            "sengu.stages.objects",
            "raw",
            "site.csv",
            "none.csv",
            "tree",
            "index.csv",
            "rej.csv",
        )

    def scan(self) -> float:
        """What the extract stage has done before: it leaves the index of the archive in .sengu/warc."""
        shutil.rmtree(self.folder / ".sengu", ignore_errors=True)
        return timed(self.folder, sys.executable, "-c", f"from pathlib import Path; from sengu import warc; {SCAN}")

    def tools(self) -> float:
        shutil.rmtree(self.folder / "copy", ignore_errors=True)
        return timed(self.folder, "sh", "-c", "find files -type f -print0 | xargs -0 sha1sum > sums && cp -r files copy")

    def pillow(self) -> float:
        (self.folder / "pillow.py").write_text(PILLOW)
        return timed(self.folder, sys.executable, "pillow.py", "files")


def timed(folder: Path, *command: str) -> float:
    os.sync()  # nobody pays for what the one before left to be written
    before = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - before
    if done.returncode:
        sys.exit(f"{command} failed:\n{done.stderr[-2000:]}")
    return seconds


def net(measure: Callable[[Site], float], whole: Site, quarter: Site) -> tuple[float, float]:
    """Seconds over `whole` without those of starting, and those of starting."""
    part, full = measure(quarter), measure(whole)
    seconds = (full - part) * len(whole.urls) / (len(whole.urls) - len(quarter.urls))
    return seconds, full - seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        pictures = [picture(seed) for seed in range(options.pictures)]
        whole, quarter, few = (Site(Path(name) / kind) for kind in ("whole", "quarter", "few"))
        whole.add(pictures)
        quarter.add(pictures[: options.pictures // 4])
        few.add([picture(options.pictures + i) for i in range(FEW)])
        print(f"{options.pictures} pictures of {statistics.mean(map(len, pictures)) / 1000:.0f} KB")
        kinds: dict[str, Callable[[Site], float]] = {
            "sha1sum and cp": Site.tools,
            "objects, checks off": lambda site: site.stage(checks=False),
            "Pillow, 2 processes": Site.pillow,
            "objects, checks on": lambda site: site.stage(checks=True),
        }
        scan = net(Site.scan, whole, quarter)
        print(f"index of the archive    {scan[0]:6.2f} s after a start of {scan[1]:5.2f} s; made once, by the stage before")
        rounds = [{kind: net(measure, whole, quarter) for kind, measure in kinds.items()} for _ in range(options.rounds)]
        for kind in kinds:
            seconds, start = (statistics.median(found[kind][i] for found in rounds) for i in (0, 1))
            print(f"{kind:20} {seconds:6.2f} s after a start of {start:5.2f} s")
        off = statistics.median(r["objects, checks off"][0] / r["sha1sum and cp"][0] for r in rounds)
        on = statistics.median(r["Pillow, 2 processes"][0] / r["objects, checks on"][0] for r in rounds)
        print(f"checks off: {off:.2f} times the time of sha1sum and cp (at most 2)")
        print(f"checks on: {on:.2f} of the speed of Pillow (at least 0.8)")

        first, alone = whole.stage(checks=True), few.stage(checks=True)
        nothing = whole.stage(checks=True, afresh=False)
        whole.add([picture(options.pictures + FEW + i) for i in range(FEW)])
        again = whole.stage(checks=True, afresh=False)
        print(f"first run {first:.2f} s; rerun {nothing:.2f} s; after a new archive file of {FEW} pictures {again:.2f} s")
        print(f"a run over {FEW} pictures alone takes {alone:.2f} s")


if __name__ == "__main__":
    main()
