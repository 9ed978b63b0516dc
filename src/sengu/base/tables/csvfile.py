"""CSV files in UTF-8 <-> columns of text: exact about faults, and fast if no cell is quoted.

No cell of the tables that Sengu writes needs quotes but some page addresses and tags; a table of a million rows is read and
written several times faster without `csv`.
"""

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from sengu.base.errors import MOVE, SenguError, in_the_way
from sengu.base.names import escaped

CONTROLS = bytes([*range(9), 11, 12, *range(14, 32), 127])
# rows and letters: the part of a big table that fits into the processor's cache
ROWS, LETTERS = 1 << 14, 1 << 20


def read(path: Path) -> pd.DataFrame:
    """Reads a CSV file of any columns as text, empty cells as empty text; ragged lines are errors."""
    return numbered(path)[0]


def numbered(path: Path) -> tuple[pd.DataFrame, Sequence[int]]:
    """Reads a table as `read` does, with the line on which each row begins: a quoted cell may hold line breaks."""
    if not path.is_file():
        if wrong := in_the_way(path.parent):
            raise SenguError(f"{path} cannot be there, for {wrong}: {MOVE}")
        raise SenguError(f"{path} is missing: run `dvc repro`, or `dvc pull` if someone else produced it")
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SenguError(f"{path}:{line}: not a CSV file in UTF-8: {error}") from error
    plain = _plain(text)
    if plain is not None:
        return plain, range(2, len(plain) + 2)
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    rows: list[list[str]] = []
    lines = []
    try:
        header = next(reader, None)
        if header is None:
            raise SenguError(f"{path}:1: the file is empty, expected a line of column names")
        if twice := [name for name in header if header.count(name) > 1]:
            raise SenguError(f"{path}:1: column {twice[0]!r} stands twice: rename one of them, or take it out")
        last = reader.line_num
        for row in reader:
            if len(row) != len(header):
                raise SenguError(f"{path}:{last + 1}: {len(row)} fields, expected {len(header)}: {','.join(row)!r}")
            rows.append(row)
            lines.append(last + 1)
            last = reader.line_num
    except csv.Error as error:
        raise SenguError(f"{path}:{reader.line_num}: not a CSV file in UTF-8: {error}") from error
    return pd.DataFrame(rows, columns=header, dtype="str"), lines


def _plain(text: str) -> pd.DataFrame | None:
    """A table without quotes: its cells are what lies between commas and line ends, which is found ten times faster.

    None if a cell is quoted, a line is empty or ends oddly, or has not as many commas as the first.
    """
    if not text.endswith("\n") or any(letter in text for letter in '"\r\0') or text.startswith("\n"):
        return None
    names = text[: text.index("\n")].split(",")
    width = len(names)
    if len(set(names)) < width or (width == 1 and "\n\n" in text):
        return None
    columns: list[list[str]] = [[] for _ in names]
    start = 0
    while start < len(text):
        end = text.index("\n", min(start + LETTERS, len(text) - 1)) + 1
        cells = text[start:end].replace("\n", ",\n,").split(",")
        ends = cells[width :: width + 1]
        if len(cells) != len(ends) * (width + 1) + 1 or ends.count("\n") != len(ends):
            return None
        for i, column in enumerate(columns):
            column += cells[i : -1 : width + 1]
        start = end
    return pd.DataFrame({name: pd.array(column[1:], dtype="str") for name, column in zip(names, columns, strict=True)})


def write(path: Path, names: list[str], columns: list[list[Any]]) -> None:
    """Writes columns of texts or numbers under their names; texts are quoted where CSV needs it, lines end with a newline.

    Control characters, which would control a reader's terminal, become escapes such as \\x1b.
    """
    texts = [column if column and isinstance(column[0], str) else list(map(str, column)) for column in columns]
    if _wrote_plain(path, names, texts):
        return
    texts = [[escaped(text) for text in column] for column in texts]
    columns = [text if column and isinstance(column[0], str) else column for text, column in zip(texts, columns, strict=True)]
    with path.open("w", encoding="utf-8", newline="") as stream:
        # csv does not quote a lone carriage return, but reads it as the end of a line
        returns = any("\r" in text for column in texts for text in column)
        quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL
        writer = csv.writer(stream, lineterminator="\n", quoting=quoting)
        writer.writerow(names)
        writer.writerows(zip(*columns, strict=True))


def _wrote_plain(path: Path, names: list[str], texts: list[list[str]]) -> bool:
    """Writes a table none of whose cells needs quotes, several times faster than csv does; False if one of them does."""
    with path.open("wb") as stream:
        stream.write(",".join(names).encode() + b"\n")
        for start in range(0, len(texts[0]), ROWS):
            part = [column[start : start + ROWS] for column in texts]
            plain = "\n".join([*map(",".join, zip(*part, strict=True)), ""])
            counts = plain.count("\n"), plain.count(",")  # no cell adds a line or a comma of its own
            if counts != (len(part[0]), len(part[0]) * (len(names) - 1)) or '"' in plain or "\r" in plain:
                return False
            encoded = plain.encode()
            if len(encoded.translate(None, CONTROLS)) < len(encoded) or (not plain.isascii() and escaped(plain) != plain):
                return False
            stream.write(encoded)
    return len(names) > 1  # csv quotes an empty cell that is alone in its line
