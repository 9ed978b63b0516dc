"""labels/*.csv, as people and spreadsheets write them -> frames of clean texts, one row for each non-empty line."""

import csv
import os
import unicodedata
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from sengu.base.errors import MOVE, SenguError, in_the_way
from sengu.base.tables import csvfile

SHEET, RULES = ".csv", ".md"
COLUMNS = ("objectId", "value", "annotator", "labelledAt", "rule", "how", "note")  # in the order that sheets are written in
KNOWN = (*COLUMNS, "filename", "subject")
DELIMITERS = (",", ";", "\t")
BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}

Line = tuple[str, ...]  # the cells of COLUMNS


@dataclass(frozen=True)
class Sheet:
    """One annotation sheet: `cells` has the columns of KNOWN, empty where the file has none, and `lines` their line numbers.

    `faults` are lines that cannot be read, as "FILE:LINE: reason".
    """

    path: Path
    cells: pd.DataFrame
    lines: np.ndarray  # int64 (rows,)
    faults: tuple[str, ...] = ()


def sheets(folder: Path) -> list[Path]:
    """The annotation sheets in a folder. Raises SenguError for a file that would be ignored, except rules and hidden files."""
    if not folder.is_dir():
        if wrong := in_the_way(folder):
            raise SenguError(f"{wrong}: {MOVE}")
        raise SenguError(f"{folder} is missing: make the folder of annotation sheets, which may be empty")
    listed = []
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or path.suffix == RULES or (path.is_dir() and not path.is_symlink()):
            continue
        if path.suffix != SHEET or path.parent != folder:
            raise SenguError(
                f"{path} would not be read: annotation sheets are named *{SHEET} and lie in {folder} itself; "
                "rename, move or convert it, or take it away"
            )
        listed.append(path)
    return listed


def read(path: Path) -> Sheet:
    """Reads a sheet as Excel and others export it, and its texts in Unicode's form NFC.

    UTF-8 or UTF-16, with or without a byte order mark; commas, semicolons or tabs, spaces after them; any line ends; quotes;
    blank lines; names of columns in any case. Raises SenguError for a file that is no such table.
    """
    table, lines, faults = cells(path)
    if not {"objectId", "filename"} & set(table) or "value" not in table:
        raise SenguError(f"{path}:1: columns are {','.join(table.columns)}, expected value and one of objectId and filename")
    missing = {name: repeated("", len(table)) for name in KNOWN if name not in table}
    return Sheet(path, table.assign(**missing)[list(KNOWN)], lines, faults)


def repeated(text: str, count: int) -> ExtensionArray:
    """The same text several times, which pandas itself makes ten times slower."""
    return pd.array([text], dtype="str").take(np.zeros(count, dtype=np.int64))


def cells(path: Path) -> tuple[pd.DataFrame, np.ndarray, tuple[str, ...]]:
    """All columns of such a CSV file, the lines on which its rows begin, and the lines that cannot be read."""
    text = _text(path)
    delimiter = _delimiter(text)
    if text[:4].lower() == "sep=":  # what Excel writes, and reads, ahead of the column names
        delimiter, skipped = text[4], 1
        text = text.partition("\n")[2]
    else:
        skipped = 0
    first = text.partition("\n")[0]
    header = StringIO(text if '"' in first else first)
    names = _names(next(csv.reader(header, delimiter=delimiter, skipinitialspace=True), []), path, skipped + 1)
    plain = _plain(text, delimiter, len(names))
    faults: tuple[str, ...] = ()
    if plain is not None:
        table, lines = plain, np.arange(len(plain), dtype=np.int64) + 2 + skipped
    else:
        rows, lines, faults = _exact(text, delimiter, len(names), path, skipped)
        table = pd.DataFrame(rows, columns=range(len(names)), dtype="str")
    table.columns = pd.Index(names)
    table = table[[name for name in names if name]]
    if " " in text or "\t" in text or "\u00a0" in text:
        table = table.apply(lambda column: column.str.strip())
    return table, lines, faults


