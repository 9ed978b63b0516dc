"""Contact sheets show every picture, with its text below it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont, features

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


@pytest.mark.skipif(not features.check("raqm"), reason="libfribidi is not here: `apt-get install libfribidi0`")
def test_a_machine_without_the_library_for_arabic_draws_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sheet(name: str, text: str) -> bytes:
        contact_sheets.contact_sheet(text, [np.zeros((8, 8, 3), np.uint8)], [[text, "AV To 0f3a"]], tmp_path / name)
        return (tmp_path / name).read_bytes()

    latin, arabic = sheet("latin.jpg", "Worst mistakes: Væ, 写真"), sheet("arabic.jpg", "\u0633\u0644\u0627\u0645")
    monkeypatch.setattr(ImageFont.core, "HAVE_RAQM", False)
    assert sheet("latin.jpg", "Worst mistakes: Væ, 写真") == latin
    assert sheet("arabic.jpg", "\u0633\u0644\u0627\u0645") != arabic  # which is shaped where it can be
