"""Bytes and URLs -> the names of everything: object ids and URL ids."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from sengu.base.errors import SenguError

OBJECT_ID = re.compile(r"(?P<sha1>[0-9a-f]{40})\.(?P<extension>[a-z0-9]{2,4})")
VIDEOS = ("mp4", "mov", "webm", "mkv", "avi", "mpg")  # extensions of objects that are videos
URL_ID = re.compile(r"[0-9a-f]{40}")
SHA1_DIGITS = 40
HEX, LETTERS = b"0123456789abcdef", b"0123456789abcdefghijklmnopqrstuvwxyz"
DIGITS = np.zeros(256, np.int64)
DIGITS[np.frombuffer(HEX, np.uint8)] = np.arange(16)
SHORT_ID = SHA1_DIGITS + 4  # letters of an object id with an extension of three


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
        """The place of the object below the root of a tree: `ab/cd/<object id>`."""
        return PurePosixPath(self.sha1[:2], self.sha1[2:4], str(self))


def sha1_of(object_id: str) -> str:
    """The SHA-1 in the text of an object id, or in a bare SHA-1."""
    return object_id.partition(".")[0]


def low_bytes(object_ids: Sequence[str] | np.ndarray) -> np.ndarray:
    """The last byte of each SHA-1, int64 (n,); the texts must be object ids."""
    letters = _letters(object_ids)
    return np.asarray(DIGITS[letters[:, SHA1_DIGITS - 2]] * 16 + DIGITS[letters[:, SHA1_DIGITS - 1]])


def are_videos(object_ids: Sequence[str] | np.ndarray) -> np.ndarray:
    """Marks the object ids that are videos, by their extensions: bool (n,)."""
    letters = _letters(object_ids)
    start = SHA1_DIGITS + 1
    extensions = np.ascontiguousarray(letters[:, start:]).view(f"S{letters.shape[1] - start}").ravel()
    return np.isin(extensions, [extension.encode() for extension in VIDEOS])


def _letters(object_ids: Sequence[str] | np.ndarray) -> np.ndarray:
    """uint8 (n, length of the longest), at least as long as an object id without its extension and one letter more."""
    texts = np.asarray(object_ids, dtype="S")
    width = max(texts.dtype.itemsize, SHA1_DIGITS + 2)
    return texts.astype(f"S{width}").view(np.uint8).reshape(len(texts), width)


def are_object_ids(letters: np.ndarray) -> bool:
    """True if each row of uint8 (n, SHORT_ID) spells an object id with an extension of three letters, which nearly all have."""
    parts = (
        (letters[:, :SHA1_DIGITS], HEX),
        (letters[:, SHA1_DIGITS : SHA1_DIGITS + 1], b"."),
        (letters[:, SHA1_DIGITS + 1 :], LETTERS),
    )
    return not any(part.tobytes().translate(None, allowed) for part, allowed in parts)


def are_url_ids(letters: np.ndarray) -> bool:
    """True if each row of uint8 (n, SHA1_DIGITS) spells a URL id."""
    return not letters.tobytes().translate(None, HEX)


def url_id(canonical_url: str) -> str:
    """Lower-case hex SHA-1 of a canonical URL in UTF-8."""
    return hashlib.sha1(canonical_url.encode(), usedforsecurity=False).hexdigest()
