"""Pictures with ICC profiles, shown as browsers show them."""

from io import BytesIO

import numpy as np
import pytest
from icc import profile
from PIL import Image, ImageCms

from sengu.pictures import images

# colorants adapted to D50, as the profiles of Apple and Adobe have them
DISPLAY_P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
ADOBE_RGB = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))
SRGB = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))


def decoded(pixels: list[list[int]] | list[int], icc: bytes, form: str = "PNG") -> list[list[int]]:
    stream = BytesIO()
    Image.fromarray(np.array([pixels], np.uint8)).save(stream, form, icc_profile=icc, lossless=True)
    images.examine(stream.getvalue(), 1000)
    return images.decode(stream.getvalue())[0].astype(int).tolist()


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_wide_colours_are_brought_to_srgb(form: str) -> None:
    """Expected: by the matrices of CSS Color 4; Display P3 has sRGB's curve, which gamma 2.2 is near."""
    greens = decoded([[0, 255, 0], [100, 150, 100], [128, 128, 128]], profile(ADOBE_RGB, 563 / 256), form)
    assert np.abs(np.array(greens) - [[0, 255, 0], [64, 150, 98], [128, 128, 128]]).max() <= 3
    reds = decoded([[200, 100, 100], [255, 255, 255]], profile(DISPLAY_P3, 2.2), form)
    assert np.abs(np.array(reds) - [[216, 95, 97], [255, 255, 255]]).max() <= 4


def test_transparency_stays_beside_a_profile() -> None:
    found = decoded([[100, 150, 100, 255], [100, 150, 100, 0]], profile(ADOBE_RGB, 563 / 256))
    assert np.abs(np.array(found[0]) - [64, 150, 98]).max() <= 3
    assert found[1] == [255, 255, 255]


def test_grey_has_profiles_too() -> None:
    assert np.abs(np.array(decoded([0, 128, 255], profile((), 1.0, b"GRAY"))) - [[0] * 3, [188] * 3, [255] * 3]).max() <= 2


@pytest.mark.parametrize(
    "icc",
    [
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        b"no profile at all",
        profile(ADOBE_RGB, 2.2)[:200],
        profile((), 1.0, b"GRAY"),
    ],
    ids=["sRGB", "nonsense", "cut off", "of grey"],
)
def test_a_profile_that_says_nothing_changes_nothing(icc: bytes) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (50, 3)).tolist()
    assert decoded(pixels, icc) == pixels


def test_a_palette_is_brought_to_srgb_as_its_colours_are() -> None:
    picture, stream, icc = Image.new("P", (1, 1)), BytesIO(), profile(ADOBE_RGB, 563 / 256)
    picture.putpalette([100, 150, 100])
    picture.save(stream, "PNG", icc_profile=icc)
    assert images.decode(stream.getvalue())[0].tolist() == decoded([[100, 150, 100]], icc)
