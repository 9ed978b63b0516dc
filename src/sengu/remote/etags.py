"""S3's ETags: the MD5 of an object uploaded in one part, and an MD5 of the parts' MD5s of one in several parts."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

MIB = 1 << 20
# the parts of DVC and of other tools, in bytes
PART_SIZES = tuple(MIB * size for size in (50, 8, 5, 16, 10, 15, 25, 32, 64, 100, 128, 256, 512))


def part_sizes(size: int, etag: str) -> Iterator[int]:
    """The part sizes by which an object of that size may have got a composite ETag, the likely ones first."""
    count = int(etag.rpartition("-")[2])
    sizes = [part for part in PART_SIZES if -(-size // part) == count]
    # a copy within S3 keeps parts of odd sizes; half-mebibyte steps cover the other tools
    return iter(dict.fromkeys(sizes))


def composite(path: Path, part: int) -> str:
    """The ETag of a file that goes up in parts of so many bytes."""
    digest, count = hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as stream:
        while data := stream.read(part):
            digest.update(hashlib.md5(data, usedforsecurity=False).digest())
            count += 1
    return f"{digest.hexdigest()}-{count}"


def is_that_of(path: Path, etag: str) -> bool | None:
    """True if a composite ETag belongs to a file; None if the size of the parts is not known, so that nobody can tell."""
    sizes = list(part_sizes(path.stat().st_size, etag))
    if any(composite(path, part) == etag for part in sizes):
        return True
    return None if not sizes else False
