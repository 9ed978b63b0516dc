"""TIFF pages and PNGs with other than 8 bits -> pictures of 8 bits, for files that Pillow opens but shows wrongly.

tifffile describes and decodes a TIFF; OpenCV, through libtiff, decodes compressions that tifffile alone does not read. The
first page that is not a reduced one is the picture.

White is the highest level of 8 to 16 bits. Signed and 32-bit integers and floats do not say what white is, so their highest
level does: 1 for floats up to 1, 255 for others up to 255, 65535 for those up to that; for unsigned integers from half of
their range up, the whole range. Others are rejected; a float beyond is clipped. Values below 0 and values that are no numbers
are black, and infinity is clipped.
"""

import logging
from io import BytesIO
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from sengu.pictures import videos
from sengu.pictures.reasons import NotAPicture

LONGEST = 1_000_000  # pixels of a side; ONNX Runtime fails to resize a picture of 20 million
# compressions that libtiff knows, as Pillow and OpenCV have it
CODECS = (1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32946, 34925, 50000, 50001)
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2  # TIFF's photometric interpretations
COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3}
PLAIN = (*COLOURS, 3, 4, 5, 6)  # those that Pillow brings to RGB
RAW = (32803, 34892)  # the data of a camera's sensor
UNSIGNED, FLOATS, SAMPLE_FORMATS = 1, 3, (1, 2, 3)
ASSOCIATED, UNASSOCIATED = 1, 2  # kinds of alpha among TIFF's extra samples
DNG_VERSION, SUB_IFDS, ICC, ORIENTATION = 50706, 330, 34675, 274  # tags
PAGES = 64  # pages that are searched for one that is not reduced


def tiff(data: bytes, max_pixels: int | None) -> Image.Image | None:
    """The picture of a TIFF that Pillow does not show as it is, in mode L, RGB or RGBA, with profile and orientation.

    None if Pillow shows it as it is. Raises NotAPicture with the reason.
    """
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # broken files go into the table of rejects
    try:
        with tifffile.TiffFile(BytesIO(data)) as file:
            number, page = _full_page(file)
            if not page.imagewidth or not page.imagelength:
                raise NotAPicture("broken")
            if page.compression not in CODECS:
                name = getattr(page.compression, "name", "unknown")
                raise NotAPicture(f"tiff compressed as {name.lower()} ({int(page.compression)})")
            if page.photometric in RAW:
                raise NotAPicture("camera raw")
            if number == 0 and _bits(page) <= 8 and page.sampleformat == UNSIGNED and page.photometric in PLAIN:
                return None
            if max(page.imagewidth, page.imagelength) > LONGEST:
                raise NotAPicture(f"a side of more than {LONGEST} pixels")
            if max_pixels is not None and page.imagewidth * page.imagelength > max_pixels:
                raise NotAPicture(f"more than {max_pixels} pixels")
            return _decoded(data, number, page)
    except NotAPicture:
        raise
    except Exception as error:  # tifffile raises whatever its arithmetic on broken tags does
        raise NotAPicture("broken") from error


