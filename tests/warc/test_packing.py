import gzip
import random
from pathlib import Path

import pytest

from sengu.warc import packing


@pytest.mark.parametrize("size", [0, 1, 0xFFFF, 0x10000, 200_000])
def test_stored_members_are_gzip(size: int) -> None:
    data = random.Random(size).randbytes(size)
    assert gzip.decompress(packing.pack(data, deflate=False)) == data
    assert gzip.decompress(packing.pack(data, deflate=True)) == data


def test_a_cut_file_is_mended_at_its_last_whole_member(tmp_path: Path) -> None:
    packed = [packing.pack(random.Random(i).randbytes(1000 * i), deflate=i % 2 == 0) for i in range(1, 5)]
    whole, path = b"".join(packed), tmp_path / "file"
    ends = [sum(map(len, packed[:i])) for i in range(5)]
    for cut in random.Random(1).sample(range(len(whole)), 50):
        path.write_bytes(whole[:cut])
        kept = max(end for end in ends if end <= cut)
        assert packing.mend(path) == cut - kept
        assert path.read_bytes() == whole[:kept]


@pytest.mark.parametrize(("cut", "added"), [(1, b""), (0, b"x"), (0, packing.pack(b"more", deflate=False)[:-1])])
def test_a_file_that_does_not_end_with_a_whole_member_is_refused(tmp_path: Path, cut: int, added: bytes) -> None:
    first, last = packing.pack(b"first", deflate=False), packing.pack(b"last", deflate=True)
    path = tmp_path / "file"
    path.write_bytes(first + last)
    with path.open("rb") as stream:
        packing.check_end(stream, len(first))
    path.write_bytes((first + last)[: len(first + last) - cut] + added)
    with path.open("rb") as stream, pytest.raises(OSError, match="cut off|unreadable"):
        packing.check_end(stream, len(first))
