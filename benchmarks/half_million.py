"""The stages at the size of a whole collection: seconds, memory, bytes, and how each grows with the number of pictures.

    python benchmarks/half_million.py PHOTOGRAPHS.zip FOLDER 50000 100000 200000 500000 [--sample 5000]

FOLDER keeps the collections and the costs, one folder for each number N, so that an interrupted run goes on with the archive or
program that it was at. The pictures are
blends of crops of the photographs, 64 to 144 pixels on a side, as JPEG, PNG and WebP; repeats and near-duplicates (half the
size, or another format) come in the shares of the demo. They lie in archives of five web sites, with pages of 24 pictures and
their tags, as `crawl` writes them. Then the real stages run, each as a program: from `extract` to `split`, `prepare` and `embed`
over a sample, and the commands that people use. N pictures need about 25 KB each of disk.

For each stage it prints seconds by the clock and of processors, the peak memory of the program with its workers, bytes read and
written, and the exponent of growth: 1 means twice the time of processors for twice the pictures. That time depends less on what
else a machine does than the clock. Last it adds one archive file of 1,000 pictures and runs all again.
`embed` and what needs it are left out if the project has no models/release. With --tables, only the stages and commands run that
read nothing but tables, on tables of as many pictures as were not made.
"""

import argparse
import json
import math
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import psutil
from PIL import Image
from tqdm import tqdm

from sengu import warc
from sengu.base import tables
from sengu.base.tables import versions

ROOT = Path(__file__).parents[1]
SITES = ("alder", "birch", "cedar", "elder", "hazel")
CLASSES = ("left", "right")
ON_A_PAGE = 24
REPEATS, NEAR = 0.03, 0.08  # shares of pictures that are another one again, or nearly
MORE = 1000  # pictures of the archive file that is added at the end
DATE = "2026-01-01T00:00:00Z"
PHOTOGRAPHS = 600  # as many are held in memory, at most 320 pixels on a side
EVERY = 0.2  # seconds between two looks at the memory
TEXT = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Cost:
    """What one program took."""

    seconds: float
    processors: float  # seconds of all its processes together
    memory: int  # bytes, all its processes together, shared pages counted in each
    read: int  # bytes, from the page cache or the disk
    written: int


