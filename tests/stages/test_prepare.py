from pathlib import Path

import numpy as np
import pytest

from crawlers.demo import pictures
from sengu import params, preprocess
from sengu.errors import SenguError
from sengu.ids import ObjectId
from sengu.stages.prepare import prepare
from sengu.store import ObjectStore, ObjectTree

SETTINGS = params.Prepare(size=64, fit="squash")


def test_pixels_are_those_of_the_one_preprocessing_in_order(tmp_path: Path) -> None:
    drawn = [pictures.draw("stripes", i) for i in range(8)]
    payloads = {ObjectId.of(data, "png"): data for data in map(pictures.png, drawn)}
    for object_id, data in payloads.items():
        ObjectTree(tmp_path / "a").put(object_id, data)
    found = list(prepare(payloads, ObjectStore.below(tmp_path), SETTINGS))
    resize = preprocess.resizer(64, "squash")
    assert all((pixels == resize(picture)).all() for pixels, picture in zip(found, drawn, strict=True))
    assert found[0].dtype == np.uint8


def test_a_missing_object_is_named(tmp_path: Path) -> None:
    object_id = ObjectId.of(b"foo", "jpg")
    with pytest.raises(SenguError, match=f"object {object_id} is missing"):
        list(prepare([object_id], ObjectStore.below(tmp_path), SETTINGS))
