"""An annotator's sheet and decisions -> lines added by one write and one fsync, the standing words, and undo.

A line is on the disk before `append` returns, so a crash loses none. A last line that was cut off is kept in a hidden file.
Each append opens the sheet again and checks, before and after it writes, that it is still the file that was read; a file that
Git put in its place is read again. The lines of one append share a labelledAt that no other append has, so that simultaneous
decisions are recognised, and can be undone together.
"""

import csv
import fcntl
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import groupby
from pathlib import Path

from sengu.base import atomic, io_errors
from sengu.base.errors import SenguError
from sengu.labels import sheets
from sengu.labels.words import IMPORT, NO_CLASS_CELL, PLAIN_DATE

UNDONE = "(undone)"  # begins the note of a line that says again what stood before another
TOGETHER = ("page", "group")  # how many pictures are decided at once
TICK = timedelta(milliseconds=1)  # at least between two appends
OLD_TIME = len("2026-11-27T09:30:00Z")  # of lines by an earlier Sengu, many of which may be of one second
LONGEST = 2000  # characters of a note
BLANKS = re.compile(r"[\x00-\x20\x7f-\xa0\u2028-\u202e\u2066-\u2069]+")

Stamp = tuple[int, int, int]  # inode, size and time of a file


@dataclass(frozen=True)
class Word:
    """An annotator's decision on an object; `value` is the name of a class, and empty where the label is taken back."""

    objectId: str
    value: str
    rule: str = ""
    how: str = ""
    note: str = ""


@dataclass(frozen=True)
class Change:
    """A word that took the place of `before`, which is None where there was none."""

    after: Word
    before: Word | None


