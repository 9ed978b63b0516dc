"""A kind and a number -> a picture of dots or stripes, always the same bytes.

Drawn with integer arithmetic and encoded so that the bytes depend on nothing but the locked Pillow: its JPEG encoder is
bit-exact on every processor; PNGs are stored without deflating, whose result varies with the processor.
"""

import random
import zlib
from io import BytesIO

import numpy as np
from PIL import Image

QUALITY = 88
ORIENTATION = 0x0112  # the EXIF tag
ROTATED_RIGHT = 6


def draw(kind: str, number: int) -> np.ndarray:
    """Picture `number` of `kind` ("dots" or "stripes"): uint8 RGB (height, width, 3), sides of 80 to 144 pixels."""
    chance = random.Random(f"{kind} {number}")
    height, width = chance.randrange(80, 145), chance.randrange(80, 145)
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    back, front = _colours(chance)
    light = x * chance.randrange(-40, 41) // width + y * chance.randrange(-40, 41) // height
    picture = np.array(back)[None, None, :] + light[..., None]
    if kind == "dots":
        for _ in range(chance.randrange(6, 16)):
            radius = chance.randrange(4, 13)
            across, down = chance.randrange(width), chance.randrange(height)
            mask = (x - across) ** 2 + (y - down) ** 2 <= radius**2
            picture[mask] = np.array(front) + chance.randrange(-25, 26)
    else:
        a, b = chance.choice([(1, 0), (0, 1), (2, 1), (1, 2), (1, 1), (1, -1), (2, -1), (1, -2)])
        period = chance.randrange(10, 27) * max(abs(a), abs(b))
        picture[(a * x + b * y + chance.randrange(period)) % period < period * chance.randrange(3, 6) // 10] = front
    noise = np.frombuffer(chance.randbytes(height * width), np.uint8).reshape(height, width) % 25
    levels = picture + noise[..., None].astype(np.int64) - 12
    return np.asarray(np.clip(levels, 0, 255), dtype=np.uint8)


def jpeg(pixels: np.ndarray, quality: int = QUALITY, **options: object) -> bytes:
    return _encoded(Image.fromarray(pixels), "JPEG", quality=quality, **options)


def commented_jpeg(pixels: np.ndarray) -> bytes:
    """A JPEG with exactly the pixels of jpeg(pixels), in other bytes."""
    return jpeg(pixels, comment=b"copied from somewhere")


def cmyk_jpeg(pixels: np.ndarray) -> bytes:
    return _encoded(Image.fromarray(pixels).convert("CMYK"), "JPEG", quality=QUALITY)


def rotated_jpeg(pixels: np.ndarray) -> bytes:
    """A JPEG stored on its side, with the EXIF orientation that sets it upright."""
    exif = Image.Exif()
    exif[ORIENTATION] = ROTATED_RIGHT
    return jpeg(np.rot90(pixels).copy(), exif=exif)


def png(pixels: np.ndarray) -> bytes:
    return _encoded(Image.fromarray(pixels), "PNG", compress_level=0)


def alpha_png(pixels: np.ndarray) -> bytes:
    """An opaque picture with a transparent frame of 8 pixels."""
    alpha = np.zeros(pixels.shape[:2], np.uint8)
    alpha[8:-8, 8:-8] = 255
    return png(np.dstack([pixels, alpha]))


def deep_png(pixels: np.ndarray) -> bytes:
    """A PNG in 16-bit grey."""
    return png(pixels[..., 1].astype(np.uint16) * 257)


def palette_png(pixels: np.ndarray) -> bytes:
    """A PNG of 16 greys, the darkest of them transparent."""
    return _encoded(_palette(pixels), "PNG", compress_level=0, transparency=0)


def animated_gif(pixels: np.ndarray) -> bytes:
    frames = [_palette(np.roll(pixels, 5 * i, axis=0)) for i in range(3)]
    return _encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100, loop=0)


def bomb_png() -> bytes:
    """A PNG of a few bytes whose header promises 60,000 x 60,000 pixels."""
    whole = png(np.zeros((1, 1, 3), np.uint8))
    side = (60_000).to_bytes(4, "big")
    header = whole[12:16] + side + side + whole[24:29]
    return whole[:12] + header + zlib.crc32(header).to_bytes(4, "big") + whole[33:]


def shrunk(pixels: np.ndarray) -> np.ndarray:
    """The pixels of every second row and column."""
    return np.ascontiguousarray(pixels[::2, ::2])


def cropped(pixels: np.ndarray) -> np.ndarray:
    """The pixels without 4 on each side."""
    return np.ascontiguousarray(pixels[4:-4, 4:-4])


def _colours(chance: random.Random) -> tuple[list[int], list[int]]:
    """Two colours that differ by at least 120 in total, so that the figure is visible."""
    while True:
        back, front = ([chance.randrange(30, 226) for _ in range(3)] for _ in range(2))
        if sum(abs(a - b) for a, b in zip(back, front, strict=True)) >= 120:
            return back, front


def _palette(pixels: np.ndarray) -> Image.Image:
    picture = Image.fromarray(pixels[..., 1] // 16, "P")
    picture.putpalette([level for i in range(16) for level in (i * 17, i * 17, i * 17)])
    return picture


def _encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()
