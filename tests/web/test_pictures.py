"""Pictures of every format, as JPEGs of screen size."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from sengu.base import working
from sengu.base.ids import ObjectId
from sengu.pictures import images
from sengu.web.pictures import SIZES, Pictures


def encoded(kind: str) -> bytes:
    stream = BytesIO()
    Image.new("RGB", (900, 300), (250, 10, 10)).save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "BMP", "TIFF", "JPEG", "AVIF"])
def test_every_format_is_shown_encoded_anew_and_kept(tmp_path: Path, kind: str) -> None:
    data = encoded(kind)
    reads = []
    shown = Pictures(lambda object_id: (reads.append(object_id), data)[1], tmp_path)
    object_id = ObjectId.of(data, "jpg" if kind == "JPEG" else "png")
    with images.limited(1_000_000):
        found = [shown.jpeg(object_id, 320) for _ in range(2)]
    assert found[0] == found[1] != data
    assert len(reads) == 1
    with Image.open(BytesIO(found[0])) as picture:
        assert (picture.format, picture.size) == ("JPEG", (320, 107))
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*.*")] == [Path("320") / object_id.path]


def test_an_svg_is_never_shown(tmp_path: Path) -> None:
    data = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    with images.limited(1_000_000), pytest.raises(images.NotAPicture):
        Pictures(lambda _: data, tmp_path).jpeg(ObjectId.of(data, "svg"), SIZES[0])


def test_erasing_an_object_empties_the_thumbnails() -> None:
    assert Pictures(lambda _: b"").folder in working.OF_PICTURES
