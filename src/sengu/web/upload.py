"""Pictures that devices and scripts send -> files in the folder of a `folder` site, or objects below the prefix of an `s3` site.

The next `dvc repro` archives them. The rule of the device builds a name from parts that are checked one by one; an existing
file is never overwritten.
"""

import hashlib
import os
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Protocol

from sengu.base import atomic, io_errors, names, params
from sengu.base.errors import SenguError
from sengu.base.ids import VIDEOS
from sengu.pictures import images

PART = re.compile(r"\w[\w .@+-]{0,79}")
STRANGE = re.compile(r"[^\w.@+-]+")
UNKNOWN = "unknown"
MEGABYTES = 512


class Shelf(Protocol):
    """The place where the pictures of a site are."""

    def read(self, name: str) -> bytes | None:
        """The bytes under a name; None if nothing is there."""

    def add(self, name: str, data: bytes) -> None:
        """Puts a file there, under a free name. Raises OSError or SenguError if that fails."""


@dataclass(frozen=True)
class Folder:
    """The folder of a `folder` site."""

    root: Path

    def read(self, name: str) -> bytes | None:
        path = self.root / name
        return path.read_bytes() if path.is_file() else None

    def add(self, name: str, data: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.partial")
        try:
            with io_errors.named(path), partial.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.link(partial, path)  # fails where something is there by now
            atomic.sync(path.parent)
        finally:
            partial.unlink(missing_ok=True)


@dataclass(frozen=True)
class Entrance:
    """The entrance for pictures: the devices of params.yaml, and the shelf of each one's site."""

    devices: Mapping[str, params.UploadDevice]
    shelf: Callable[[str], Shelf]  # by the name of a site

    def take(self, device: str, filename: str, data: bytes, said: Mapping[str, str]) -> str:
        """Stores a picture or video and returns its name, with the site. Raises SenguError for a file that it refuses."""
        if device not in self.devices:
            known = ", ".join(self.devices) or "none; add a section `upload` to params.yaml"
            raise SenguError(f"device {device!r} is unknown: the devices are {known}")
        if not data:
            raise SenguError(f"{filename!r} is empty")
        if reason := _fault(filename, data):
            raise SenguError(f"{filename!r} is not a picture that can be read: {reason}")
        rule, digest = self.devices[device], hashlib.sha1(data, usedforsecurity=False).hexdigest()
        unknown = {"subject": f"{UNKNOWN}-{digest[:12]}"}  # each has its own: a common name would be one subject to the split
        parts = {
            key: checked(key, said.get(key, "") or unknown.get(key, UNKNOWN)) for key in ("operator", "subject", "annotator")
        }
        parts |= {"device": checked("device", device), "date": datetime.now(UTC).strftime("%Y-%m-%d"), "name": plain(filename)}
        name = rule.name.format(**parts)
        if any(reason := names.fault(part) for part in name.split("/")):
            raise SenguError(f"{name!r} {reason}")
        path = PurePosixPath(name)
        names_to_try = (name, str(path.with_name(f"{path.stem}-{digest[:12]}{path.suffix}")))
        return f"{rule.site}/{_kept(self.shelf(rule.site), names_to_try, data)}"


def _kept(shelf: Shelf, names_to_try: tuple[str, str], data: bytes) -> str:
    """Stores the file under the first free of two names, since another program may take the first one meanwhile."""
    first, second = names_to_try
    there = shelf.read(first)
    if there is None:
        try:
            shelf.add(first, data)
        except FileExistsError:
            there = shelf.read(first)
        else:
            return first
    if there == data:
        return first
    if shelf.read(second) is None:
        shelf.add(second, data)
    return second


def checked(key: str, value: str) -> str:
    """A part of a name in a request. Raises SenguError for one that could lead elsewhere."""
    if PART.fullmatch(value) is None or names.fault(value):
        raise SenguError(f"{key} is {value!r}: use letters, digits, spaces and . _ - @ +, beginning with a letter or digit")
    return value


def plain(filename: str) -> str:
    """The last part of a file name, without characters that mean something to a file system."""
    last = filename.replace("\\", "/").rpartition("/")[2]
    return STRANGE.sub("-", last).strip("-.")[-100:].lstrip("-.") or "picture"


def _fault(filename: str, data: bytes) -> str:
    if filename.rpartition(".")[2].lower() in VIDEOS:
        return ""
    try:
        images.pixels(data)
    except images.NotAPicture as reason:
        return str(reason)
    return ""
