"""Bytes and URLs -> the names that everything is known by: object ids and URL ids."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from sengu.base.errors import SenguError

OBJECT_ID = re.compile(r"(?P<sha1>[0-9a-f]{40})\.(?P<extension>[a-z0-9]{2,4})")
VIDEOS = ("mp4", "mov", "webm", "mkv", "avi", "mpg")  # extensions of objects that are videos
URL_ID = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, order=True)
class ObjectId:
    """Lower-case hex SHA-1 of an object's bytes, a dot, and the extension of its sniffed format."""

    sha1: str
    extension: str

    @classmethod
    def parse(cls, text: str) -> "ObjectId":
        """Raises SenguError if `text` is not spelled exactly as an object id."""
        match = OBJECT_ID.fullmatch(text)
        if match is None:
            raise SenguError(f"{text!r} is not an object id: expected 40 lower-case hex digits, a dot and an extension")
        return cls(match["sha1"], match["extension"])

    @classmethod
    def of(cls, payload: bytes, extension: str) -> "ObjectId":
        return cls(hashlib.sha1(payload, usedforsecurity=False).hexdigest(), extension)

    def __str__(self) -> str:
        return f"{self.sha1}.{self.extension}"

    @property
    def is_video(self) -> bool:
        return self.extension in VIDEOS

    @property
    def path(self) -> PurePosixPath:
        """Where the object lies below the root of a tree: `ab/cd/<object id>`."""
        return PurePosixPath(self.sha1[:2], self.sha1[2:4], str(self))


def url_id(canonical_url: str) -> str:
    """Lower-case hex SHA-1 of a canonical URL in UTF-8."""
    return hashlib.sha1(canonical_url.encode(), usedforsecurity=False).hexdigest()