def is_keyed_png(data: bytes) -> bool:
    """True for a PNG of 16 bits one of whose colours stands for transparency. Pillow looks for that colour in 8 bits."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n") or data[24:26] not in (b"\x10\0", b"\x10\2"):
        return False
    return 0 <= data.find(b"tRNS", 33) < data.find(b"IDAT", 33)


def transparent(data: bytes) -> np.ndarray:
    """The transparent pixels of a PNG that `is_keyed_png`: bool (height, width)."""
    cv2 = videos.opencv()
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if decoded is None or decoded.dtype != np.uint16:
        raise NotAPicture("broken")
    if decoded.ndim == 3 and decoded.shape[2] == 4:
        return np.asarray(decoded[..., 3] == 0)
    place = data.find(b"tRNS", 33) + 4
    return np.asarray((decoded if decoded.ndim == 2 else decoded[..., 0]) == int.from_bytes(data[place : place + 2]))


def _full_page(file: Any) -> tuple[int, Any]:
    """Number and description of the first page that is not a reduced one."""
    first = file.pages[0]
    for number in range(PAGES):
        try:
            page = file.pages[number]
        except IndexError:
            break
        if not page.subfiletype & 1:
            return number, page
    if DNG_VERSION in first.tags or SUB_IFDS in first.tags:  # where cameras keep the data of the sensor
        raise NotAPicture("camera raw, with a reduced picture")
    raise NotAPicture("only a reduced version of the picture, not the full one")


def _bits(page: Any) -> int:
    return page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)


def _decoded(data: bytes, number: int, page: Any) -> Image.Image:
    colours, extra = COLOURS.get(page.photometric, 0), page.extrasamples
    if page.samplesperpixel not in (colours, colours + 1) or page.sampleformat not in SAMPLE_FORMATS or page.imagedepth != 1:
        raise _unknown(page)
    if page.sampleformat == FLOATS and colours == 3:
        raise NotAPicture("tiff of floating-point colours")
    if any(start + size > len(data) for start, size in zip(page.dataoffsets, page.databytecounts, strict=False)):
        raise NotAPicture("truncated")
    samples = _samples(data, number, page)
    if page.photometric == WHITE_IS_ZERO:
        if samples.dtype.kind != "u":
            raise _unknown(page)
        samples[..., :1] = np.iinfo(samples.dtype).max - samples[..., :1]
    alpha = extra[0] if page.samplesperpixel > colours and extra else 0
    levels = _levels(samples if alpha in (ASSOCIATED, UNASSOCIATED) else samples[..., :colours])
    if levels.shape[2] == 2:
        levels = levels[..., [0, 0, 0, 1]]
    picture = Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels)
    if alpha == ASSOCIATED:
        picture = Image.frombytes("RGBa", picture.size, picture.tobytes()).convert("RGBA")
    if ICC in page.tags:
        picture.info["icc_profile"] = bytes(page.tags[ICC].value)
    if ORIENTATION in page.tags:
        picture.getexif()[ExifTags.Base.Orientation] = int(page.tags[ORIENTATION].value)
    return picture


def _samples(data: bytes, number: int, page: Any) -> np.ndarray:
    """Samples (height, width, samples) of a page; those of 10, 12 or 14 bits brought to 16, as if they were of full range."""
    bits, planar = _bits(page), page.planarconfig == 2 and page.samplesperpixel > 1
    shape = (page.imagelength, page.imagewidth, page.samplesperpixel)
    if bits in (8, 16, 32, 64):
        try:
            array = page.asarray()
            samples = np.moveaxis(array.reshape(shape[2], *shape[:2]), 0, 2) if planar else array.reshape(shape)
            return np.array(samples, samples.dtype.newbyteorder("="))
        except (ValueError, NotImplementedError) as error:
            if "imagecodecs" not in str(error):  # which decodes for tifffile what libtiff can do as well
                raise
    cv2 = videos.opencv()
    if planar or shape[2] == 2 or bits not in (8, 10, 12, 14, 16, 32, 64):
        raise _unknown(page)
    _, pages = cv2.imdecodemulti(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED, None, (number, number + 1))
    if not pages:
        raise NotAPicture("broken")
    samples = pages[0].reshape(*pages[0].shape[:2], -1)
    if samples.shape != shape or samples.dtype.itemsize * 8 < bits:
        raise _unknown(page)
    samples = samples[..., [2, 1, 0, 3][: shape[2]]] if shape[2] >= 3 else samples
    if bits in (10, 12, 14):
        highest = (1 << bits) - 1
        samples = (((samples >> (16 - bits)).astype(np.uint32) * 65535 + highest // 2) // highest).astype(np.uint16)
    return np.array(samples)


def _unknown(page: Any) -> NotAPicture:
    name = getattr(page.photometric, "name", "unknown").lower().replace("_", " ")
    planes = " in planes" if page.planarconfig == 2 and page.samplesperpixel > 1 else ""
    packed = getattr(page.compression, "name", "unknown").lower()
    return NotAPicture(f"tiff of {page.samplesperpixel} x {_bits(page)} bits{planes} ({name}, {packed})")


def _levels(samples: np.ndarray) -> np.ndarray:
    """Samples of any type as uint8."""
    if samples.dtype == np.uint8:
        return samples
    if samples.dtype == np.uint16:
        return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)
    values = samples.astype(np.float64)
    top = values.max(initial=0, where=np.isfinite(values))
    if samples.dtype.kind == "f":
        white = 1 if top <= 1 else 255 if top <= 255 else 65535
    else:
        white = 255 if top <= 255 else 65535 if top <= 65535 else np.iinfo(samples.dtype).max
        if white > 65535 and (samples.dtype.kind == "i" or top < white / 2):
            raise NotAPicture(f"levels up to {top:.0f}, from which white cannot be determined")
    return np.nan_to_num(np.rint(np.clip(values * (255 / white), 0, 255))).astype(np.uint8)
