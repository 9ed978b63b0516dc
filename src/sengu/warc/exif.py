"""The bytes of a picture -> the time and camera in its EXIF data."""

import warnings
from datetime import UTC, datetime
from typing import Any

# EXIF 3.0, JEITA CP-3451: tags of the first directory, and of the one that the first points to
MAKE, MODEL, DETAILS = 0x010F, 0x0110, 0x8769
# when the picture was taken, and the offset of that time from UTC; when it was digitised, and likewise
TIMES = ((0x9003, 0x9011), (0x9004, 0x9012))
MARK = b"Exif\0\0"  # before the EXIF data of a JPEG, a HEIC or an AVIF
TIFF = (b"II*\0", b"MM\0*")
BRANDS = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
SHOWN = 100  # characters of make and model


def taken_and_camera(payload: bytes) -> tuple[str, str]:
    """The time when a picture was taken, and its camera; each is empty if the picture does not say.

    The time is ISO 8601: in UTC, with a Z, if the camera noted its offset, else the time on the camera's clock.
    """
    data = _exif(payload)
    if not data:
        return "", ""
    from PIL import Image  # most readers of archives do not look into pictures

    exif = Image.Exif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exif.load(data)
            details = exif.get_ifd(DETAILS)
            make, model = _text(exif.get(MAKE)), _text(exif.get(MODEL))
    except Exception:  # noqa: BLE001 (any nonsense may stand there, and Pillow answers it by any error)
        return "", ""
    camera = model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()
    times = (_time(_text(details.get(time)), _text(details.get(offset))) for time, offset in TIMES)
    return next(filter(None, times), ""), camera[:SHOWN]


def _exif(payload: bytes) -> bytes:
    """The EXIF data of a picture from their TIFF header on; nothing if it has none."""
    if payload.startswith(TIFF):
        return payload
    if payload.startswith(b"\xff\xd8"):
        start = max(payload.find(MARK + tiff) for tiff in TIFF) + len(MARK)
    elif payload[4:8] == b"ftyp" and payload[8:12] in BRANDS:
        # ISO 23008-12, annex A: the offset of the TIFF header comes first, and often the mark
        start = max(payload.find(MARK + tiff) for tiff in TIFF) + len(MARK)
        if start < len(MARK):
            start = max(payload.find(bytes(4) + tiff) for tiff in TIFF) + 4
    elif payload.startswith(b"\x89PNG"):
        start = payload.find(b"eXIf") + 4
    elif payload.startswith(b"RIFF") and payload[8:12] == b"WEBP":
        start = payload.rfind(b"EXIF") + 8  # behind the length of the chunk
        start += len(MARK) * payload.startswith(MARK, start)
    else:
        return b""
    return payload[start:] if payload.startswith(TIFF, start) else b""


def _text(value: Any) -> str:
    """A value as printable text with single spaces."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value if isinstance(value, str) else ""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text.partition("\0")[0]).split())


def _time(text: str, offset: str) -> str:
    try:
        clock = datetime.strptime(text, "%Y:%m:%d %H:%M:%S")
    except ValueError:  # cameras without a clock write zeros
        return ""
    try:
        return datetime.strptime(f"{text} {offset}", "%Y:%m:%d %H:%M:%S %z").astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):  # most note no offset
        return clock.isoformat()
