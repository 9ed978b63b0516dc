"""Pixels -> small JPEGs embedded in a page."""

from base64 import b64encode
from io import BytesIO

import numpy as np
from PIL import Image

SIDE = 224  # pixels that a thumbnail has at most


def thumbnail(pixels: np.ndarray) -> str:
    """Pixels, uint8 (height, width, 3), as an address that holds a JPEG of them."""
    stream, picture = BytesIO(), Image.fromarray(pixels)
    picture.thumbnail((SIDE, SIDE))
    picture.save(stream, "JPEG", quality=90)
    return data_url("jpeg", stream.getvalue())


def data_url(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{b64encode(data).decode()}"
