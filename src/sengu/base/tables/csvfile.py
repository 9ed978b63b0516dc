"""CSV files in UTF-8 <-> columns of text: exact about faults, and quick where there are none.

A sound table is read by pandas' parser, any other by `csv`, which says what is wrong and where. No cell of the tables that
Sengu writes needs quotes but some page addresses and tags; a table without them is written several times faster than by `csv`.
"""

import csv
from collections.abc import Collection, Iterator, Sequence
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from sengu.base.errors import MOVE, SenguError, in_the_way
from sengu.base.names import escaped
from sengu.base.tables import letters

CONTROLS = bytes([*range(9), 11, 12, *range(14, 32), 127])
SEARCHED = 20  # texts at most; for more, parsing every row is quicker than a search for each
ROWS = 1 << 14  # rows written at a time: the part of a big table that fits into the processor's cache


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
    table = _regular(data)
    return _exact(path, data) if table is None else (table, range(2, len(table) + 2))


def _exact(path: Path, data: bytes) -> tuple[pd.DataFrame, Sequence[int]]:
    """The table that `csv` reads, whatever its cells hold. Raises SenguError with the line and the cause."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SenguError(f"{path}:{line}: not a CSV file in UTF-8: {error}") from error
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    rows: list[list[str]] = []
    lines = []
    try:
        header = next(reader, None)
        if header is None:
            raise SenguError(f"{path}:1: the file is empty, expected a line of column names")
        if twice := [name for name in header if header.count(name) > 1]:
            raise SenguError(f"{path}:1: column {twice[0]!r} appears twice: rename one of them, or take it out")
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


def _regular(data: bytes) -> pd.DataFrame | None:
    """The table that pandas reads; None unless it is sure to be what `csv` would read.

    pandas fills up a row that is too short without a word, and refuses one that is too long: so if the commas between all cells
    are as many as they should be, no row is too short. It also is less strict about quotes, which are looked at here.
    """
    between = _between_quoted(data)
    if between is None or b"\r" in data or b"\0" in data or between.startswith(b"\n") or b"\n\n" in between:
        return None
    lines = between.count(b"\n")
    if not between.endswith(b"\n") or data.count(b"\n") != lines:
        return None
    try:
        table = parsed(data)
        header = next(csv.reader([data[: data.index(b"\n")].decode("utf-8-sig")]))
    except (ValueError, csv.Error):  # pandas' and Unicode's errors are ValueErrors
        return None
    # pandas renames columns that appear twice or have no name, and makes an index of what the first row has more than the header
    is_regular = list(table.columns) == header and isinstance(table.index, pd.RangeIndex) and len(table) == lines - 1
    return table if is_regular and between.count(b",") == lines * (len(header) - 1) else None


def parsed(data: bytes, **options: Any) -> pd.DataFrame:
    """The table that pandas' parser makes of a CSV file: all cells are texts, none is missing. Raises ValueError.

    With pyarrow installed, pandas keeps texts in Arrow's arrays. It fills them several times faster if asked for Arrow's own type
    than if asked for "str", which is then but another name of the same arrays.
    """
    kind = "large_string[pyarrow]" if pd.StringDtype(na_value=np.nan).storage == "pyarrow" else "str"
    table: pd.DataFrame = pd.read_csv(BytesIO(data), dtype=kind, na_filter=False, skip_blank_lines=False, **options)
    return table.astype("str")


def _between_quoted(data: bytes) -> bytes | None:
    """The text outside of quoted cells; None if a quote begins or ends within a cell."""
    if b'"' not in data:
        return data
    parts = data.split(b'"')[::2]  # two quotes in a row, which stand for one, have nothing between them
    inner = (part for part in parts[1:-1] if part)
    is_sound = (not parts[0] or parts[0][-1] in b",\n") and parts[-1][:1] in (b",", b"\n")
    if data.count(b'"') % 2 or not is_sound or any(part[0] not in b",\n" or part[-1] not in b",\n" for part in inner):
        return None
    return b"".join(parts)


def rows_with(path: Path, column: str, wanted: Collection[str]) -> Iterator[dict[str, str]]:
    """The rows of a table whose cell in `column` is one of `wanted`, in their order; none if there is no table.

    Few texts are searched for in the bytes of the file, and only rows that hold them are parsed: of a million rows, in a tenth of
    a second instead of seconds.
    """
    if not path.is_file() or not wanted:
        return
    data = path.read_bytes()
    header = next(csv.reader(StringIO(data[: data.find(b"\n") + 1 or None].decode(), newline="")))
    position = header.index(column)
    is_plain = all(text and '"' not in text for text in wanted)  # no cell spells them in another way
    records = _records_with(data, wanted) if is_plain and len(wanted) <= SEARCHED else [data[data.find(b"\n") + 1 :]]
    for record in records:
        for row in csv.reader(StringIO(record.decode(), newline="")):
            if row[position] in wanted:
                yield dict(zip(header, row, strict=True))


def _records_with(data: bytes, wanted: Collection[str]) -> Iterator[bytes]:
    """The records after the first that hold one of these texts anywhere, in their order."""
    starts: dict[int, int] = {}  # -> end
    has_quotes = b'"' in data
    for text in wanted:
        place = data.find(text.encode())
        while place >= 0:
            start, end = data.rfind(b"\n", 0, place) + 1, data.find(b"\n", place)
            # a line break within a cell stands after an odd number of quotes
            while has_quotes and start and data.count(b'"', 0, start) % 2:
                start = data.rfind(b"\n", 0, start - 1) + 1
            while has_quotes and end >= 0 and data.count(b'"', start, end) % 2:
                end = data.find(b"\n", end + 1)
            end = end + 1 or len(data)
            starts[start] = end
            place = data.find(text.encode(), end)
    return (data[start : starts[start]] for start in sorted(starts) if start)


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


def write_frame(path: Path, table: pd.DataFrame) -> None:
    """Writes a frame of texts and numbers as `write` does, and quicker where its texts are Arrow's."""
    storages = {getattr(kind, "storage", "") for kind in table.dtypes}
    if "pyarrow" not in storages or "python" in storages or not _wrote_arrow(path, table):
        write(path, [str(name) for name in table], [table[name].tolist() for name in table])


