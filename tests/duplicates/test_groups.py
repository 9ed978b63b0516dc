from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from benchmarks.scenes import fixed_camera, letter, sign
from crawlers.demo import pictures
from sengu.duplicates import candidates
from sengu.duplicates import groups as neardup
from sengu.duplicates.fingerprints import Fingerprint, fingerprint
from sengu.duplicates.groups import Groups, Looks

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


def looks(prints: list[Fingerprint]) -> Looks:
    names = ("hashes", "mirrored", "thumbnail", "colours")
    return Looks(*(np.array([getattr(each, name) for each in prints]) for name in names))


def found_among(*found: Image.Image, links: np.ndarray = NO_LINKS) -> Groups:
    return neardup.groups(looks([fingerprint(np.asarray(picture.convert("RGB"))) for picture in found]), links)


def places(labels: np.ndarray) -> list[list[int]]:
    """Where equal labels are, each of two or more."""
    groups = (np.flatnonzero(labels == label).tolist() for label in np.unique(labels))
    return sorted(group for group in groups if len(group) > 1)


def grouped(*found: Image.Image, links: np.ndarray = NO_LINKS) -> list[list[int]]:
    """The groups of these pictures, by their places; each of two or more."""
    return places(found_among(*found, links=links).labels)


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two thumbnails without colours are alike."""
    colourless = np.zeros((8, 8, 2), np.int8)
    return neardup.likeness(one, colourless, other, colourless) > 0


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
    mirrored = found_among(picture, picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT), photograph(2))
    assert places(mirrored.labels) == []
    assert places(mirrored.mirrored) == [[0, 1]]


def test_mirror_images_of_duplicates_are_found_cropped_and_recompressed_too() -> None:
    turned = [photograph(number).transpose(Image.Transpose.FLIP_LEFT_RIGHT) for number in range(4)]
    pictures_of = [*map(photograph, range(4)), *(recompressed(cropped(picture, 0.04)) for picture in turned), photograph(0)]
    found = found_among(*pictures_of)
    assert places(found.labels) == [[0, 8]]
    assert places(found.mirrored) == [[0, 4, 8], [1, 5], [2, 6], [3, 7]]


def test_what_one_scene_shows_is_told_apart() -> None:
    assert grouped(*map(sign, ("20", "30", "40", "50", "60", "70", "80", "90"))) == []
    assert grouped(*map(letter, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")) == []
    assert grouped(*map(fixed_camera, (0, 20, 40, 60, 80))) == []
    chance = np.random.default_rng(1)
    spots = [(int(chance.integers(0, 600)), int(chance.integers(0, 440))) for _ in range(30)]
    near = grouped(*(fixed_camera(40, *spot) for spot in spots))
    assert all(np.ptp([spots[place] for place in pair], axis=0).max() < 10 for pair in near)  # the same place, to a pixel of 64


def test_colours_tell_drawings_apart_but_a_grey_copy_is_a_duplicate() -> None:
    assert grouped(sign("30"), sign("30", "#1464c8"), recompressed(sign("30"))) == [[0, 2]]
    assert grouped(sign("30"), sign("30").convert("L")) == [[0, 1]]


def test_weak_links_alone_make_pairs_and_no_group() -> None:
    labels = np.array([0, 1, 2, 3, 4, 4, 5])
    weak = np.array([[0, 1], [1, 2], [2, 3], [3, 4], [6, 5]])
    found = neardup._with_weak(labels, weak, np.array([0.95, 0.99, 0.96, 0.98, 0.97]))
    assert places(found) == [[1, 2], [3, 4, 5, 6]]  # the best pair; and what is joined to strong duplicates


def test_equal_hashes_are_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    prints = [fingerprint(np.asarray(photograph(number))) for number in (0, 1, 2, 0, 1, 2, 1)]
    same = looks(prints)
    same = Looks(np.stack([prints[0].hashes] * 7), same.mirrored, same.thumbnails, same.colours)
    for roughly in (neardup.ROUGHLY, -1.0):  # the second leaves all to the verification, in whose first tree most pairs fail
        monkeypatch.setattr(neardup, "ROUGHLY", roughly)
        labels = neardup.groups(same, NO_LINKS).labels
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
    assert not alike(one, other)
    assert alike(one, np.clip(one * 0.8, 0, 255).astype(np.uint8))


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
    assert not alike(edged, other)
    assert alike(edged, edged)


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
    monkeypatch.setattr(candidates, "QUERIES", 4)
    monkeypatch.setattr(neardup, "BATCH", 3)
    shuffled = [[int(order[place]) for place in group] for group in grouped(*(found[place] for place in order))]
    assert sorted(sorted(group) for group in shuffled) == expected


def test_nothing_is_in_no_group() -> None:
    sizes = ((0, 3, 8), (0, 8), (0, 64, 64), (0, 8, 8, 2))
    assert neardup.groups(Looks(*(np.empty(size, np.uint8) for size in sizes)), NO_LINKS).labels.tolist() == []


@pytest.mark.parametrize("kind", ["dots", "stripes"])
def test_the_demo_s_pictures_are_distinct(kind: str) -> None:
    assert grouped(*(Image.fromarray(pictures.draw(kind, number)) for number in range(100))) == []
