"""Encoded pictures -> format, size and pixels: the only place where Pillow opens a file.

The format is sniffed from the bytes. Decoding gives what a person sees: EXIF orientation applied, the first frame of an
animation, transparency composited on white, 16-bit and CMYK brought to 8-bit RGB.

White is 65535 where a level has 16 bits, in either byte order. Floats and 32-bit integers do not say what white is, so their
highest one does: 1 for floats up to 1, 255 for others up to 255, else 65535. What lies beyond black or white is clipped, even
if it is infinite; what is no number is black.
"""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

# Pillow's name of a format -> the extension of its object ids
EXTENSIONS = {
    "JPEG": "jpg",
    "MPO": "jpg",
    "PNG": "png",
    "GIF": "gif",
    "WEBP": "webp",
    "BMP": "bmp",
    "TIFF": "tif",
    "AVIF": "avif",
}
OPENED = [name for name in EXTENSIONS if name != "MPO"]  # which the JPEG reader finds out
PLAIN = ("RGB", "L")  # modes that nothing can fail to bring to 8-bit RGB once they are loaded
BACKGROUND = (255, 255, 255)
LONGEST = 1_000_000  # pixels of a side; ONNX Runtime fails to resize a picture of 20 million
# what Pillow raises on broken bytes, depending on the format
BROKEN = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, RuntimeError, ArithmeticError, struct.error)


@dataclass(frozen=True)
class Picture:
    """What the header of a picture says; width and height in pixels as stored, before orientation."""

    extension: str
    width: int
    height: int


class NotAPicture(Exception):
    """Bytes that do not become an object; the text is the reason that goes into the rejected table."""


def examine(data: bytes, max_pixels: int, checks: bool = True) -> Picture:
    """Checks that `data` is one whole, decodable picture of at most `max_pixels`. Raises NotAPicture with the reason.

    Without `checks` only the header is read: a picture that is cut off behind it passes.
    """
    with limited(max_pixels), _opened(data) as picture:
        extension = EXTENSIONS[picture.format or ""]
        width, height = picture.size
        if checks:
            picture.load()
            if picture.mode not in PLAIN or picture.has_transparency_data:
                _visible(picture)  # all that decode does, so that what is accepted here decodes there
    return Picture(extension, width, height)


def decode(data: bytes) -> np.ndarray:
    """Pixels of a picture that `examine` accepted: uint8 RGB (height, width, 3), as a person sees it."""
    with limited(None):
        return pixels(data)


def pixels(data: bytes) -> np.ndarray:
    """As `decode`, of a picture that nobody examined: raises NotAPicture with the reason. Call it within `limited`."""
    with _opened(data) as picture:
        return np.asarray(_visible(picture), dtype=np.uint8)


def _visible(picture: Image.Image) -> Image.Image:
    picture.load()
    upright = picture
    try:
        if picture.getexif().get(ExifTags.Base.Orientation, 1) != 1:  # else Pillow would copy the picture
            upright = ImageOps.exif_transpose(picture)
    except BROKEN:  # damaged EXIF says nothing of the orientation, and does no harm to the pixels
        pass
    if upright.mode == "RGB" and not upright.has_transparency_data:
        return upright
    return _rgb(upright)


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I") or picture.mode == "F":
        picture = Image.fromarray(_levels(np.asarray(picture, dtype=np.float64), picture.mode))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        canvas = Image.new("RGBA", picture.size, (*BACKGROUND, 255))
        picture = Image.alpha_composite(canvas, picture)
    return picture.convert("RGB")


def _levels(samples: np.ndarray, mode: str) -> np.ndarray:
    """Samples (height, width) as uint8: Pillow's own conversion clips them at 255 instead of scaling them."""
    top = 65535 if mode.startswith("I;16") else samples.max(initial=0, where=np.isfinite(samples))
    scale = 257 if top > 255 else 1 / 255 if mode == "F" and top <= 1 else 1
    return np.nan_to_num(np.rint(np.clip(samples / scale, 0, 255))).astype(np.uint8)


def _what_else(data: bytes) -> str:
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "html"
    if b"<svg" in head:
        return "svg"
    if data[4:8] == b"ftyp" and data[8:11] in (b"hei", b"hev", b"mif", b"msf"):
        return "heif"
    return "unknown format"


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """The picture, opened; whatever Pillow raises within becomes NotAPicture."""
    if not data:
        raise NotAPicture("empty")
    try:
        with Image.open(BytesIO(data), formats=OPENED) as picture:
            if max(picture.size) > LONGEST:
                raise NotAPicture(f"a side of more than {LONGEST} pixels")
            yield picture
    except UnidentifiedImageError:
        raise NotAPicture(_what_else(data)) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise NotAPicture(f"more than {Image.MAX_IMAGE_PIXELS} pixels") from None
    except BROKEN as error:
        raise NotAPicture("truncated" if "truncated" in str(error).lower() else "broken") from None


@contextmanager
def limited(pixels: int | None) -> Iterator[None]:
    """Within, a picture of more pixels is not opened, by no thread: Pillow keeps its limit in a variable of its module.

    So this is entered once, around the threads, and never in one of them.
    """
    Image.init()  # registers the formats beyond the most common five; once
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = pixels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
