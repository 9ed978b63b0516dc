"""The place of an answer's record, on this machine or in a store that fsspec reads -> its bytes, in one piece."""

from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

from sengu.base.errors import SenguError


class MissingArchive(SenguError):
    """An archive file that is not where it should be."""


@dataclass(frozen=True, slots=True)
class Place:
    """A part of an archive file that begins with a record: all that a worker must know to read it."""

    file: str  # a path, or a name in `filesystem`
    offset: int  # of the record, bytes
    length: int  # bytes, at least those of the record
    url: str = ""  # of the answer, for errors; empty if it is not known
    filesystem: Any = None  # of fsspec; None for the files of this machine

    def __str__(self) -> str:
        return f"{self.file} at byte {self.offset}"

    def at(self, file: str, filesystem: Any) -> "Place":
        """The same part of a copy of the archive file."""
        return replace(self, file=file, filesystem=filesystem)

    def open(self) -> BytesIO:
        """The bytes of the part. Raises MissingArchive if there is no such file."""
        try:
            if self.filesystem is not None:
                return BytesIO(self.filesystem.cat_file(self.file, start=self.offset, end=self.offset + self.length))
            with Path(self.file).open("rb") as stream:
                stream.seek(self.offset)
                return BytesIO(stream.read(self.length))
        except FileNotFoundError as error:
            cure = "`dvc push` brings it there" if self.filesystem is not None else "`sengu heal` restores what is pinned"
            raise MissingArchive(f"archive file {self.file} is missing: {cure}") from error
