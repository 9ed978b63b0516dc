"""When and with what a picture was taken, in the formats in which cameras and phones say so."""

from io import BytesIO

import pytest
from PIL import Image

from sengu.warc.exif import DETAILS, MAKE, MODEL, taken_and_camera

CLOCK, OFFSET, DIGITISED = 0x9003, 0x9011, 0x9004


def picture(kind: str, make: str = "Maker", model: str = "M 1", **details: str) -> bytes:
    exif = Image.Exif()
    exif[MAKE], exif[MODEL] = make, model
    numbers = {"clock": CLOCK, "offset": OFFSET, "digitised": DIGITISED}
    exif.get_ifd(DETAILS).update({numbers[name]: text for name, text in details.items()})
    if kind == "TIFF":  # Pillow writes none with a second directory; this is one without a picture
        return exif.tobytes().removeprefix(b"Exif\0\0")
    stream = BytesIO()
    Image.new("RGB", (16, 16), (9, 90, 200)).save(stream, kind, exif=exif)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_the_clock_and_the_camera_are_read_from_every_format(kind: str) -> None:
    assert taken_and_camera(picture(kind, clock="2024:03:01 10:20:30")) == ("2024-03-01T10:20:30", "Maker M 1")


@pytest.mark.parametrize(
    ("details", "taken"),
    [
        ({"clock": "2024:03:01 01:20:30", "offset": "+09:00"}, "2024-02-29T16:20:30Z"),
        ({"clock": "2024:03:01 01:20:30", "offset": "nonsense"}, "2024-03-01T01:20:30"),
        ({"clock": "0000:00:00 00:00:00", "digitised": "2001:02:03 04:05:06"}, "2001-02-03T04:05:06"),
        ({"clock": "yesterday"}, ""),
        ({"clock": "0001:01:01 00:00:00", "offset": "+09:00"}, "0001-01-01T00:00:00"),
        ({}, ""),
    ],
)
def test_a_time_is_in_utc_where_the_camera_knows_its_offset(details: dict[str, str], taken: str) -> None:
    assert taken_and_camera(picture("JPEG", **details))[0] == taken


def test_a_make_that_the_model_repeats_stands_once_and_control_characters_not_at_all() -> None:
    assert taken_and_camera(picture("JPEG", "Canon", "Canon EOS\x1b[31m 5D\n"))[1] == "Canon EOS [31m 5D"


def test_exif_data_that_are_cut_off_or_nonsense_say_nothing() -> None:
    whole = picture("JPEG", clock="2024:03:01 10:20:30")
    start = whole.index(b"Exif")
    assert taken_and_camera(whole[: start + 20]) == ("", "")
    assert taken_and_camera(whole[: start + 6] + b"II*\0" + b"\xff" * 100) == ("", "")
    assert taken_and_camera(b"") == taken_and_camera(b"<html>Exif\0\0II*\0") == ("", "")
