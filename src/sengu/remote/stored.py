"""Objects of a remote: one value for each, and where DVC puts it."""

from dataclasses import dataclass

FILES = "files/md5"  # where DVC keeps what it knows by MD5, below the address of a remote
COLD = ("GLACIER", "DEEP_ARCHIVE")  # classes whose objects must be restored before they can be read


@dataclass(frozen=True)
class Stored:
    """An object of a remote. `etag` is S3's, and empty in a folder; a new `stamp` means that it was written again."""

    oid: str
    size: int
    etag: str = ""
    storage_class: str = "STANDARD"
    modified: float = 0.0  # seconds since 1970
    stamp: str = ""

    @property
    def is_composite(self) -> bool:
        """True if the ETag is made of those of several parts."""
        return "-" in self.etag


@dataclass(frozen=True)
class OldVersion:
    """A version of an object in a bucket with versions; a deletion has no ETag."""

    oid: str
    version: str
    etag: str
    size: int
    modified: float
    is_latest: bool
    is_deletion: bool = False


def key(oid: str) -> str:
    """The place of an object below the address of a remote."""
    return f"{FILES}/{oid[:2]}/{oid[2:]}"


def oid(key: str) -> str:
    """The object of a key below FILES; empty if the key belongs to none."""
    parts = key.split("/")
    name = "".join(parts[-2:])
    digits = name.removesuffix(".dir")
    is_md5 = len(digits) == 32 and all(digit in "0123456789abcdef" for digit in digits)
    return name if is_md5 and len(parts[-2]) == 2 else ""


def md5_of(oid: str) -> str:
    """The MD5 of an object's content."""
    return oid.removesuffix(".dir")
