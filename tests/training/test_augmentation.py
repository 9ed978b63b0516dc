"""Each change of a picture against numbers worked out by hand; what is random comes from outside."""

from importlib import import_module

import numpy as np
import pytest

from sengu.base.params import Augmentation

pytestmark = pytest.mark.slow

augmentation = import_module("sengu.training.augmentation")

FLIP, ROTATION, ZOOM, BRIGHTNESS, CONTRAST, SATURATION = range(augmentation.FIRST)
AREA, PROPORTIONS, ACROSS, DOWN = range(augmentation.FIRST, augmentation.CHANCES)
PICTURES = np.random.default_rng(1).integers(0, 256, (4, 9, 9, 3), dtype=np.uint8)


def augment(pictures: np.ndarray, how: Augmentation, **chances: float) -> np.ndarray:
    """With one chance of each kind for all pictures; 0.5, the middle, if none is given."""
    chance = np.full((len(pictures), augmentation.CHANCES), 0.5, np.float32)
    for name, value in chances.items():
        chance[:, globals()[name.upper()]] = value
    return augmentation.augment(pictures, chance, how).numpy()


def test_without_settings_pictures_stay_as_they_are() -> None:
    found = augmentation.augment(PICTURES, augmentation.chances(4, 1, 0), Augmentation()).numpy()
    assert found.dtype == np.float32
    assert np.array_equal(found, PICTURES)


def test_a_flip_is_exact_and_hits_half_of_the_pictures() -> None:
    how = Augmentation(flip=True)
    assert np.array_equal(augment(PICTURES, how, flip=0.49), PICTURES[:, :, ::-1])
    assert np.array_equal(augment(PICTURES, how, flip=0.5), PICTURES)
    pictures = np.broadcast_to(PICTURES[0], (1000, *PICTURES.shape[1:]))
    found = augmentation.augment(pictures, augmentation.chances(1000, 1, 0), how).numpy()
    flipped = (found == PICTURES[0, :, ::-1]).all(axis=(1, 2, 3))
    assert 450 < flipped.sum() < 550
    assert np.array_equal(found[~flipped], pictures[~flipped])


def test_a_quarter_turn_goes_both_ways() -> None:
    how = Augmentation(rotation=90)
    for chance, turns in ((1.0, 1), (0.0, -1)):
        assert augment(PICTURES, how, rotation=chance) == pytest.approx(np.rot90(PICTURES, turns, axes=(1, 2)), abs=0.01)
    assert augment(PICTURES, how) == pytest.approx(PICTURES, abs=0.01)


def test_zoom_is_about_the_centre_and_reflects_at_the_edges() -> None:
    ramp = np.broadcast_to(np.arange(9, dtype=np.uint8)[:, None] * 10, (1, 9, 9, 3))  # each column its number times ten
    how = Augmentation(zoom=0.5)
    closer = augment(ramp, how, zoom=0.0)[0, 4, :, 0]
    assert closer == pytest.approx(np.arange(9) * 5 + 20)
    farther = augment(ramp, how, zoom=1.0)[0, 4, :, 0]
    assert farther == pytest.approx([10, 0, 10, 25, 40, 55, 70, 80, 70])


def test_colours_change_by_their_formulas_and_stay_in_range() -> None:
    two = np.array([[[[100, 50, 30], [200, 150, 90]]]], np.uint8)
    assert augment(two, Augmentation(brightness=0.2), brightness=1.0) == pytest.approx(two + 51.0)
    assert augment(two, Augmentation(brightness=0.5), brightness=0.0).min() == 0
    # the means of the channels are 150, 100 and 60
    assert augment(two, Augmentation(contrast=0.5), contrast=0.0)[0, 0, 0] == pytest.approx([125, 75, 45])
    assert augment(two, Augmentation(contrast=0.5), contrast=1.0)[0, 0, 1] == pytest.approx([225, 175, 105])
    grey = 0.299 * 100 + 0.587 * 50 + 0.114 * 30
    halfway = (np.array([100, 50, 30]) + grey) / 2
    assert augment(two, Augmentation(saturation=0.5), saturation=0.0)[0, 0, 0] == pytest.approx(halfway, abs=1e-3)


def test_an_example_is_changed_alike_in_every_batch_and_anew_in_every_epoch() -> None:
    how = Augmentation(flip=True, rotation=20, zoom=0.2, brightness=0.1, contrast=0.2, saturation=0.2)
    chances = augmentation.chances(4, 7, 3)
    whole = augmentation.augment(PICTURES, chances, how).numpy()
    part = augmentation.augment(PICTURES[[2, 1]], augmentation.chances(4, 7, 3)[[2, 1]], how).numpy()
    assert np.array_equal(whole[[2, 1]], part)
    for other in (augmentation.chances(4, 7, 4), augmentation.chances(4, 8, 3)):
        assert not np.isin(other, chances).any()


def test_a_crop_leaves_out_at_most_its_share_and_is_brought_to_size() -> None:
    ramp = np.broadcast_to(np.arange(9, dtype=np.float32)[None, None, :, None] * 10, (1, 9, 9, 3))
    assert augment(ramp, Augmentation(crop=0.75), area=0) == pytest.approx(ramp, abs=1e-4)
    left = augment(ramp, Augmentation(crop=0.75), area=1, across=0)[0, 0, :, 0]
    right = augment(ramp, Augmentation(crop=0.75), area=1, across=1)[0, 0, :, 0]
    assert left == pytest.approx(np.linspace(0, 40, 9), abs=1e-3)  # a quarter of the area is half of the side
    assert right == pytest.approx(np.linspace(40, 80, 9), abs=1e-3)
    wide = augment(ramp, Augmentation(crop=0.75), area=1, across=0, proportions=1)[0, 0, -1, 0]
    assert wide == pytest.approx(40 * np.sqrt(4 / 3), abs=1e-3)


@pytest.mark.parametrize("proportions", [0.0, 1.0])
def test_a_small_crop_of_other_proportions_leaves_out_no_more_than_its_share(proportions: float) -> None:
    ramp = np.arange(101, dtype=np.float32)
    across = np.broadcast_to(ramp[None, None, :, None], (1, 101, 101, 3))
    down = np.swapaxes(across, 1, 2)
    sides = [
        float(np.ptp(augment(levels, Augmentation(crop=0.1), area=1, proportions=proportions))) / 100 for levels in (across, down)
    ]
    assert np.prod(sides) == pytest.approx(0.9, abs=1e-4)


def test_the_numbers_of_older_changes_are_what_they_were_before_there_were_crops() -> None:
    before = np.random.default_rng([7, 3, 6]).random((4, 6), np.float32)
    assert np.array_equal(augmentation.chances(4, 7, 3)[:, :6], before)