class Ledger:
    """The sheet of `annotator` at `path`, which need not be there yet. `standing` is the last word on each object.

    `labelled` is how many objects have a label, and `changed` how often another program was found to have changed the file. For
    several threads, and several processes.
    Raises SenguError for a sheet that is not as `sheets.append` takes it.
    """

    def __init__(self, path: Path, annotator: str, classes: Sequence[str]):
        self.path, self.annotator, self.classes = path, annotator, classes
        self.changed = 0
        self._lock = threading.RLock()
        self._stamp: Stamp | None = None
        self._forget()
        with self._lock:
            if path.is_file():
                with self._opened():
                    pass

    def _forget(self) -> None:
        self.standing: dict[str, Word] = {}
        self.labelled = 0
        self._done: list[list[Change]] = []
        self._last = datetime.min.replace(tzinfo=UTC)  # labelledAt of the latest line
        self._header: tuple[str, ...] = sheets.COLUMNS
        self._open_undo: list[Change] = []

    @property
    def can_undo(self) -> bool:
        return bool(self._done)

    def refresh(self) -> bool:
        """Reads the sheet again if another program changed it; returns True if one did."""
        with self._lock:
            if _stamp(self.path) == self._stamp or not self.path.is_file():
                return False
            before = self.changed
            with self._opened():
                return self.changed > before

    def append(self, words: Sequence[Word]) -> list[Change]:
        """Adds lines for words, and returns when the disk has them. Raises OSError if the disk takes none of them."""
        cleaned = [replace(word, note=clean(word.note)) for word in words]
        return self._written(lambda: cleaned)

    def undo(self) -> list[Change]:
        """Undoes the last decision, a page or group as a whole, by lines with the former value, or an empty one.

        Returns the words that stand again; none if there is nothing to take back.
        """
        return self._written(self._taken_back) if self.path.is_file() else []

    def _taken_back(self) -> list[Word]:
        words = []
        for change in reversed(self._done[-1] if self._done else ()):
            before = change.before or Word(change.after.objectId, "")
            words.append(replace(before, note=f"{UNDONE} {before.note}".strip()))
        return words

    def _written(self, make: Callable[[], list[Word]]) -> list[Change]:
        """Changes made by the lines of the words that `make` gives, once they are in the file at the path."""
        with self._lock:
            while True:
                with self._opened() as descriptor:
                    words = make()
                    if not words:
                        return []
                    time = self._write(descriptor, words)
                    if _stamp(self.path, descriptor) is not None:
                        self._last = time
                        return self._count(words)
                # another file replaced the one that has our lines: it is read, and gets them, too

    def _write(self, descriptor: int, words: Sequence[Word]) -> datetime:
        """Adds lines by one write and one fsync; returns their labelledAt."""
        now = datetime.now(UTC)
        # a clock set back must not undo a label
        time = max(now.replace(microsecond=now.microsecond // 1000 * 1000), self._last + TICK)
        at = time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        size = os.fstat(descriptor).st_size
        if not size:
            writer.writerow(self._header)
        for word in words:
            cells = dict(zip(sheets.COLUMNS, (word.objectId, word.value, self.annotator, at), strict=False))
            cells |= {"rule": word.rule, "how": word.how, "note": word.note}
            writer.writerow([cells.get(name, "") for name in self._header])
        data = text.getvalue().encode()
        with io_errors.named(self.path):
            try:
                if os.write(descriptor, data) != len(data):
                    raise OSError(io_errors.FULL[0], os.strerror(io_errors.FULL[0]))
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
        after = os.fstat(descriptor)
        # an editor, which heeds no lock, wrote since the sheet was read
        is_ours = self._stamp is not None and (self._stamp[1], after.st_size) == (size, size + len(data))
        self._stamp = (after.st_ino, after.st_size, after.st_mtime_ns) if is_ours else (after.st_ino, -1, -1)
        return time

    def _count(self, words: Sequence[Word]) -> list[Change]:
        """Takes words that are in the sheet into `standing`, and into what can be undone."""
        changes = []
        for word in words:
            is_undo = word.note.startswith(UNDONE)
            plain = replace(word, note=word.note.removeprefix(UNDONE).strip()) if is_undo else word
            before = self.standing.get(word.objectId)
            changes.append(Change(plain, before))
            self.standing[word.objectId] = plain
            self.labelled += bool(plain.value) - bool(before and before.value)
            if is_undo:
                if not self._open_undo and self._done:
                    self._open_undo = self._done.pop()
                places = [place for place, change in enumerate(self._open_undo) if change.after.objectId == word.objectId]
                if places:  # a page may have a picture twice
                    del self._open_undo[places[-1]]
        if changes and not words[0].note.startswith(UNDONE):
            self._open_undo = []
            self._done.append(changes)
        return changes

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The sheet, whole, read and locked against other processes, to append to."""
        while True:
            if not self.path.exists():
                self._begin()
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if _stamp(self.path, descriptor) is None:  # another file took its place while we waited
                    continue
                if _stamp(self.path) != self._stamp:
                    self._read(descriptor)
                yield descriptor
                return
            finally:
                os.close(descriptor)

    def _begin(self) -> None:
        """Makes the sheet with its header, whole at once, unless somebody else makes it now."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(f".{self.path.name}.{os.getpid()}.{threading.get_ident()}.partial")
        try:
            with io_errors.named(self.path), partial.open("w", encoding="utf-8") as stream:
                stream.write(",".join(sheets.COLUMNS) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            with suppress(FileExistsError):
                os.link(partial, self.path)
            atomic.sync(self.path.parent)
        finally:
            partial.unlink(missing_ok=True)

    def _read(self, descriptor: int) -> None:
        mend(self.path, descriptor)
        self.changed += self._stamp is not None
        self._forget()
        self._stamp = _stamp(self.path)
        if not self.path.stat().st_size:
            return
        table, _, _ = sheets.cells(self.path)
        self._header = tuple(table.columns)
        with self.path.open(encoding="utf-8", errors="replace") as stream:
            first = stream.readline().rstrip("\r\n")
        if not set(sheets.COLUMNS) <= set(self._header) or first != ",".join(self._header):
            raise SenguError(
                f"the first line of {self.path} must name the columns {','.join(sheets.COLUMNS)}, separated by commas and "
                "without quotes: label under another --annotator, or move the sheet away and import it with `sengu label import`"
            )
        values = {str(number): name for number, name in enumerate(self.classes)}
        lines = table[list(sheets.COLUMNS)].itertuples(index=False, name=None)
        for (at, _), run in groupby(lines, key=lambda line: (line[3], line[6].startswith(UNDONE))):
            words = []
            for name, value, who, _, rule, how, note in run:
                if value == NO_CLASS_CELL and value not in self.classes:  # which the page writes as an empty value and a `how`
                    value, how = "", how or IMPORT
                if who not in ("", self.annotator):
                    raise SenguError(f"{self.path} is the sheet of {who}: label under that name, or under another --annotator")
                words.append(Word(name.lower(), values.get(value, value), rule, how, note))
            with suppress(ValueError):  # the stage `label` reports a wrong date
                self._last = max(self._last, datetime.fromisoformat(at) if PLAIN_DATE.fullmatch(at) else self._last)
            for decided in _at_once(words, at):
                self._count(decided)


def _at_once(words: list[Word], at: str) -> Iterable[list[Word]]:
    """Words that follow each other in a sheet, all `at` one time -> those that were decided at once."""
    is_one_append = PLAIN_DATE.fullmatch(at) and len(at) > OLD_TIME
    return [words] if is_one_append or (at and any(word.how in TOGETHER for word in words)) else [[word] for word in words]


def clean(note: str) -> str:
    """A note on one line, without control characters, which cannot be mistaken for that of an undone line."""
    text = BLANKS.sub(" ", note).strip()[:LONGEST]
    return text.replace(UNDONE, "undone", 1) if text.startswith(UNDONE) else text


def mend(path: Path, descriptor: int) -> bytes:
    """Ensures that a sheet, opened and locked, ends with a whole line; returns the broken line that was put aside.

    A last line that has all fields, but no line end, is one that an editor left so: it gets its end, and stays. Any other was
    cut off while it was written: it goes to a hidden file beside the sheet.
    """
    size = os.fstat(descriptor).st_size
    if not size or os.pread(descriptor, 1, size - 1) == b"\n":
        return b""
    data = os.pread(descriptor, size, 0)
    start = _last_record(data)
    if start < 0:
        os.write(descriptor, b"\n")
        os.fsync(descriptor)
        return b""
    torn = data[start:]
    aside = path.with_name(f".{path.name}.torn")
    with aside.open("ab") as stream:
        stream.write(torn + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    atomic.sync(path.parent)
    os.ftruncate(descriptor, start)
    os.fsync(descriptor)
    return torn


def _last_record(data: bytes) -> int:
    """The start of the last line, if it is not whole; -1 if it is."""
    text = data.decode("utf-8", "surrogateescape")
    lines = text.splitlines(keepends=True)
    reader = csv.reader(iter(lines), strict=True)
    width, began = 0, 0
    try:
        row: list[str] = []
        for row in reader:
            width = width or len(row)
            began, last = reader.line_num, began
        is_whole = len(row) == width and "\0" not in lines[-1] and _is_text(lines[-1])
    except csv.Error:
        is_whole, last = False, began
    if is_whole:
        return -1
    return len("".join(lines[:last]).encode("utf-8", "surrogateescape"))


def _is_text(line: str) -> bool:
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True


def _stamp(path: Path, descriptor: int | None = None) -> Stamp | None:
    """A stamp of the state of a file; None if there is no file, or `descriptor` belongs to another."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    if descriptor is not None and os.fstat(descriptor).st_ino != state.st_ino:
        return None
    return state.st_ino, state.st_size, state.st_mtime_ns
