"""Real pictures with real defects, the ones that the demo sites show."""

import random
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from crawlers.demo import pictures
from crawlers.demo.sites import WEBP
from sengu.pictures import images

LIMIT = 100_000_000
PIXELS = pictures.draw("stripes", 0)


def encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def difference(data: bytes, expected: np.ndarray) -> float:
    """Mean difference in levels between what `data` decodes to and the pixels that went in."""
    return float(np.abs(images.decode(data).astype(int) - expected).mean())


@pytest.mark.parametrize(
    ("encode", "extension"),
    [
        (pictures.jpeg, "jpg"),
        (pictures.commented_jpeg, "jpg"),
        (pictures.cmyk_jpeg, "jpg"),
        (pictures.rotated_jpeg, "jpg"),
        (pictures.png, "png"),
        (pictures.alpha_png, "png"),
        (pictures.palette_png, "png"),
        (pictures.deep_png, "png"),
        (pictures.animated_gif, "gif"),
        (lambda p: encoded(Image.fromarray(p), "BMP"), "bmp"),
        (lambda p: encoded(Image.fromarray(p), "TIFF"), "tif"),
        (lambda p: encoded(Image.fromarray(p), "WEBP"), "webp"),
        (lambda p: encoded(Image.fromarray(p), "AVIF"), "avif"),
    ],
)
def test_the_format_is_sniffed_and_the_picture_decoded(encode, extension: str) -> None:
    data = encode(PIXELS)
    height, width = PIXELS.shape[:2]
    stored = (height, width) if encode is pictures.rotated_jpeg else (width, height)
    assert images.examine(data, LIMIT) == images.Picture(extension, *stored)
    decoded = images.decode(data)
    assert decoded.dtype == np.uint8
    assert decoded.shape == PIXELS.shape


def test_the_kept_webp_is_one() -> None:
    assert images.examine(WEBP.read_bytes(), LIMIT).extension == "webp"


def test_lossless_pixels_are_exact_and_lossy_ones_close() -> None:
    assert difference(pictures.png(PIXELS), PIXELS) == 0
    assert difference(pictures.jpeg(PIXELS), PIXELS) < 10
    assert difference(pictures.cmyk_jpeg(PIXELS), PIXELS) < 10


def test_orientation_is_applied() -> None:
    assert difference(pictures.rotated_jpeg(PIXELS), PIXELS) < 10


def test_transparency_shows_white() -> None:
    decoded = images.decode(pictures.alpha_png(PIXELS))
    assert (decoded[:8] == 255).all()
    assert (decoded[8:-8, 8:-8] == PIXELS[8:-8, 8:-8]).all()


def test_a_transparent_palette_entry_shows_white() -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    assert (images.decode(pictures.palette_png(pixels)) == 255).all()


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    assert (images.decode(pictures.deep_png(PIXELS)) == PIXELS[..., 1:2]).all()


GREY = PIXELS[..., 1]


@pytest.mark.parametrize("kind", ["<u2", ">u2"])
@pytest.mark.parametrize("factor", [257, 1], ids=["bright", "dark"])
def test_sixteen_bits_are_the_same_in_either_byte_order(kind: str, factor: int) -> None:
    data = encoded(Image.fromarray((GREY * np.uint16(factor)).astype(kind)), "TIFF")
    assert data.startswith(b"II*\0" if kind == "<u2" else b"MM\0*")
    expected = GREY if factor == 257 else np.round(GREY / 257)
    images.examine(data, LIMIT)
    assert (images.decode(data) == expected[..., np.newaxis]).all()


@pytest.mark.parametrize("white", [1, 255, 65535])
def test_the_highest_float_says_what_white_is(white: int) -> None:
    data = encoded(Image.fromarray((GREY / 255 * white).astype(np.float32)), "TIFF")
    images.examine(data, LIMIT)
    assert (images.decode(data) == GREY[..., np.newaxis]).all()


def test_what_is_no_number_is_black_and_infinity_is_clipped() -> None:
    levels = np.full((8, 4), 0.5, np.float32)
    levels[0] = np.nan, np.inf, -np.inf, 0.5
    data = encoded(Image.fromarray(levels), "TIFF")
    images.examine(data, LIMIT)
    assert images.decode(data)[:2, :, 0].tolist() == [[0, 255, 0, 128], [128] * 4]


def test_an_animation_is_its_first_frame() -> None:
    levels = PIXELS[..., 1:2] // 16 * 17
    assert (images.decode(pictures.animated_gif(PIXELS)) == levels).all()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (pictures.jpeg(PIXELS)[:1500], "truncated"),
        (pictures.png(PIXELS)[:3000], "truncated"),
        (pictures.bomb_png(), "more than 100000000 pixels"),
        (pictures.png(np.zeros((1, images.LONGEST + 1), np.uint8)), "a side of more than 1000000 pixels"),
        (b"<!DOCTYPE html><p>log in", "html"),
        (b"\xef\xbb\xbf\n<HTML>", "html"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "svg"),
        (b"\x00\x00\x00\x20ftypheic", "heif"),
        (b"just text", "unknown format"),
        (b"\xff\xd8\xff", "unknown format"),
        (b"GIF89a", "unknown format"),
    ],
)
def test_what_is_no_picture_has_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(images.NotAPicture, match=f"^{reason}$"):
        images.examine(data, LIMIT)


def test_damage_inside_a_png_is_found() -> None:
    data = bytearray(pictures.png(PIXELS))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(images.NotAPicture, match="broken|truncated"):
        images.examine(bytes(data), LIMIT)


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b"Exif\0\0nonsense", b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x63"]
)
def test_damaged_exif_does_no_harm(exif: bytes) -> None:
    data = pictures.jpeg(PIXELS, exif=exif)
    images.examine(data, LIMIT)
    assert (images.decode(data) == images.decode(pictures.jpeg(PIXELS))).all()


@pytest.mark.parametrize("form", ["AVIF", "WEBP", "TIFF", "GIF", "BMP"])
def test_whatever_is_accepted_can_be_decoded(form: str) -> None:
    chance = random.Random(form)
    whole = encoded(Image.fromarray(PIXELS[:32, :32]), form)
    accepted = 0
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(3):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            images.examine(bytes(data), 10_000)
        except images.NotAPicture:
            continue
        assert images.decode(bytes(data)).shape[2] == 3
        accepted += 1
    assert accepted


def test_the_limit_is_the_callers_and_is_put_back() -> None:
    before = Image.MAX_IMAGE_PIXELS
    pixels = PIXELS.shape[0] * PIXELS.shape[1]
    images.examine(pictures.png(PIXELS), pixels)
    with pytest.raises(images.NotAPicture, match=f"more than {pixels - 1} pixels"):
        images.examine(pictures.png(PIXELS), pixels - 1)
    assert before == Image.MAX_IMAGE_PIXELS
