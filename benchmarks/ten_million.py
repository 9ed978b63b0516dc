"""Measured costs of one picture -> what ten million take, on how many processors, and the bill of their bucket.

    python benchmarks/ten_million.py [--pictures 10000000] [--bytes 200000] [--processors 2 16 64]

Arithmetic, no measurement: STAGES says what each stage was measured to take, and by which benchmark. A stage that works picture
by picture is divided among processors, the others run on one. Prices are those of `remote.prices` in params.yaml, counted as
`sengu remote report` counts: archives in files of 1 GB, and what else DVC pushes. Prints the tables of docs/scale.md.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

from sengu.base import params
from sengu.base.params import Prices
from sengu.remote import bills
from sengu.remote.bills import human
from sengu.remote.stored import Stored


@dataclass(frozen=True)
class Stage:
    """What one picture costs in a stage."""

    name: str
    seconds: float  # of a processor, for a small picture
    of_a_byte: float = 0.0  # of a processor, for each byte of a payload
    memory: float = 0.0  # bytes
    divided: bool = False  # among processors
    power: float = 1.0  # of growth
    at: int = 1  # pictures at which a stage with a power was measured


DECODING = 2 * 7.0 / (8_000 * 58_000)  # benchmarks/objects.py: 8,000 pictures of 58 KB in 7.0 s on two processors
STAGES = (
    Stage("extract", (138.2 - 20.3) / 450_000),  # benchmarks/half_million.py: what 450,000 pictures more took, as below
    Stage("objects", 0, DECODING, divided=True),
    Stage("label", (7.7 - 1.6) / 450_000, memory=(777e6 - 248e6) / 450_000),
    Stage("duplicates: fingerprints", 0.002, DECODING, divided=True),
    # candidates.search of 300,000 random hashes and their crops: 25.3 s, with a power of 1.33 from 100,000 on; looked up twice,
    # for mirror images, too. Verifying: benchmarks/duplicates.py --alike 0.11, what is left of 27.6 s for 30,000 with the start.
    Stage("duplicates: candidates", 2 * 25.3 / 300_000, memory=4_325 + 16 * 3 * 4, power=1.33, at=300_000),
    Stage("duplicates: verifying", (27.6 - 2 * 1.55) / 30_000),
    Stage("split", (3.4 - 1.3) / 450_000, memory=(550e6 - 217e6) / 450_000),
    Stage("embed, at 64 px", 2 / 470, DECODING, memory=1_000, divided=True),  # 470 a second on two processors
    Stage("embed, at 224 px", 2 / 80, DECODING, memory=1_000, divided=True),  # B0 does 70 to 90
)
PUSHED = 700 + 10_500  # bytes of the tables and of the embedding of a picture, in a run of half_million.py
FILE = 1_000_000_000  # bytes of an archive file
CLASSES = ("STANDARD", "STANDARD_IA", "GLACIER_IR", "DEEP_ARCHIVE")  # of the archives; all else stays in STANDARD


def stages(pictures: int, payload: int, processors: list[int]) -> None:
    print(f"| stage | hours of a processor | {' | '.join(f'hours on {count}' for count in processors)} | memory |")
    print("| --- |" + " --- |" * (len(processors) + 2))
    for stage in STAGES:
        seconds = pictures * (stage.seconds + stage.of_a_byte * payload) * (pictures / stage.at) ** (stage.power - 1)
        hours = [seconds / 3600 / (count if stage.divided else 1) for count in processors]
        memory = f"{pictures * stage.memory / 1e9:.0f} GB" if stage.memory else "-"
        print(f"| {stage.name} | {seconds / 3600:.1f} | {' | '.join(f'{each:.1f}' for each in hours)} | {memory} |")


def bucket(pictures: int, payload: int, prices: Prices) -> None:
    print(f"| archives in | size | objects | {prices.currency} a month | a push of everything | a pull of everything |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in CLASSES:
        sizes = [("STANDARD", size) for size in cut(pictures * PUSHED)] + [(name, size) for size in cut(pictures * payload)]
        bill = bills.bill(
            [Stored(str(number), size, storage_class=kind) for number, (kind, size) in enumerate(sizes)], [], {}, prices
        )
        push, pull = (bill.requests[f"a {way} of everything"] for way in ("push", "pull"))
        size = f"{human(bill.total.size)} | {bill.total.objects:,}"
        print(f"| {name} | {size} | {bill.total.cost:,.0f} | {push:,.2f} | {pull:,.0f} |")


def cut(total: int) -> list[int]:
    """The sizes of files of at most FILE that hold so many bytes."""
    return [FILE] * (total // FILE) + [total % FILE] * (total % FILE > 0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=int, default=10_000_000)
    parser.add_argument("--bytes", type=int, default=200_000, help="of a picture")
    parser.add_argument("--processors", type=int, nargs="+", default=[2, 16, 64])
    options = parser.parse_args()
    stages(options.pictures, options.bytes, options.processors)
    print()
    bucket(options.pictures, options.bytes, params.remote(Path(__file__).parents[1] / "params.yaml").prices)


if __name__ == "__main__":
    main()
