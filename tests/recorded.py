"""Short videos for the tests."""

import tempfile
from pathlib import Path

import numpy as np

from sengu.pictures import videos


def recorded(extension: str, codec: str, count: int) -> bytes:
    """A video of so many grey frames, each lighter than the one before, ten in a second."""
    cv2 = videos.opencv()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"video.{extension}"
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), 10, (64, 48))
        for number in range(count):
            writer.write(np.full((48, 64, 3), number * 10, np.uint8))
        writer.release()
        return path.read_bytes()