def _text(path: Path) -> str:
    data = path.read_bytes()
    encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if data.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in data[:4]:  # UTF-16 without its mark
        encoding = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SenguError(
            f"{path}:{line}: neither UTF-8 nor UTF-16 ({error.reason} {data[error.start : error.start + 1]!r}): "
            "save it again as CSV in UTF-8"
        ) from error
    if "\r" in text:
        text = text.replace("\r\n", "\n")
        if '"' not in text:
            text = text.replace("\r", "\n")
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _delimiter(text: str) -> str:
    """The delimiter that the first line has most of, a comma if it has none."""
    first = text.partition("\n")[0]
    return max(DELIMITERS, key=first.count)


def _names(header: list[str], path: Path, line: int) -> list[str]:
    """The names of the columns, those of KNOWN in their own spelling."""
    known = {name.lower(): name for name in KNOWN}
    names = [name.strip() for name in header]
    if not any(names):
        raise SenguError(f"{path}:{line}: the first line is empty, expected the names of columns")
    names = [known.get(name.lower(), name) for name in names]
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise SenguError(f"{path}:{line}: column {twice[0]!r} appears twice: rename one of them, or take it out")
    return names


def _plain(text: str, delimiter: str, width: int) -> pd.DataFrame | None:
    """A table without quotes or blank lines, read quickly by pandas; None if it is another."""
    body = text.partition("\n")[2].removesuffix("\n")
    if '"' in text or "\0" in text or not body or width < 2:
        return None
    data = body.encode()
    if not _is_regular(data, delimiter, width):  # pandas pads and truncates lines silently
        return None
    table = csvfile.parsed(data, sep=delimiter, header=None, names=range(width), index_col=False, quoting=csv.QUOTE_NONE)
    blank = table[0] == ""
    return None if blank.any() and (table[blank] == "").all(axis=1).any() else table


def _is_regular(data: bytes, delimiter: str, width: int) -> bool:
    """True if each line has `width` cells: as many marks between cells as there should be, all before its end."""
    codes = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(codes == ord("\n"))
    marks = np.flatnonzero(codes == ord(delimiter))
    if len(marks) != (len(ends) + 1) * (width - 1):
        return False
    first, last = marks[:: width - 1], marks[width - 2 :: width - 1]
    return bool((last[:-1] < ends).all() and (ends < first[1:]).all())


def _exact(
    text: str, delimiter: str, width: int, path: Path, skipped: int
) -> tuple[list[list[str]], np.ndarray, tuple[str, ...]]:
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    rows, lines, faults = [], [], []
    try:
        next(reader)
        last = reader.line_num
        for row in reader:
            line, last = last + 1 + skipped, reader.line_num
            while len(row) > width and not row[-1].strip():
                row.pop()
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != width:
                faults.append(f"{path}:{line}: {len(row)} fields, expected {width}: {delimiter.join(row)[:80]!r}")
                continue
            rows.append(row)
            lines.append(line)
    except csv.Error as error:
        raise SenguError(f"{path}:{reader.line_num + skipped}: not a CSV file: {error}") from error
    return rows, np.array(lines, dtype=np.int64), tuple(faults)


def append(path: Path, lines: list[Line]) -> int:
    """Adds new lines to an annotator's sheet, and waits until the disk has them; returns how many.

    The existing lines stay the same, byte for byte. Raises SenguError for a sheet without the columns of COLUMNS.
    """
    header: tuple[str, ...] = COLUMNS
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    known: set[Line] = set()
    if path.is_file():
        before = path.read_bytes()
        table, _, _ = cells(path)
        header = tuple(table.columns)
        missing = [name for name in COLUMNS if name not in header]
        if missing or not before.decode("utf-8", "replace").startswith(",".join(header)):
            raise SenguError(
                f"the first line of {path} must name the columns {','.join(COLUMNS)}, separated by commas and without quotes: "
                "import under another --annotator, or rename the file"
            )
        known = set(map(tuple, table[list(COLUMNS)].to_numpy().tolist()))
        if before and not before.endswith(b"\n"):
            text.write("\n")
    else:
        writer.writerow(header)
    new = [line for line in dict.fromkeys(lines) if line not in known]
    for line in new:
        named = dict(zip(COLUMNS, line, strict=True))
        writer.writerow([named.get(name, "") for name in header])
    if new:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as stream:
            stream.write(text.getvalue().encode())
            stream.flush()
            os.fsync(stream.fileno())
    return len(new)
