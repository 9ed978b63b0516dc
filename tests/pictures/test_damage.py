"""Pictures that decoders forgive: what is missing or zeroed in them is found, and what does no harm is not."""

import re
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crawlers.demo import pictures
from sengu.pictures import images

LIMIT = 100_000_000
HEIC = (Path(__file__).parent / "heic/flat.heic").read_bytes()


def photograph(flat: int = 0) -> Image.Image:
    """Something like a photograph, with `flat` white rows at the top."""
    numbers = np.random.default_rng(20)
    rows, columns = np.mgrid[0:240, 0:320]
    waves = [np.sin(rows / a + columns / b) for a, b in numbers.uniform(15, 60, (3, 2))]
    pixels = np.clip(128 + 60 * np.stack(waves, axis=-1) + numbers.normal(0, 6, (240, 320, 3)), 0, 255).astype(np.uint8)
    pixels[:flat] = 255
    return Image.fromarray(pixels)


def encoded(form: str, flat: int = 0, mode: str = "RGB", **options: object) -> bytes:
    buffer = BytesIO()
    photograph(flat).convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


def zeroed(data: bytes, count: int = 512) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(count) + data[middle + count :]


def reason(data: bytes) -> str:
    """Why a picture is rejected; empty text if it is not."""
    try:
        images.examine(data, LIMIT)
    except images.NotAPicture as error:
        return str(error)
    assert images.decode(data).shape[2] == 3
    return ""


JPEGS = {
    "baseline": encoded("JPEG"),
    "optimized": encoded("JPEG", optimize=True),
    "progressive": encoded("JPEG", progressive=True),
    "restarts": encoded("JPEG", restart_marker_rows=1),
    "grey": encoded("JPEG", mode="L"),
    "cmyk": encoded("JPEG", mode="CMYK"),
    "flat": encoded("JPEG", flat=200, optimize=True),
    "flat grey": encoded("JPEG", flat=240, mode="L", optimize=True),
}
whatever_jpeg = pytest.mark.parametrize("data", JPEGS.values(), ids=JPEGS)


@whatever_jpeg
def test_a_whole_jpeg_is_one(data: bytes) -> None:
    assert reason(data) == ""