def _wrote_arrow(path: Path, table: pd.DataFrame) -> bool:
    """Writes a frame none of whose cells needs quotes, with lines that Arrow joins; False if one of them does."""
    import pyarrow as pa  # as pandas has it, which need not be
    from pyarrow import compute

    kind = pa.large_string()
    comma, end, nothing = (pa.scalar(text, kind) for text in (",", "\n", ""))
    columns = [compute.cast(pa.array(table[name].array), kind) for name in table]
    last = compute.binary_join_element_wise(columns[-1], end, nothing)
    lines = compute.binary_join_element_wise(*columns[:-1], last, comma)
    with path.open("wb") as stream:
        stream.write(",".join(map(str, table)).encode() + b"\n")
        for start in range(0, len(lines), ROWS):
            part = lines.slice(start, ROWS)
            data = b"".join(letters.joined(part))
            if not _is_plain(data, len(part), len(columns)):
                return False
            stream.write(data)
    return len(columns) > 1


def _wrote_plain(path: Path, names: list[str], texts: list[list[str]]) -> bool:
    """Writes a table none of whose cells needs quotes, several times faster than csv does; False if one of them does."""
    with path.open("wb") as stream:
        stream.write(",".join(names).encode() + b"\n")
        for start in range(0, len(texts[0]), ROWS):
            part = [column[start : start + ROWS] for column in texts]
            encoded = "\n".join([*map(",".join, zip(*part, strict=True)), ""]).encode()
            if not _is_plain(encoded, len(part[0]), len(names)):
                return False
            stream.write(encoded)
    return len(names) > 1  # csv quotes an empty cell that is alone in its line


def _is_plain(lines: bytes, rows: int, columns: int) -> bool:
    """True if no cell needs quotes or escapes, so that none adds a line or a comma of its own."""
    if (lines.count(b"\n"), lines.count(b",")) != (rows, rows * (columns - 1)) or b'"' in lines or b"\r" in lines:
        return False
    if len(lines.translate(None, CONTROLS)) < len(lines):
        return False
    return lines.isascii() or escaped(text := lines.decode()) == text
