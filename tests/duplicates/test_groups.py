from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from crawlers.demo import pictures
from sengu.duplicates import groups as neardup
from sengu.duplicates.fingerprints import fingerprint

NO_LINKS = np.empty((0, 2), np.int64)


def photograph(number: int) -> Image.Image:
    """As smooth at large and as rough at small as photographs are: noise whose amplitude falls with its frequency."""
    chance = np.random.default_rng(number)
    height, width = 240, 320
    frequency = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width)[None, :] * width)
    waves = np.fft.rfft2(chance.normal(size=(height, width))) / np.maximum(frequency, 1) ** 1.3
    waves[0, 0] = 0
    levels = np.fft.irfft2(waves, s=(height, width))
    grey = np.clip(128 + 50 * levels / levels.std(), 0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def grouped(*found: Image.Image, links: np.ndarray = NO_LINKS) -> list[list[int]]:
    """The groups of these pictures, by their places; each of two or more."""
    prints = [fingerprint(np.asarray(picture)) for picture in found]
    labels = neardup.groups(np.array([p.hashes for p in prints]), np.array([p.thumbnail for p in prints]), links)
    groups = (np.flatnonzero(labels == label).tolist() for label in np.unique(labels))
    return sorted(group for group in groups if len(group) > 1)


def recompressed(picture: Image.Image) -> Image.Image:
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=40)
    return Image.open(buffer)


def cropped(picture: Image.Image, share: float) -> Image.Image:
    x, y = round(picture.width * share), round(picture.height * share)
    return picture.crop((x, y, picture.width - x, picture.height - y))


def marked(picture: Image.Image) -> Image.Image:
    copy = picture.copy()
    ImageDraw.Draw(copy).text((200, 220), "(c) example.com", fill="white")
    return copy


@pytest.mark.parametrize(
    "vary",
    [
        lambda picture: picture.resize((160, 120)),
        recompressed,
        lambda picture: ImageEnhance.Brightness(picture).enhance(1.15),
        lambda picture: ImageEnhance.Brightness(picture).enhance(0.85),
        lambda picture: cropped(picture, 0.03),
        lambda picture: cropped(picture, 0.05),
        lambda picture: cropped(picture, 0.1),
        marked,
    ],
    ids=["half", "jpeg", "lighter", "darker", "crop 3%", "crop 5%", "crop 10%", "mark"],
)
def test_variations_of_a_picture_fall_to_it_and_to_no_other(vary: Callable[[Image.Image], Image.Image]) -> None:
    originals = [photograph(number) for number in range(12)]
    found = grouped(*originals, *map(vary, originals))
    assert [group for group in found if len(group) != 2 or group[1] - group[0] != 12] == []
    assert len(found) >= 11


def test_a_mirrored_picture_is_not_a_duplicate() -> None:
    picture = photograph(1)
    assert grouped(picture, picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)) == []


def test_equal_hashes_are_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    prints = [fingerprint(np.asarray(photograph(number))) for number in (0, 1, 2, 0, 1, 2, 1)]
    hashes, thumbnails = np.stack([prints[0].hashes] * 7), np.stack([p.thumbnail for p in prints])
    for roughly in (neardup.ROUGHLY, -1.0):  # the second leaves all to the verification, in whose first tree most pairs fail
        monkeypatch.setattr(neardup, "ROUGHLY", roughly)
        labels = neardup.groups(hashes, thumbnails, NO_LINKS)
        assert (labels == labels[:3, None]).astype(int).tolist() == [
            [1, 0, 0, 1, 0, 0, 0],
            [0, 1, 0, 0, 1, 0, 1],
            [0, 0, 1, 0, 0, 1, 0],
        ]


def test_pictures_that_get_lighter_the_same_way_are_told_apart_by_their_detail() -> None:
    chance = np.random.default_rng(0)
    slope = np.linspace(30, 220, 64)[:, None]
    one, other = (np.clip(slope + chance.normal(0, 12, (8, 8)).repeat(8, 0).repeat(8, 1), 0, 255).astype(np.uint8) for _ in "12")
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > neardup.ALIKE
    assert not neardup.alike(one, other)
    assert neardup.alike(one, np.clip(one * 0.8, 0, 255).astype(np.uint8))


def test_pictures_that_show_nothing_are_together_only_by_links() -> None:
    flat = [Image.new("RGB", (50, 40), colour) for colour in ("black", "black", "white", "#010101", "#ff0000")]
    gradients = [Image.fromarray(np.linspace(start, 250, 9000).reshape(90, 100).astype(np.uint8)) for start in (0, 90)]
    found = [*flat, *(gradient.convert("RGB") for gradient in gradients), photograph(1)]
    assert grouped(*found) == []
    assert grouped(*found, links=np.array([[0, 1]])) == [[0, 1]]


def test_a_figure_too_faint_to_be_seen_is_nothing() -> None:
    for contrast, expected in ((2, []), (60, [[0, 1]])):
        found = [np.full((90, 100, 3), level, np.uint8) for level in (20, 120)]
        for pixels in found:
            pixels[30:50, 20:70] += contrast
        assert grouped(*map(Image.fromarray, found)) == expected


def test_a_window_without_variance_is_not_alike() -> None:
    edged = np.full((64, 64), 200, np.uint8)
    edged[:3] = 0
    other = np.full((64, 64), 90, np.uint8)
    other[-3:] = 255
    assert not neardup.alike(edged, other)
    assert neardup.alike(edged, edged)


def test_links_and_pairs_make_one_group_through_what_they_share() -> None:
    one, two = photograph(1), photograph(2)
    found = [one, two, cropped(one, 0.05), recompressed(two)]
    assert grouped(*found) == [[0, 2], [1, 3]]
    assert grouped(*found, links=np.array([[0, 3]])) == [[0, 1, 2, 3]]


def test_the_groups_do_not_depend_on_the_order_nor_on_the_size_of_what_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [photograph(number % 5) for number in range(20)]
    found = [cropped(picture, 0.01 * (place // 5)) for place, picture in enumerate(found)] + [photograph(9)]
    expected = [[group, group + 5, group + 10, group + 15] for group in range(5)]
    assert grouped(*found) == expected
    order = np.random.default_rng(0).permutation(len(found))
    monkeypatch.setattr(neardup, "QUERIES", 4)
    monkeypatch.setattr(neardup, "BATCH", 3)
    shuffled = [[int(order[place]) for place in group] for group in grouped(*(found[place] for place in order))]
    assert sorted(sorted(group) for group in shuffled) == expected


def test_nothing_is_in_no_group() -> None:
    assert neardup.groups(np.empty((0, 3, 8), np.uint8), np.empty((0, 64, 64), np.uint8), NO_LINKS).tolist() == []


@pytest.mark.parametrize("kind", ["dots", "stripes"])
def test_the_demo_s_pictures_are_distinct(kind: str) -> None:
    assert grouped(*(Image.fromarray(pictures.draw(kind, number)) for number in range(100))) == []