@whatever_jpeg
def test_a_jpeg_whose_second_half_is_missing_is_rejected_though_it_ends_as_one(data: bytes) -> None:
    scan = data.index(b"\xff\xda") + 14
    assert reason(data[: (scan + len(data)) // 2] + b"\xff\xd9") == "damaged: premature end of data segment"
    assert reason(data[: (scan + len(data)) // 2]) == "truncated"


@pytest.mark.parametrize("kind", [kind for kind in JPEGS if "flat" not in kind])
def test_zeros_in_the_middle_of_a_jpeg_are_found(kind: str) -> None:
    assert reason(zeroed(JPEGS[kind], 2000)).startswith("damaged: ")


def test_a_jpeg_whose_second_half_is_zeros_is_rejected_though_it_ends_as_one() -> None:
    for data in (JPEGS["baseline"], JPEGS["optimized"], JPEGS["grey"], JPEGS["cmyk"], JPEGS["restarts"]):
        half = (data.index(b"\xff\xda") + len(data)) // 2
        assert reason(data[:half] + bytes(len(data) - half - 2) + b"\xff\xd9").startswith("damaged: ")


def test_a_few_zeros_are_found_where_they_make_no_picture() -> None:
    data = encoded("JPEG", quality=30)
    assert reason(zeroed(data, 64)).startswith("damaged: ")


def test_random_bytes_in_a_jpeg_are_found() -> None:
    data = JPEGS["baseline"]
    middle = len(data) // 2
    noise = np.random.default_rng(1).integers(0, 255, 512, np.uint8).tobytes()
    assert reason(data[:middle] + noise + data[middle + 512 :]).startswith("damaged: ")


@whatever_jpeg
@pytest.mark.parametrize("marker", [b"\xff\xdb", b"\xff\xda", b"\xff\xd9"], ids=["tables", "scan", "end"])
@pytest.mark.parametrize("junk", [b"junk", b"\0" * 700, b"what a tool left\r\n"], ids=["short", "zeros", "text"])
def test_junk_before_a_marker_does_no_harm(data: bytes, marker: bytes, junk: bytes) -> None:
    place = data.rindex(marker) if marker == b"\xff\xd9" else data.index(marker)
    assert reason(data[:place] + junk + data[place:]) == ""


@pytest.mark.parametrize("junk", [b"junk", b"\0" * 700], ids=["short", "zeros"])
def test_junk_does_not_hide_damage(junk: bytes) -> None:
    data = JPEGS["baseline"][: len(JPEGS["baseline"]) // 2] + b"\xff\xd9"
    place = data.index(b"\xff\xdb")
    assert reason(data[:place] + junk + data[place:]) == "damaged: premature end of data segment"


def test_what_lies_behind_a_jpeg_does_no_harm() -> None:
    assert reason(JPEGS["baseline"] + bytes(4000)) == ""  # as the video of a motion photograph


@pytest.mark.parametrize("options", [{}, {"lossless": True}])
@pytest.mark.parametrize("flat", [0, 200])
def test_zeros_in_a_webp_are_found(options: dict[str, object], flat: int) -> None:
    data = encoded("WEBP", flat, **options)
    assert reason(data) == ""
    assert reason(zeroed(data, 1000)) in ("damaged: zeros in the data", "broken")


def test_zeros_in_the_first_frame_of_an_animation_are_found() -> None:
    data = encoded("WEBP", save_all=True, append_images=[photograph(9)])
    assert reason(data) == ""
    place = data.index(b"VP8 ") + 2000
    assert reason(data[:place] + bytes(500) + data[place + 500 :]) in ("damaged: zeros in the data", "broken")


def test_a_webp_whose_second_half_is_missing_is_rejected_though_its_sizes_are_right() -> None:
    data = encoded("WEBP")
    size = len(data) // 4 * 2
    cut = data[12:16] + struct.pack("<I", size) + data[20 : 20 + size]
    assert reason(b"RIFF" + struct.pack("<I", 4 + len(cut)) + b"WEBP" + cut) in ("truncated", "broken")


@pytest.mark.parametrize("flat", [0, 200])
def test_zeros_in_an_avif_are_found(flat: int) -> None:
    data = encoded("AVIF", flat)
    assert reason(data) == ""
    assert reason(zeroed(data)) in ("damaged: zeros in the data", "broken")
    assert reason(data[: len(data) // 2])


def test_a_heic_is_read_and_its_damage_found() -> None:
    expected = np.asarray(Image.open(Path(__file__).parent / "heic/flat.png").convert("RGB"), int)
    assert images.examine(HEIC, LIMIT) == images.Picture("heic", 29, 100)
    assert np.abs(images.decode(HEIC) - expected).mean() < 3
    assert reason(zeroed(HEIC)) == "damaged: zeros in the data"
    assert reason(HEIC[:-100]) in ("truncated", "heif")


@pytest.mark.parametrize("draw", [pictures.jpeg, pictures.cmyk_jpeg, pictures.rotated_jpeg, pictures.commented_jpeg])
@pytest.mark.parametrize("seed", range(5))
def test_drawn_jpegs_are_whole(draw, seed: int) -> None:
    assert reason(draw(pictures.draw("dots", seed))) == ""


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_zeros_in_a_tiff_that_jpeg_packs_are_found(mode: str) -> None:
    whole = encoded("TIFF", mode=mode, compression="jpeg")
    assert reason(whole) == ""
    assert reason(zeroed(whole)).startswith("damaged: ")
    assert reason(encoded("TIFF", mode=mode, compression="tiff_lzw")) == ""


def test_an_avif_that_is_cut_off_is_said_to_be_that() -> None:
    whole = encoded("AVIF")
    assert reason(whole) == ""
    assert reason(whole[: len(whole) // 2]) == "truncated"


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_progressive_jpeg_whose_last_scans_are_missing_is_rejected(mode: str) -> None:
    whole = encoded("JPEG", mode=mode, progressive=True)
    scans = [match.start() for match in re.finditer(rb"\xff\xda", whole)]
    assert reason(whole) == ""
    for place in (scans[1], scans[-1]):
        assert reason(whole[:place] + b"\xff\xd9") == "truncated"


@pytest.mark.parametrize("form", ["WEBP", "AVIF"])
def test_a_run_of_ones_is_found(form: str) -> None:
    data = encoded(form)
    middle = len(data) // 2
    assert reason(data[:middle] + b"\xff" * 300 + data[middle + 300 :]) in ("damaged: a filling in the data", "broken")


def test_a_png_whose_last_rows_are_missing_is_rejected_though_all_its_sums_are_right() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def png(length: int, interlaced: int) -> bytes:
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, interlaced))
        return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(length))) + chunk(b"IEND", b"")

    passes = (1 + 1) + (1 + 1) + (1 + 2) + 2 * (1 + 2) + 2 * (1 + 4) + 4 * (1 + 4) + 4 * (1 + 8)
    for length, interlaced in ((8 * 9, 0), (passes, 1)):
        assert reason(png(length, interlaced)) == ""  # black, but whole
        assert reason(png(length - 9, interlaced)) == "truncated"
