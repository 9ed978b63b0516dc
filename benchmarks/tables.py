"""A table of 1,000,000 rows by our reader, pandas' C parser and pyarrow, as CSV, Arrow and Parquet: seconds, ratios, bytes.

    python benchmarks/tables.py [--rows 1000000] [--rounds 3]

The table is an index (IndexRow). Each way gives equal pandas frames of text. It is read as it is, and with one cell in a
thousand quoted, as addresses with commas are. "Split" is the reader that ours had before: it took what lies between commas and
line ends, and left tables with quotes to `csv`. Prints the median of the seconds of processors, which other programs change less
than the clock, over rounds in which each way runs once, imports not included; and what it is of ours. How pandas keeps texts
decides much: in Arrow's memory if pyarrow is there, which it says first.
"""

import argparse
import csv
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet

from sengu.base import tables
from sengu.base.tables import csvfile

QUOTED = 1000  # one row of so many has a cell that needs quotes


def index(rows: int) -> pd.DataFrame:
    """Rows of IndexRow, sorted, as text."""
    chance = np.random.default_rng(20)
    ids = sorted(f"{chance.bytes(20).hex()}.jpg" for _ in range(rows))
    texts = {
        "objectId": ids,
        "urlId": [chance.bytes(20).hex() for _ in range(rows)],
        "format": ["jpg"] * rows,
        "width": chance.integers(100, 5000, rows).astype(str),
        "height": chance.integers(100, 5000, rows).astype(str),
        "bytes": chance.integers(1000, 1000000, rows).astype(str),
        "milliseconds": ["0"] * rows,
        "video": [""] * rows,
    }
    return pd.DataFrame(texts, dtype="str")


def by_splitting(path: Path) -> pd.DataFrame:
    text = path.read_text(encoding="utf-8-sig")
    if '"' in text:
        with path.open(newline="") as stream:
            header, *rows = csv.reader(stream)
        return pd.DataFrame(rows, columns=header, dtype="str")
    names = text[: text.index("\n")].split(",")
    width = len(names)
    columns: list[list[str]] = [[] for _ in names]
    start = 0
    while start < len(text):
        end = text.index("\n", min(start + (1 << 20), len(text) - 1)) + 1
        cells = text[start:end].replace("\n", ",\n,").split(",")
        for i, column in enumerate(columns):
            column += cells[i : -1 : width + 1]
        start = end
    return pd.DataFrame({name: pd.array(column[1:], dtype="str") for name, column in zip(names, columns, strict=True)})


def by_pandas(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype="str", na_filter=False)


def by_pandas_and_pyarrow(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype="str", keep_default_na=False, engine="pyarrow")


def by_arrow(path: Path) -> pd.DataFrame:
    names = path.open().readline().strip().split(",")
    options = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pyarrow.string()), strings_can_be_null=False)
    return pyarrow.csv.read_csv(path, convert_options=options).to_pandas()


def timed(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median of seconds of each way."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            begun = time.process_time()
            way()
            seconds[name].append(time.process_time() - begun)
    return {name: statistics.median(each) for name, each in seconds.items()}


def show(title: str, seconds: dict[str, float], sizes: dict[str, int] | None = None) -> None:
    print(f"\n{title}")
    first = next(iter(seconds.values()))
    for name, each in seconds.items():
        size = f"  {sizes[name] / 1e6:7.0f} MB" if sizes and name in sizes else ""
        print(f"  {name:34} {each:6.2f} s  {each / first:5.2f}{size}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    table = index(options.rows)
    print(f"texts in {table['urlId'].array.dtype.storage} memory, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        plain, quoted, arrow, parquet = (Path(folder) / name for name in ("plain.csv", "quoted.csv", "t.arrow", "t.parquet"))
        names, columns = list(table), [table[name].tolist() for name in table]
        typed = table.astype(dict.fromkeys(("width", "height", "bytes", "milliseconds"), "int64"))
        writers: dict[str, Callable[[], object]] = {
            "ours, CSV": lambda: csvfile.write(plain, names, columns),
            "pandas, CSV": lambda: table.to_csv(Path(folder) / "other.csv", index=False),
            "Arrow, uncompressed": lambda: pyarrow.feather.write_feather(typed, arrow, "uncompressed"),
            "Parquet": lambda: typed.to_parquet(parquet),
        }
        written = timed(writers, options.rounds)
        paths = {"ours, CSV": plain, "Arrow, uncompressed": arrow, "Parquet": parquet}
        show(f"writing {options.rows:,} rows", written, {name: path.stat().st_size for name, path in paths.items()})
        read = timed(
            {
                "ours": lambda: csvfile.read(plain),
                "split": lambda: by_splitting(plain),
                "pandas, C parser": lambda: by_pandas(plain),
                "pandas, pyarrow's parser": lambda: by_pandas_and_pyarrow(plain),
                "pyarrow.csv": lambda: by_arrow(plain),
                "Arrow, numbers as such": lambda: pyarrow.feather.read_feather(arrow),
                "Parquet, numbers as such": lambda: pd.read_parquet(parquet),
                "tables.read, every cell checked": lambda: tables.read(plain, tables.IndexRow),
            },
            options.rounds,
        )
        show(f"reading {options.rows:,} rows, none quoted", read)
        assert csvfile.read(plain).equals(by_pandas(plain))
        table.loc[::QUOTED, "video"] = "a,b"
        csvfile.write(quoted, names, [table[name].tolist() for name in names])
        read = timed(
            {
                "ours": lambda: csvfile.read(quoted),
                "split": lambda: by_splitting(quoted),
                "pandas, C parser": lambda: by_pandas(quoted),
                "pyarrow.csv": lambda: by_arrow(quoted),
            },
            options.rounds,
        )
        show(f"reading {options.rows:,} rows, one in {QUOTED:,} quoted", read)
        assert csvfile.read(quoted).equals(by_pandas(quoted))


if __name__ == "__main__":
    main()
