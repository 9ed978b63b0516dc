"""Costs measured by half_million.py -> what ten million pictures take, on how many processors, and the bill of their bucket.

    python benchmarks/ten_million.py FOLDER 10000 50000 [--pictures 10000000] [--bytes 200000] [--processors 2 16 64]

FOLDER holds the costs of two or more numbers of pictures. What one more picture costs is what the largest number took more than
the smallest, for each picture that it has more; where the exponent of growth is above 1, costs grow with it. The pictures of
half_million.py are small: for larger ones, each stage that decodes them takes DECODING more for each byte. A stage that works
picture by picture is divided among processors; the other stages run on one. Prices are those of `remote.prices` in params.yaml,
counted as `sengu remote report` counts: archives in files of 1 GB, and what else DVC pushes, at its measured size. Prints the
tables of docs/scale.md.
"""

import argparse
import math
from pathlib import Path

from half_million import ROOT, Cost, Costs

from sengu.base import params
from sengu.base.params import Prices
from sengu.remote import bills
from sengu.remote.bills import human
from sengu.remote.stored import Stored

# seconds of processors for each byte of JPEG: benchmarks/objects.py, 8,000 pictures of 58 KB in 7.0 s on two processors
DECODING = 14.0 / (8_000 * 58_000)
# stages, and whether they decode every picture, and whether they are divided among processors
STAGES = {
    "extract": (False, False),
    "objects": (True, True),
    "label": (False, False),
    "fingerprints": (True, True),
    "groups": (False, False),
    "split": (False, False),
    "embed": (True, True),
}
MEMORY_OF = {"fingerprints": "duplicates", "groups": "duplicates, again"}
PUSHED = ("data/captures", "data/index", "data/rejected", "data/label.csv", "data/label_details.csv", "data/duplicates.csv",
          "data/dataset", "data/split_label.csv", "data/embeddings")  # fmt: skip
FILE = 1_000_000_000  # bytes of an archive file
CLASSES = ("STANDARD", "STANDARD_IA", "GLACIER_IR", "DEEP_ARCHIVE")  # of the archives; all else stays in STANDARD


def by_stage(costs: dict[str, Cost]) -> dict[str, float]:
    """Seconds of processors; `duplicates` makes fingerprints, which its second run has, and groups."""
    seconds = {name: cost.processors for name, cost in costs.items() if name in STAGES}
    groups = costs["duplicates, again"].processors
    return seconds | {"fingerprints": costs["duplicates"].processors - groups, "groups": groups}


def grown(few: float, many: float, counts: tuple[int, int], pictures: int) -> float:
    """What was `few` and `many` at two counts, at a number of pictures: in proportion, or with the power that was measured."""
    if few <= 0 or many <= few:
        return max(few, many)
    power = math.log(many / few) / math.log(counts[1] / counts[0])
    if power > 1:
        return many * float((pictures / counts[1]) ** power)
    return few + (many - few) / (counts[1] - counts[0]) * (pictures - counts[0])


def size(folder: Path, names: tuple[str, ...]) -> int:
    files = [file for name in names for file in ((folder / name).rglob("*") if (folder / name).is_dir() else [folder / name])]
    return sum(file.stat().st_size for file in files if file.is_file())


def stages(folders: list[Path], counts: tuple[int, int], pictures: int, more_bytes: float, processors: list[int]) -> None:
    costs = [Costs(folder).totals() for folder in folders]
    few, many = map(by_stage, costs)
    print(f"| stage | hours of processors | {' | '.join(f'hours on {count}' for count in processors)} | memory |")
    print("| --- |" + " --- |" * (len(processors) + 2))
    for name, (decodes, is_divided) in STAGES.items():
        seconds = grown(few[name], many[name], counts, pictures) + decodes * pictures * more_bytes * DECODING
        hours = [seconds / 3600 / (count if is_divided else 1) for count in processors]
        least, most = (cost[MEMORY_OF.get(name, name)].memory for cost in costs)
        memory = grown(least, most, counts, pictures)
        print(f"| {name} | {seconds / 3600:.1f} | {' | '.join(f'{each:.1f}' for each in hours)} | {memory / 1e9:.0f} GB |")


def cut(total: int) -> list[int]:
    """The sizes of files of at most FILE that hold so many bytes."""
    return [FILE] * (total // FILE) + [total % FILE] * (total % FILE > 0)


def bucket(pictures: int, payload: int, other: float, prices: Prices) -> None:
    archives, rest = pictures * payload, round(pictures * other)
    print(f"| archives in | size | objects | {prices.currency} a month | a push of everything | a pull of everything |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in CLASSES:
        sizes = [("STANDARD", size) for size in cut(rest)] + [(name, size) for size in cut(archives)]
        files = [Stored(str(number), size, storage_class=kind) for number, (kind, size) in enumerate(sizes)]
        bill = bills.bill(files, [], {}, prices)
        once = [bill.requests[f"a {way} of everything"] for way in ("push", "pull")]
        print(
            f"| {name} | {human(bill.total.size)} | {bill.total.objects:,} | {bill.total.cost:,.0f} | "
            f"{once[0]:,.2f} | {once[1]:,.0f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("counts", type=int, nargs="+")
    parser.add_argument("--pictures", type=int, default=10_000_000)
    parser.add_argument("--bytes", type=int, default=200_000, help="of a picture")
    parser.add_argument("--processors", type=int, nargs="+", default=[2, 16, 64])
    options = parser.parse_args()
    counts = (min(options.counts), max(options.counts))
    folders = [options.folder / str(count) for count in counts]
    small = size(folders[1], ("data/raw",)) / counts[1]
    stages(folders, counts, options.pictures, max(0.0, options.bytes - small), options.processors)
    print()
    pushed = size(folders[1], PUSHED) / counts[1]
    bucket(options.pictures, options.bytes, pushed, params.remote(ROOT / "params.yaml").prices)


if __name__ == "__main__":
    main()
