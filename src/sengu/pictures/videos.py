"""Encoded videos -> container, size, duration and frames: the only place where OpenCV opens a file.

OpenCV's FFmpeg is LGPL; PyAV's wheels bundle x264 and x265, which are GPL.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from sengu.base.ids import VIDEOS
from sengu.base.io_errors import named
from sengu.pictures.reasons import AVIF_BRANDS, CR3_BRAND, HEIF_BRANDS

# what ISO media files that hold pictures call themselves
PICTURE_BRANDS = (*AVIF_BRANDS, *HEIF_BRANDS, CR3_BRAND)
COUNTS = ("mp4", "mov", "avi")  # containers that say exactly how many frames they hold; others estimate
QUALITY = 95  # of the JPEG that a frame becomes


@dataclass(frozen=True)
class Video:
    """The contents of a video; width and height in pixels as shown, times of the frames in milliseconds."""

    extension: str
    width: int
    height: int
    times: tuple[int, ...]

    @property
    def milliseconds(self) -> int:
        """The duration: the last frame lasts as long as the one before it."""
        return self.times[-1] + (self.times[-1] - self.times[-2] if len(self.times) > 1 else 0)


@dataclass(frozen=True)
class Frame:
    """One frame as a JPEG, without its colours halved."""

    payload: bytes
    milliseconds: int


class NotAVideo(Exception):
    """Bytes that do not become an object; the text is the reason that goes into the rejected table."""


def sniff(data: bytes) -> str:
    """The extension of a video by its first bytes; empty text if it is none."""
    if data[4:8] == b"ftyp":
        brand = data[8:12]
        return "" if brand in PICTURE_BRANDS else "mov" if brand == b"qt  " else "mp4"
    if data.startswith(b"\x1a\x45\xdf\xa3"):
        return "webm" if b"webm" in data[:64] else "mkv"
    if data.startswith(b"RIFF") and data[8:12] == b"AVI ":
        return "avi"
    return "mpg" if data.startswith((b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")) else ""


def examine(data: bytes, max_pixels: int) -> Video:
    """Decodes every frame of a video. Raises NotAVideo with the reason if it is not whole."""
    extension = sniff(data)
    if extension not in VIDEOS:
        raise NotAVideo("unknown format")
    cv2 = opencv()
    with _opened(data, extension) as video:
        width, height = int(video.get(cv2.CAP_PROP_FRAME_WIDTH)), int(video.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if width * height > max_pixels:
            raise NotAVideo(f"more than {max_pixels} pixels")
        times = []
        while video.grab():
            times.append(round(video.get(cv2.CAP_PROP_POS_MSEC)))
        said = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    if not times:
        raise NotAVideo("broken")
    if extension in COUNTS and len(times) < said - 1:
        raise NotAVideo(f"truncated: {len(times)} of {said} frames")
    return Video(extension, width, height, tuple(times))


def frames(data: bytes, video: Video, positions: Sequence[int]) -> Iterator[Frame]:
    """The frames at `positions`, in order. Decodes up to the last one: seeking is not exact in every container."""
    with _opened(data, video.extension) as stream:
        for position in range(max(positions, default=-1) + 1):
            if not stream.grab():
                raise NotAVideo("broken")
            if position in positions:
                _, pixels = stream.retrieve()
                picture = BytesIO()
                Image.fromarray(pixels[:, :, ::-1]).save(picture, "JPEG", quality=QUALITY, subsampling=0)
                yield Frame(picture.getvalue(), video.times[position])


def evenly(count: int, wanted: int) -> list[int]:
    """`wanted` of `count` positions, each in the middle of an equal part; all of them if there are fewer."""
    if count <= wanted:
        return list(range(count))
    return [(2 * part + 1) * count // (2 * wanted) for part in range(wanted)]


def opencv() -> Any:
    """OpenCV, loaded for the first video or odd picture, since most sites have none. It writes nothing to the screen."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # broken files go into the table of rejects, not onto the screen
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    cv2.setNumThreads(1)  # the stage works on several videos at a time
    return cv2


@contextmanager
def _opened(data: bytes, extension: str) -> Iterator[Any]:
    cv2 = opencv()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"video.{extension}"
        with named(path):
            path.write_bytes(data)
        video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        try:
            if not video.isOpened():
                raise NotAVideo("broken")
            yield video
        finally:
            video.release()
