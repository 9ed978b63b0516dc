"""Objects that `objects.checks: false` let in, though they are no whole pictures."""

from pathlib import Path

import numpy as np
import pytest

from crawlers.demo import pictures
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.objects.store import ObjectStore, ObjectTree
from sengu.pictures import images

WHOLE = pictures.png(pictures.draw("stripes", 0))


def stored(folder: Path, payload: bytes) -> ObjectId:
    """Puts what the header of `payload` is enough for into a store."""
    picture = images.examine(payload, 100_000, checks=False)
    object_id = ObjectId.of(payload, picture.extension)
    ObjectTree(folder / "site").put(object_id, payload)
    return object_id


def test_an_object_is_decoded_as_every_picture_is(tmp_path: Path) -> None:
    whole = stored(tmp_path, WHOLE)
    found = ObjectStore.below(tmp_path).pixels(whole)
    assert np.array_equal(found, images.decode(WHOLE))


def test_what_cannot_be_decoded_is_named_with_reason_and_cure(tmp_path: Path) -> None:
    cut = stored(tmp_path, WHOLE[:3000])
    with pytest.raises(SenguError, match=f"^object {cut} cannot be decoded: truncated: set objects.checks to true "):
        ObjectStore.below(tmp_path).pixels(cut)
    with pytest.raises(images.NotAPicture):  # so the cure is one
        images.examine(WHOLE[:3000], 100_000, checks=True)
