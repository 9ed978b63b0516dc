"""TIFFs and PNGs of microscopes, scanners and cameras: shown as they are, or rejected with the reason."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
import tifffile
from PIL import Image

from sengu.pictures import images

LIMIT = 100_000_000
GREY = np.linspace(0, 65535, 48).astype(np.uint16).reshape(6, 8)
COLOURS = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)


def written(pixels: np.ndarray, **options: object) -> bytes:
    stream = BytesIO()
    tifffile.imwrite(stream, pixels, **options)
    return stream.getvalue()


def tagged(tags: dict[int, tuple[int, list[int]]], strip: bytes) -> bytes:
    """A little-endian TIFF of one strip; tags by number, each with its type (3: 16 bits, 4: 32) and values."""
    tags = {**tags, 273: (4, [8]), 279: (4, [len(strip)])}
    where = 8 + len(strip)
    entries, behind = b"", b""
    for number, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(packed) > 4:
            packed, behind = struct.pack("<I", where + 6 + 12 * len(tags) + len(behind)), behind + packed
        entries += struct.pack("<HHI", number, kind, len(values)) + packed.ljust(4, b"\0")
    return struct.pack("<2sHI", b"II", 42, where) + strip + struct.pack("<H", len(tags)) + entries + bytes(4) + behind


def one_row(bits: int, width: int, photometric: int, strip: bytes, **more: tuple[int, list[int]]) -> bytes:
    plain = {256: width, 257: 1, 258: bits, 259: 1, 262: photometric, 277: 1, 278: 1}
    return tagged({**{n: (3, [v]) for n, v in plain.items()}, **{int(n[1:]): v for n, v in more.items()}}, strip)


def shown(data: bytes) -> np.ndarray:
    height, width = images.decode(data).shape[:2]
    assert images.examine(data, LIMIT) == images.Picture("tif", width, height)
    return images.decode(data)


def reason(data: bytes, limit: int = LIMIT) -> str:
    with pytest.raises(images.NotAPicture) as error:
        images.examine(data, limit)
    return str(error.value)


def scaled(levels: np.ndarray, white: int = 65535) -> np.ndarray:
    return np.rint(levels / white * 255)


@pytest.mark.parametrize(("photometric", "expected"), [(1, [0, 85, 170, 255]), (0, [255, 170, 85, 0])])
def test_twelve_bits_fill_the_whole_range(photometric: int, expected: list[int]) -> None:
    assert shown(one_row(12, 4, photometric, bytes.fromhex("000555aaafff")))[0, :, 0].tolist() == expected


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_white_is_zero_in_sixteen_bits(compression: str | None) -> None:
    data = written(GREY, photometric="miniswhite", compression=compression)
    assert (shown(data)[..., 0] == scaled(65535 - GREY.astype(int))).all()


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_sixteen_bits_in_planes(byteorder: str) -> None:
    data = written(np.moveaxis(COLOURS, 2, 0), photometric="rgb", planarconfig="separate", byteorder=byteorder)
    assert (shown(data) == scaled(COLOURS)).all()


def test_sixteen_bits_beside_each_other_are_rounded_as_in_planes() -> None:
    assert (shown(written(COLOURS, photometric="rgb")) == scaled(COLOURS)).all()


def test_what_tifffile_leaves_to_others_is_read_by_opencv() -> None:
    stream = BytesIO()
    Image.fromarray(GREY).save(stream, "TIFF", compression="tiff_lzw")
    assert (shown(stream.getvalue())[..., 0] == scaled(GREY)).all()


@pytest.mark.parametrize("white", [255, 65535, 2**32 - 1])
def test_the_highest_of_32_bits_says_what_white_is(white: int) -> None:
    levels = np.linspace(0, white, 48).astype(np.uint32).reshape(6, 8)
    assert np.abs(shown(written(levels))[..., 0] - scaled(levels, white)).max() <= 1


def test_32_bits_that_do_not_say_what_white_is_are_rejected() -> None:
    assert reason(written(np.full((4, 4), 100_000, np.uint32))) == "levels up to 100000, from which white cannot be determined"


@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
def test_transparency_in_sixteen_bits_shows_white(kind: str) -> None:
    alpha = np.full((6, 8, 1), 65535, np.uint16)
    alpha[0] = 0
    colours = COLOURS.copy()
    colours[0] = 0
    found = shown(written(np.concatenate([colours, alpha], axis=2), photometric="rgb", extrasamples=[kind]))
    assert (found[0] == 255).all()
    assert (found[1:] == scaled(COLOURS[1:])).all()


def test_a_reduced_page_before_the_full_one_is_not_the_picture() -> None:
    stream = BytesIO()
    with tifffile.TiffWriter(stream) as file:
        file.write(np.zeros((2, 2, 3), np.uint8), photometric="rgb", subfiletype=1)
        file.write((COLOURS >> 8).astype(np.uint8), photometric="rgb", subfiletype=0)
    assert (shown(stream.getvalue()) == COLOURS >> 8).all()


def test_the_first_page_of_a_stack_is_the_picture() -> None:
    assert (shown(written(np.stack([GREY, GREY // 2]), photometric="minisblack"))[..., 0] == scaled(GREY)).all()


def test_the_orientation_of_a_deep_tiff_is_applied() -> None:
    data = written(GREY, extratags=[(274, 3, 1, 6, True)])
    assert (images.decode(data)[..., 0] == np.rot90(scaled(GREY), -1)).all()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (one_row(8, 4, 1, bytes(4), _254=(4, [1])), "only a reduced version of the picture, not the full one"),
        (one_row(8, 4, 1, bytes(4), _254=(4, [1]), _50706=(4, [1])), "camera raw, with a reduced picture"),
        (one_row(16, 4, 32803, bytes(8)), "camera raw"),
        (one_row(8, 4, 1, bytes(4), _259=(3, [50002])), "tiff compressed as jpegxl (50002)"),
        (written(np.zeros((4, 4, 3), np.float32), photometric="rgb"), "tiff of floating-point colours"),
        (one_row(16, 4, 1, bytes(56), _277=(3, [7]), _258=(3, [16] * 7)), "tiff of 7 x 16 bits (minisblack, none)"),
        (written(GREY)[:-20], "truncated"),
        (b"II*\0\x08\0\0\0" + bytes(30), "broken"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_as_it_is_has_a_reason(data: bytes, expected: str) -> None:
    assert reason(data) == expected


def test_the_limit_of_pixels_holds_for_deep_tiffs() -> None:
    assert reason(written(GREY), 47) == "more than 47 pixels"


def png(kind: int, row: bytes, key: bytes) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, kind, 0, 0, 0)) + chunk(b"tRNS", key)
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("kind", "row", "key"),
    [
        (0, bytes.fromhex("1234 8080"), bytes.fromhex("1234")),
        (0, bytes.fromhex("0000 8080"), bytes.fromhex("0000")),
        (2, bytes.fromhex("123412341234 808080808080"), bytes.fromhex("123412341234")),
    ],
)
def test_one_colour_of_a_deep_png_may_be_transparent(kind: int, row: bytes, key: bytes) -> None:
    data = png(kind, row, key)
    images.examine(data, LIMIT)
    assert images.decode(data)[0, :, 0].tolist() == [255, 128]
