"""The split stage's rule on 1,000,000 rows against a script that applies it row by row with pandas.apply: time, equal result.

    python benchmarks/split.py [--rows 1000000] [--rounds 3]

Prints the median of the ratios of rounds in which each runs once, reading and writing the tables included, imports not.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from sengu.base import params, tables
from sengu.stages.split import split

RULE = params.Split(dataset="v1", test=(0, 24), validation=(25, 49), leaks="keep")


def obvious(source: Path, target: Path) -> None:
    table = pd.read_csv(source).sort_values("objectId")

    def decide(row: pd.Series) -> str:
        byte = int(row["objectId"].partition(".")[0][-2:], 16)
        return "test" if byte <= 24 else "validation" if byte <= 49 else "train"

    table["type"] = table.apply(decide, axis=1)
    for name in ("test", "validation"):
        held = table[table["type"] == name]
        smallest = held["value"].value_counts().min()
        for _, group in held.groupby("value"):
            table.loc[group.index[smallest:], "type"] = "train"
    table.to_csv(target, index=False)


def ours(source: Path, target: Path) -> None:
    table = split(tables.read(source, tables.Label), tables.empty(tables.Duplicate), RULE)
    tables.write(target, table, tables.SplitLabel)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    random = np.random.default_rng(20)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "label.csv"
        ids = [f"{random.bytes(20).hex()}.jpg" for _ in range(options.rows)]
        values = random.integers(0, 3, options.rows)
        tables.write(source, pd.DataFrame({"objectId": pd.Series(ids, dtype="str"), "value": values}), tables.Label)
        ratios = []
        for _ in range(options.rounds):
            seconds = []
            for function, name in ((obvious, "obvious.csv"), (ours, "ours.csv")):
                before = time.perf_counter()
                function(source, Path(folder) / name)
                seconds.append(time.perf_counter() - before)
            ratios.append(seconds[1] / seconds[0])
            print(f"pandas.apply {seconds[0]:.1f} s, split {seconds[1]:.1f} s: {ratios[-1]:.2f}")
        assert (Path(folder) / "ours.csv").read_bytes() == (Path(folder) / "obvious.csv").read_bytes()
    print(f"{options.rows} rows, equal bytes: split takes {statistics.median(ratios):.2f} of the row by row script's time")


if __name__ == "__main__":
    main()
