"""A HEIF or AVIF file -> its items, each a coded picture, a tile of one, or what is said about one (ISO/IEC 14496-12)."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

FULL_BOX = 4  # bytes of version and flags


@dataclass(frozen=True)
class Item:
    """One item; `parts` are the start and end of its bytes in the file, which may end before."""

    kind: bytes
    parts: tuple[tuple[int, int], ...]


def items(data: bytes) -> list[Item]:
    """The items whose bytes are in the file itself; none if the file is not clear about it."""
    meta = next((body for kind, body in boxes(data) if kind == b"meta"), None)
    if meta is None:
        return []
    inner = dict(boxes(meta[FULL_BOX:]))
    kinds = _kinds(inner.get(b"iinf", b""))
    return [Item(kinds.get(number, b""), parts) for number, parts in _parts(inner.get(b"iloc", b""))]


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each box, one after the other; the last may be cut off."""
    place = 0
    while place + 8 <= len(data):
        size, head = int.from_bytes(data[place : place + 4]), 8
        if size == 1:
            size, head = int.from_bytes(data[place + 8 : place + 16]), 16
        end = len(data) if size == 0 else place + max(size, head)
        yield data[place + 4 : place + 8], data[place + head : end]
        place = end


def _kinds(iinf: bytes) -> dict[int, bytes]:
    width = 2 if iinf[:1] == b"\0" else 4  # of the count
    kinds = {}
    for kind, infe in boxes(iinf[FULL_BOX + width :]):
        if kind == b"infe" and infe[:1] in (b"\2", b"\3"):
            size = 2 if infe[0] == 2 else 4
            kinds[int.from_bytes(infe[4 : 4 + size])] = infe[6 + size : 10 + size]
    return kinds


def _parts(iloc: bytes) -> Iterator[tuple[int, tuple[tuple[int, int], ...]]]:
    if len(iloc) < 8:
        return
    version, stream = iloc[0], BytesIO(iloc[FULL_BOX:])

    def number(size: int) -> int:
        return int.from_bytes(stream.read(size))

    sizes = number(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    for _ in range(number(2 if version < 2 else 4)):
        if stream.tell() >= len(iloc) - FULL_BOX:
            return
        item = number(2 if version < 2 else 4)
        method = number(2) & 15 if version else 0
        number(2)  # of the file that holds it: 0, this one
        base, parts = number(base_size), []
        for _ in range(number(2)):
            if version and index_size:
                number(index_size)
            start = base + number(offset_size)
            parts.append((start, start + number(length_size)))
        if method == 0:  # in the file, not in the meta box or in other items
            yield item, tuple(parts)
