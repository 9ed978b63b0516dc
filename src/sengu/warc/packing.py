"""Records <-> gzip members (RFC 1952): packs a record, checks that a file ends with a whole member, cuts off a partial one."""

import struct
import zlib
from pathlib import Path
from typing import BinaryIO

STORED_BLOCK = 0xFFFF  # the longest stored block of RFC 1951


def pack(data: bytes, deflate: bool) -> bytes:
    """One gzip member (RFC 1952). Stored members are framed here: their bytes must not depend on the zlib of the machine."""
    if deflate:
        packer = zlib.compressobj(6, zlib.DEFLATED, 31)
        return packer.compress(data) + packer.flush()
    blocks = [data[i : i + STORED_BLOCK] for i in range(0, len(data), STORED_BLOCK)] or [b""]
    parts = [b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"]
    for position, block in enumerate(blocks):
        is_last = position == len(blocks) - 1
        parts += [struct.pack("<BHH", is_last, len(block), len(block) ^ 0xFFFF), block]
    return b"".join([*parts, struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)])


def mend(path: Path) -> int:
    """Cuts an archive file at its last whole member; returns how many bytes were lost."""
    whole = 0
    with path.open("r+b") as stream:
        while True:
            unpacker = zlib.decompressobj(31)
            try:
                while not unpacker.eof and (chunk := stream.read(1 << 16)):
                    unpacker.decompress(chunk)
            except zlib.error:
                break
            if not unpacker.eof:
                break
            whole = stream.tell() - len(unpacker.unused_data)
            stream.seek(whole)
        lost = stream.seek(0, 2) - whole
        stream.truncate(whole)
    return lost


def check_end(stream: BinaryIO, last: int) -> None:
    """Raises OSError unless the file ends with the whole member at `last`; readers of WARC ignore a cut-off tail."""
    stream.seek(last)
    unpacker = zlib.decompressobj(31)
    while not unpacker.eof:
        chunk = stream.read(1 << 16)
        if not chunk:
            raise OSError("cut off in its last member")
        unpacker.decompress(chunk)
    if unpacker.unused_data or stream.read(1):
        raise OSError(f"unreadable after byte {last}")