def photographs(path: Path) -> list[np.ndarray]:
    """Pictures uint8 (height, width, 3) from a zip file."""
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.lower().endswith((".jpg", ".jpeg", ".png")))
        found = []
        for name in names[:: max(1, len(names) // PHOTOGRAPHS)][:PHOTOGRAPHS]:
            with Image.open(BytesIO(archive.read(name))) as picture:
                picture.thumbnail((320, 320))
                found.append(np.asarray(picture.convert("RGB")))
    return [pixels for pixels in found if min(pixels.shape[:2]) > 150]


def blend(photos: list[np.ndarray], chance: np.random.Generator) -> np.ndarray:
    """A picture that is unlike all others: crops of two photographs on top of each other."""
    height, width = chance.integers(64, 145, 2)
    parts = []
    for number in chance.integers(0, len(photos), 2):
        photo = photos[number]
        top, left = (
            int(chance.integers(0, size - wanted + 1)) for size, wanted in zip(photo.shape, (height, width), strict=False)
        )
        part = photo[top : top + height, left : left + width]
        parts.append((part[:, ::-1] if chance.integers(2) else part).astype(np.uint16))
    share = int(chance.integers(80, 177))
    return ((parts[0] * share + parts[1] * (256 - share)) >> 8).astype(np.uint8)


def encoded(pixels: np.ndarray, number: int) -> tuple[str, bytes]:
    """The extension and bytes of a picture: of ten, eight are JPEG, one PNG and one WebP."""
    form, extension, options = {0: ("PNG", "png", {}), 1: ("WEBP", "webp", {"quality": 85})}.get(
        number % 10, ("JPEG", "jpg", {"quality": 88})
    )
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, form, **options)
    return extension, stream.getvalue()


def pictures(photos: list[np.ndarray], seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Extension and bytes of `count` pictures; some are the one before again, or nearly."""
    chance = np.random.default_rng(seed)
    pixels = blend(photos, chance)
    made = encoded(pixels, 9)
    for number in range(count):
        dice = chance.random()
        if dice >= REPEATS + NEAR:
            pixels = blend(photos, chance)
            made = encoded(pixels, number)
        elif dice >= REPEATS:
            made = encoded(np.ascontiguousarray(pixels[::2, ::2]) if number % 2 else pixels, 9)
        yield made


def archive(folder: Path, site: str, photos: list[np.ndarray], seed: int, count: int, first: int = 0) -> None:
    """Adds `count` pictures to the archive of a site, with the pages that show them."""
    writer = warc.Writer(folder / "data/raw" / site, site, {"software": "benchmark"})
    host, label = f"http://{site}.example", CLASSES[seed % 2]
    shown: list[str] = []
    for number, (extension, data) in enumerate(pictures(photos, seed, count), start=first):
        url = f"{host}/pictures/{number}.{extension}"
        kind = f"image/{extension.replace('jpg', 'jpeg')}"
        writer.response(url, DATE, 200, [(b"Content-Type", kind.encode())], data)
        shown.append(f'<img src="{url}">')
        if len(shown) == ON_A_PAGE or number == first + count - 1:
            label = CLASSES[number // ON_A_PAGE % 2]
            text = f'<p class="tags"><a>{label}</a> <a>page {number % 50}</a></p>{"".join(shown)}'
            writer.page(f"{host}/page/{number}", DATE, 200, [(b"Content-Type", TEXT.encode())], text.encode())
            shown = []
    writer.close()


def collection(folder: Path, photos: list[np.ndarray], count: int) -> None:
    """A copy of the project with `count` pictures in the archives of five sites; what is whole already is kept."""
    done, has_project = folder / "complete", folder / "project"
    if done.is_file():
        return
    if not has_project.is_file():
        project(folder)
        has_project.touch()
    for number, site in enumerate(tqdm(SITES, desc=f"{count} pictures", unit="site")):
        failed = folder / f"data/failed/{site}.csv"
        if failed.is_file():
            continue
        shutil.rmtree(folder / "data/raw" / site, ignore_errors=True)
        archive(folder, site, photos, number, count // len(SITES))
        failed.parent.mkdir(parents=True, exist_ok=True)
        tables.write(failed, tables.frame([], tables.Failed), tables.Failed)
    done.touch()


def project(folder: Path) -> None:
    """A copy of the project that has the five sites."""
    shutil.rmtree(folder, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if not name.endswith("dvc.lock") and not name.startswith(("tests/", "docs/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    run(folder, "git", "init", "--quiet")
    run(folder, "git", "add", "--all")
    run(folder, "git", "-c", "user.name=b", "-c", "user.email=b@b", "commit", "--quiet", "--message", "project")
    params = (folder / "params.yaml").read_text()
    before, _, rest = params.partition("\nsites:\n")
    after = rest[rest.index("\nobjects:") :].replace("classes: [dots, stripes]", f"classes: [{', '.join(CLASSES)}]")
    start = after.index("  tags: {")
    after = (
        after[:start]
        + f"  tags: {{ {', '.join(f'{name}: {n}' for n, name in enumerate(CLASSES))} }}"
        + after[after.index("\n", start) :]
    )
    sites = "".join(
        f'  {site}:\n    fetch: {{ source: generic, start: ["http://{site}.example/"], contact: a@b.example }}\n'
        '    read: { tags: ".tags a::text" }\n'
        for site in SITES
    )
    (folder / "params.yaml").write_text(f"{before}\nsites:\n{sites}{after}")
    release = ROOT / "models/release"
    if release.is_dir():
        shutil.copytree(release, folder / "models/release")


def run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-1000:]}{done.stderr[-3000:]}")


# the kernel adds what a process read and wrote to its parent's figures when it is reaped
WRAPPER = """
import json, resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
lines = dict(line.split(": ") for line in open("/proc/self/io").read().splitlines())
used = resource.getrusage(resource.RUSAGE_CHILDREN)
cost = {"code": code, "processors": used.ru_utime + used.ru_stime, "read": int(lines["rchar"]), "written": int(lines["wchar"])}
json.dump(cost, open(sys.argv[1], "w"))
"""


def measured(folder: Path, *command: str) -> Cost:
    """Runs a program and looks at its processes' memory while it runs."""
    report = folder / "cost.json"
    begin = time.perf_counter()
    with (folder / "last.log").open("w") as log:
        running = subprocess.Popen([sys.executable, "-c", WRAPPER, str(report), *command], cwd=folder, stdout=log, stderr=log)
        peak, ended = [0], threading.Event()

        def watch() -> None:
            while not ended.wait(EVERY):
                peak[0] = max(peak[0], _memory(running.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        running.wait()
        ended.set()
        watcher.join()
    seconds = time.perf_counter() - begin
    cost = json.loads(report.read_text())
    if cost.pop("code"):
        sys.exit(f"{' '.join(command)} failed in {folder}:\n{(folder / 'last.log').read_text()[-3000:]}")
    return Cost(seconds=seconds, memory=peak[0], **cost)


def _memory(pid: int) -> int:
    total = 0
    try:
        for process in psutil.Process(pid).children(recursive=True):
            total += process.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return total


def program(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


class Costs:
    """What each stage and command took in a folder, which keeps it, program by program."""

    def __init__(self, folder: Path):
        self.folder, self._file = folder, folder / "costs.json"
        known = json.loads(self._file.read_text()) if self._file.is_file() else {}
        self._known = {name: {step: Cost(**cost) for step, cost in steps.items()} for name, steps in known.items()}

    def measure(self, name: str, command: Sequence[str], step: str = "") -> None:
        """Runs a program, unless it was; a stage that runs for each site has steps."""
        if step not in self._known.setdefault(name, {}):
            self._known[name][step] = measured(self.folder, *command)
            documents = {name: {step: asdict(cost) for step, cost in steps.items()} for name, steps in self._known.items()}
            self._file.write_text(json.dumps(documents))
            print(f"{self.folder.name}: {name} {step} {self._known[name][step]}", file=sys.stderr, flush=True)

    def totals(self) -> dict[str, Cost]:
        """Of all steps of a stage together, and the highest memory of one."""
        return {
            name: Cost(
                **{
                    part: sum(getattr(cost, part) for cost in steps.values())
                    for part in ("seconds", "processors", "read", "written")
                },
                memory=max(cost.memory for cost in steps.values()),
            )
            for name, steps in self._known.items()
        }


def stages(folder: Path, costs: Costs, sample: int) -> None:
    """Every stage and command in turn, on what is in `folder`."""
    for site in SITES:
        raw, captures, index = f"data/raw/{site}", f"data/captures/{site}.csv", f"data/index/{site}.csv"
        costs.measure("extract", program("crawlers.extract", site, raw, captures), site)
        outputs = (f"data/object/{site}", index, f"data/rejected/{site}.csv")
        costs.measure("objects", program("sengu.stages.objects", raw, captures, "tombstones.csv", *outputs), site)
    label(costs)
    of_groups = ("duplicate_groups.csv", "data/duplicates.csv")
    costs.measure("duplicates", program("sengu.stages.duplicates", "data/index", "data/object", *of_groups))
    costs.measure("duplicates, again", program("sengu.stages.duplicates", "data/index", "data/object", *of_groups))
    first = split(folder, costs)
    part = folder / "data/sample.csv"
    tables.write(part, tables.read(folder / "data/split_label.csv", tables.SplitLabel).head(sample), tables.SplitLabel)
    costs.measure(f"prepare, {sample}", program("sengu.stages.prepare", "data/sample.csv", "data/object", "data/pixels"))
    sengu = program("sengu.commands.main")
    if (folder / "models/release").is_dir():
        costs.measure("embed", program("sengu.stages.embed", "data/index", "data/object", "models/release", "data/embeddings"))
        costs.measure("similar", (*sengu, "similar", first))
        costs.measure("suggest", (*sengu, "suggest", "-n", "200"))
    costs.measure("objects verify", (*sengu, "objects", "verify"))
    look_up(costs, first)


def label(costs: Costs) -> None:
    of_labels = ("data/label.csv", "data/label_conflicts.csv", "data/label_details.csv")
    costs.measure(
        "label",
        program("sengu.stages.label", "labels", "tombstones.csv", "data/captures", "data/index", "data/rejected", *of_labels),
    )


def split(folder: Path, costs: Costs) -> str:
    """Returns one of the objects."""
    labels = tables.read(folder / "data/label.csv", tables.Label)
    versions.write(folder / "data/dataset/v1", versions.describe("v1", list(CLASSES), labels), labels)
    costs.measure("version", program("sengu.stages.version", "data/version.txt"))
    of_split = ("data/dataset/v1", "data/duplicates.csv", "data/version.txt", "data/split_label.csv")
    costs.measure("split", program("sengu.stages.split", *of_split))
    return str(labels["objectId"].iloc[0])


def look_up(costs: Costs, name: str) -> None:
    sengu = program("sengu.commands.main")
    costs.measure("objects info", (*sengu, "objects", "info", name))
    costs.measure("label check", (*sengu, "label", "check"))


def tables_only(folder: Path, costs: Costs, count: int) -> None:
    """The stages and commands that read nothing but tables, on those of a collection that has no pictures."""
    if not (folder / "complete").is_file():
        project(folder)
        chance = np.random.default_rng(count)
        names: list[str] = []
        for number, site in enumerate(SITES):
            rows = range(number, count, len(SITES))
            ids, urls = ([chance.bytes(20).hex() for _ in rows] for _ in range(2))
            host = f"http://{site}.example"
            captures = [
                tables.Capture(
                    url, f"{host}/pictures/{row}.jpg", f"{host}/page/{row // ON_A_PAGE}",
                    f"page {row % 50}|{CLASSES[row // ON_A_PAGE % 2]}", "", "", DATE, "", 200,
                )
                for row, url in zip(rows, urls, strict=True)
            ]  # fmt: skip
            index = [tables.IndexRow(f"{name}.jpg", url, "jpg", 100, 100, 9000) for name, url in zip(ids, urls, strict=True)]
            for kind, row_type, each in (
                ("captures", tables.Capture, captures),
                ("index", tables.IndexRow, index),
                ("rejected", tables.Rejected, []),
            ):
                path = folder / f"data/{kind}/{site}.csv"
                path.parent.mkdir(parents=True, exist_ok=True)
                tables.write(path, tables.frame(each, row_type), row_type)
            names += [f"{name}.jpg" for name in ids]
        near = np.array(names[: int(count * NEAR) * 2]).reshape(-1, 2)
        pairs = [tables.Duplicate(str(name), str(min(pair)), "") for pair in near for name in pair]
        tables.write(folder / "data/duplicates.csv", tables.frame(pairs, tables.Duplicate), tables.Duplicate)
        (folder / "complete").touch()
    label(costs)
    look_up(costs, split(folder, costs))


def pinned(folder: Path, costs: Costs, photos: list[np.ndarray], count: int) -> None:
    """DVC over it: a rerun in which nothing changed, and one with an archive file more. Stages that took place are committed."""
    again = ("dvc", "repro", "split")
    ready, more = folder / "pinned", folder / "more"
    if not ready.is_file():
        targets = [f"{stage}@{site}" for site in SITES for stage in ("crawl", "extract", "objects")]
        run(folder, "dvc", "commit", "--force", *targets, "label", "duplicates")
        run(folder, *again)
        ready.touch()
    if not more.is_file():
        costs.measure("dvc repro split, nothing changed", again)
        archive(folder, SITES[0], photos, seed=1_000_000, count=MORE, first=count)
        more.touch()
    run(folder, "dvc", "commit", "--force", f"crawl@{SITES[0]}")
    costs.measure(f"dvc repro split, {MORE} pictures more", again)


def size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def table(costs: dict[int, dict[str, Cost]]) -> None:
    counts = sorted(costs)
    names = list(dict.fromkeys(name for count in counts for name in costs[count]))
    print("| stage | " + " | ".join(f"{count:,}: s, s of processors, GB, read, written MB" for count in counts) + " | exponent |")
    print("| --- |" + " --- |" * (len(counts) + 1))
    for name in names:
        cells = []
        for count in counts:
            cells.append(cell(costs[count].get(name)))
        print(f"| {name} | {' | '.join(cells)} | {exponent(counts, costs, name)} |")


def cell(cost: Cost | None) -> str:
    if cost is None:
        return "-"
    sizes = f"{cost.memory / 1e9:.2f}, {cost.read / 1e6:.0f}, {cost.written / 1e6:.0f}"
    return f"{cost.seconds:.1f}, {cost.processors:.1f}, {sizes}"


def exponent(counts: list[int], costs: dict[int, dict[str, Cost]], name: str) -> str:
    """Of growth, from the smallest to the largest number; a start that costs the same everywhere makes it smaller."""
    known = [count for count in counts if name in costs[count]]
    if len(known) < 2:
        return "-"
    few, many = known[0], known[-1]
    return f"{math.log(costs[many][name].processors / costs[few][name].processors) / math.log(many / few):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("photographs", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("counts", type=int, nargs="+")
    parser.add_argument("--sample", type=int, default=5000, help="pictures for `prepare`")
    parser.add_argument("--tables", action="store_true", help="only what reads tables alone, which need no pictures")
    options = parser.parse_args()
    photos = [] if options.tables else photographs(options.photographs)
    costs: dict[int, dict[str, Cost]] = {}
    for count in sorted(options.counts):
        folder = options.folder.resolve() / (f"tables-{count}" if options.tables else str(count))
        if options.tables:
            kept = Costs(folder)
            tables_only(folder, kept, count)
            costs[count] = kept.totals()
            continue
        collection(folder, photos, count)
        kept = Costs(folder)
        stages(folder, kept, options.sample)
        pinned(folder, kept, photos, count)
        costs[count] = kept.totals()
        shares = {name: size(folder / name) for name in ("data/raw", "data/object", ".sengu")}
        print(f"{count:,} pictures: " + ", ".join(f"{name} {total / 1e6:.0f} MB" for name, total in shares.items()))
    table(costs)


if __name__ == "__main__":
    main()
