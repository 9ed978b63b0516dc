"""Encoded pictures -> format, size and pixels. Pillow opens the files, and others read those that it gets wrong.

The format is sniffed from the bytes. Decoding gives what a person sees: EXIF orientation applied, the first frame of an
animation, colours by the picture's ICC profile brought to sRGB, transparency composited on white, CMYK brought to RGB and
other numbers of bits to 8, see `deep`.
"""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from sengu.pictures import damage, deep, profiles, reasons
from sengu.pictures.deep import LONGEST
from sengu.pictures.reasons import NotAPicture

__all__ = ["LONGEST", "NotAPicture", "Picture", "checked_pixels", "decode", "examine", "limited", "pixels"]

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
    "HEIF": "heic",
}
OPENED = [name for name in EXTENSIONS if name not in ("MPO", "HEIF")]  # found by the JPEG reader; loaded when one comes
PLAIN = ("RGB", "L")  # modes whose conversion to 8-bit RGB cannot fail once they are loaded
LOOKS = {
    "WEBP": damage.webp,
    "AVIF": damage.avif,
    "HEIF": damage.heif,
    "TIFF": damage.tiff,
}  # for damage that decoding does not show
BACKGROUND = (255, 255, 255)
# what Pillow raises on broken bytes, depending on the format
BROKEN = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, RuntimeError, ArithmeticError, struct.error)


@dataclass(frozen=True)
class Picture:
    """The header of a picture; width and height in pixels as stored, before orientation."""

    extension: str
    width: int
    height: int


def examine(data: bytes, max_pixels: int, checks: bool = True) -> Picture:
    """Checks that `data` is one whole, decodable picture of at most `max_pixels`. Raises NotAPicture with the reason.

    Without `checks`, only the header is read: a picture that is cut off behind it passes.
    """
    with limited(max_pixels), _opened(data) as picture:
        extension = EXTENSIONS[picture.format or ""]
        width, height = picture.size
        if checks:
            _check(data, picture)
    return Picture(extension, width, height)


def decode(data: bytes) -> np.ndarray:
    """Pixels of a picture that `examine` accepted: uint8 RGB (height, width, 3), as a person sees it."""
    with limited(None):
        return pixels(data)


def pixels(data: bytes) -> np.ndarray:
    """Decodes a picture that nobody examined: raises NotAPicture with the reason. Call it within `limited`."""
    with _opened(data) as picture:
        return np.asarray(_visible(picture), dtype=np.uint8)


def checked_pixels(data: bytes) -> np.ndarray:
    """Decodes a picture that passes every check of `examine`: damage that a decoder forgives is refused, too."""
    with _opened(data) as picture:
        _check(data, picture)
        return np.asarray(_visible(picture), dtype=np.uint8)


def _check(data: bytes, picture: Image.Image) -> None:
    """Raises NotAPicture if the data of an opened picture are incomplete, or the error of its decoder."""
    reason = damage.jpeg(data, picture.mode) if picture.format in ("JPEG", "MPO") else None
    if reason is None:
        picture.load()
        if picture.mode not in PLAIN or picture.has_transparency_data:
            _visible(picture)  # the same steps as `decode`, so that it decodes what is accepted here
        look = LOOKS.get(picture.format or "")
        reason = look(data) if look else damage.png(data, picture) if picture.format == "PNG" else ""
    if reason:
        raise NotAPicture(reason)


def _visible(picture: Image.Image) -> Image.Image:
    picture.load()
    upright = picture
    try:
        if picture.getexif().get(ExifTags.Base.Orientation, 1) != 1:  # else Pillow would copy the picture
            upright = ImageOps.exif_transpose(picture)
    except BROKEN:  # damaged EXIF gives no orientation, and does not affect the pixels
        pass
    profile = picture.info.get("icc_profile")
    if upright.mode == "RGB" and not upright.has_transparency_data and not profile:
        return upright
    return _rgb(upright, profile)


def _rgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    if picture.mode.startswith("I;16"):  # others of many bits come by way of `deep`
        levels = np.asarray(picture).astype(np.uint32)
        picture = Image.fromarray(((levels + 128) // 257).astype(np.uint8))
    if not picture.has_transparency_data:
        return profiles.srgb(_plain(picture), profile) if profile else picture.convert("RGB")
    colours = picture.convert("RGBA")
    if profile:
        alpha = colours.getchannel("A")
        colours = profiles.srgb(_plain(picture), profile)
        colours.putalpha(alpha)
    canvas = Image.new("RGBA", colours.size, (*BACKGROUND, 255))
    return Image.alpha_composite(canvas, colours).convert("RGB")


def _plain(picture: Image.Image) -> Image.Image:
    """A picture in one of the modes that a profile describes, without its transparency."""
    if picture.mode in ("L", "RGB", "CMYK"):
        return picture
    return picture.convert("L") if picture.mode in ("1", "LA", "La") else picture.convert("RGBA").convert("RGB")


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """Opens a picture; any error of Pillow within becomes NotAPicture."""
    if not data:
        raise NotAPicture("empty")
    try:
        with _picture(data) as picture:
            if max(picture.size) > LONGEST:
                raise NotAPicture(f"a side of more than {LONGEST} pixels")
            yield picture
    except UnidentifiedImageError:
        raise NotAPicture(reasons.unopened(data)) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise NotAPicture(f"more than {Image.MAX_IMAGE_PIXELS} pixels") from None
    except BROKEN as error:
        cut = "truncated" if "truncated" in str(error).lower() else "broken"
        raise NotAPicture(reasons.unreadable(data) or cut) from None


def _picture(data: bytes) -> Image.Image:
    if reasons.is_tiff(data) and (page := deep.tiff(data, Image.MAX_IMAGE_PIXELS)) is not None:
        page.format = "TIFF"
        return page
    formats = OPENED
    if reasons.is_heif(data):
        import pi_heif

        pi_heif.register_heif_opener()
        formats = ["HEIF", *OPENED]
    picture = Image.open(BytesIO(data), formats=formats)
    if deep.is_keyed_png(data):
        picture.load()
        picture.info.pop("transparency")
        keyed = _rgb(picture, None)
        keyed.putalpha(Image.fromarray(np.where(deep.transparent(data), 0, 255).astype(np.uint8)))
        keyed.format, keyed.info = "PNG", picture.info
        return keyed
    return picture


@contextmanager
def limited(pixels: int | None) -> Iterator[None]:
    """Refuses to open a larger picture within, in any thread: Pillow keeps its limit in a variable of its module.

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
