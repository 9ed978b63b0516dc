"""Colours with an ICC profile -> sRGB, as browsers show them; lcms uses integers, so the result is the same everywhere."""

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # a profile's colour space -> Pillow's mode of the pictures that it describes
NOTICED = 2  # levels; a profile that differs less from sRGB is another description of sRGB


def srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """Converts a picture of mode L, RGB or CMYK to sRGB, mode RGB. A damaged profile, or one of another mode, is ignored."""
    transform = _transform(profile, picture.mode)
    return picture.convert("RGB") if transform is None else transform.apply(picture)


@lru_cache(maxsize=64)  # a site has a few profiles, and building one takes longer than to apply it
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform to sRGB; None if nothing has to be done."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        if MODES.get(source.profile.xcolor_space.strip()) != mode:
            return None
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", ImageCms.Intent.PERCEPTUAL)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    return None if mode != "CMYK" and _changes_nothing(transform, mode) else transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    levels = np.arange(0, 256, 51, dtype=np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(36, 6, 3)
    probe = Image.fromarray(grid).convert(mode)
    before, after = np.asarray(probe.convert("RGB"), np.int16), np.asarray(transform.apply(probe), np.int16)
    return int(np.abs(before - after).max()) <= NOTICED
