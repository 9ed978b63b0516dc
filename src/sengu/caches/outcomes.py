"""Record digests <-> outcomes of the payloads: the journal in .sengu/objects/ that saves a rerun from reading them again.

One line per record: the CRC-32 of the rest, the name, and the outcome as JSON. The first line holds the key, which says for
which code and settings the rest is true. It is only appended to, so that a killed run goes on where it stopped.
A record whose leaves were gone has a line for each time it was read: where these are more than half of all, they leave the file.
"""

import json
import zlib
from collections.abc import Iterable
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any

from sengu.base.atomic import replaced_file
from sengu.base.io_errors import named

KEY = "key"  # the name in the first line
CRC = 8  # hex digits


class Outcomes:
    """The outcomes of one site under `key`. A journal of another key, or damaged before its last line, is begun anew."""

    def __init__(self, path: Path, key: str):
        self.path, self.key = path, key
        self._stream: FileIO | None = None
        self._known: dict[str, str] = {}
        self._whole = 0  # valid bytes of the file; a kill may have cut off the last line
        if path.is_file():
            self._load(path.read_bytes())

    def find(self, name: str) -> Any:
        """The outcome of a record; None if it is unknown."""
        text = self._known.get(name)
        return None if text is None else json.loads(text)

    def append(self, outcomes: Iterable[tuple[str, Any]]) -> None:
        """Adds (name, outcome as JSON takes it) pairs, which survive a kill."""
        lines = b"".join(_line(name, _json(outcome)) for name, outcome in outcomes)
        if lines:
            with named(self.path):
                stream = self._opened()
                left = memoryview(lines)
                while left:  # a full disk takes a part, and fails the next time
                    left = left[stream.write(left) :]

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _load(self, data: bytes) -> None:
        *lines, cut_off = data.split(b"\n")
        known: dict[str, str] = {}
        for position, line in enumerate(lines):
            if line[:CRC] != b"%08x" % zlib.crc32(line[CRC:]):
                if cut_off or position < len(lines) - 1:
                    return
                cut_off = line + b"\n"
                break
            name, _, text = line[CRC + 1 :].decode("ascii").partition("\t")
            known[name] = text
        if known.pop(KEY, None) == _json(self.key):
            self._known, self._whole = known, len(data) - len(cut_off)
            if len(known) < (len(lines) - 1) / 2:
                self._compact()

    def _compact(self) -> None:
        """Rewrites the file with the last line of each record."""
        data = b"".join([_line(KEY, _json(self.key)), *(_line(name, text) for name, text in self._known.items())])
        with suppress(OSError):  # a full disk: the file stays as it is
            with replaced_file(self.path) as partial:
                partial.write_bytes(data)
            self._whole = len(data)

    def _opened(self) -> FileIO:
        if self._stream is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = FileIO(self.path, "r+b" if self._whole else "wb")
            self._stream.truncate(self._whole)
            self._stream.seek(self._whole)
            if not self._whole:
                self._stream.write(_line(KEY, _json(self.key)))
        return self._stream


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _line(name: str, text: str) -> bytes:
    rest = f" {name}\t{text}".encode("ascii")
    return b"%08x%s\n" % (zlib.crc32(rest), rest)
