"""Contact sheets show every picture, with its text below it."""

from pathlib import Path

import numpy as np
from PIL import Image

from sengu.drawing import contact_sheets


def test_a_contact_sheet_has_every_picture_in_its_colour(tmp_path: Path) -> None:
    pictures = [np.full((8, 8, 3), [20 * number, 0, 200], np.uint8) for number in range(8)]
    captions = [[f"score {number}", "id"] for number in range(8)]
    for name in ("one", "two"):
        contact_sheets.contact_sheet("Eight pictures", pictures, captions, tmp_path / f"{name}.jpg")
    assert (tmp_path / "one.jpg").read_bytes() == (tmp_path / "two.jpg").read_bytes()
    with Image.open(tmp_path / "one.jpg") as sheet:
        colours = np.asarray(sheet).reshape(-1, 3).astype(int)
    assert all((np.abs(colours - picture[0, 0]).max(axis=1) < 8).sum() > 150 * 150 for picture in pictures)


def test_an_empty_contact_sheet_is_a_picture_too(tmp_path: Path) -> None:
    contact_sheets.contact_sheet("Worst mistakes", [], [], tmp_path / "none.jpg")
    with Image.open(tmp_path / "none.jpg") as sheet:
        assert sheet.format == "JPEG"
        assert np.asarray(sheet).min() < 100  # it says so


def test_captions_of_a_contact_sheet_stay_below_their_picture(tmp_path: Path) -> None:
    pictures = [np.zeros((8, 8, 3), np.uint8)] * 2
    contact_sheets.contact_sheet("Two", pictures, [["W" * 60, "e" * 22], ["0.5", "e" * 22]], tmp_path / "two.jpg")
    with Image.open(tmp_path / "two.jpg") as sheet:
        pixels = np.asarray(sheet.convert("L")).astype(int)
    gap = contact_sheets.MARGIN + contact_sheets.TILE + np.arange(1, contact_sheets.MARGIN - 1)
    below = contact_sheets.LINE + 2 * contact_sheets.MARGIN + contact_sheets.TILE + 4
    assert (pixels[below:, : gap[0]] < 100).any()
    assert (pixels[below:, gap] > 200).all()
