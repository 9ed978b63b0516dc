"""Object ids -> JPEGs at screen size, whatever the format of the object; kept in .sengu/thumbnails by size and object id."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from PIL import Image

from sengu.base import working
from sengu.base.ids import ObjectId
from sengu.pictures import images

SIZES = (160, 320, 640, 960, 1280, 2560)  # of the longer side at most, in pixels
QUALITY = 88


class Pictures:
    """`read` gives the bytes of an object, and raises SenguError if there are none. Use it within `images.limited`."""

    def __init__(self, read: Callable[[ObjectId], bytes], folder: Path = working.THUMBNAILS):
        self.read, self.folder = read, folder

    def jpeg(self, object_id: ObjectId, size: int) -> bytes:
        """The picture as a JPEG. Raises NotAPicture if the object cannot be decoded."""
        path = self.folder / str(size) / object_id.path
        try:
            return path.read_bytes()
        except FileNotFoundError:
            data = _jpeg(self.read(object_id), size)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{id(data)}.partial")  # several threads may make the same
        partial.write_bytes(data)
        partial.replace(path)
        return data


def _jpeg(data: bytes, size: int) -> bytes:
    picture, stream = Image.fromarray(images.pixels(data)), BytesIO()
    picture.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=2.0)
    picture.save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()
