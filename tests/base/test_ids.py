import numpy as np
import pandas as pd
import pytest

from sengu.base.errors import SenguError
from sengu.base.ids import SHORT_ID, ObjectId, are_object_ids, are_videos, low_bytes, url_id
from sengu.base.tables import letters

FOO = "0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33"  # SHA-1 of b"foo"


def test_an_object_is_named_by_its_bytes_and_its_format() -> None:
    object_id = ObjectId.of(b"foo", "jpg")
    assert str(object_id) == f"{FOO}.jpg"
    assert object_id.path.as_posix() == f"0b/ee/{FOO}.jpg"
    assert ObjectId.parse(str(object_id)) == object_id


@pytest.mark.parametrize("text", ["", FOO, f"{FOO.upper()}.jpg", f"{FOO}.JPG", f"{FOO[1:]}.jpg", f"{FOO}.jpg\n", f" {FOO}.jpg"])
def test_any_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(SenguError, match="is not an object id"):
        ObjectId.parse(text)


def test_a_url_is_named_by_its_utf8_bytes() -> None:
    assert url_id("foo") == FOO
    assert url_id("http://example.org/é") == "799d79c5e00c3999783f7ea40cbe7e4f679c1dc8"


IDS = [f"{number:040x}.{extension}" for number, extension in ((0, "jpg"), (255, "webp"), (0x1A3, "mp4"), (2**160 - 2, "gz"))]


def test_the_low_bytes_of_many_are_those_of_each() -> None:
    assert low_bytes(IDS).tolist() == [0, 255, 0xA3, 254]
    assert low_bytes([]).tolist() == []


def test_videos_are_told_by_their_extension() -> None:
    assert are_videos(IDS).tolist() == [ObjectId.parse(name).is_video for name in IDS] == [False, False, True, False]
    assert are_videos([]).tolist() == []


@pytest.mark.parametrize(
    "wrong", ["", "x", IDS[0].upper(), IDS[0][:-1], f"{IDS[0]} ", IDS[0].replace("0", "\uff10", 1), IDS[0].replace(".", "0")]
)
def test_a_quick_look_at_many_ids_passes_no_wrong_one(wrong: str) -> None:
    for storage in ("python", "pyarrow"):
        kind = pd.StringDtype(storage, na_value=np.nan)
        for parts in ([[IDS[0], IDS[2]]], [[IDS[0]], [], [IDS[2]]]):
            right = letters.of(pd.concat([pd.Series(part, dtype=kind) for part in parts]), SHORT_ID)
            assert right is not None and are_object_ids(right)
            assert [bytes(row).decode() for row in right] == [IDS[0], IDS[2]]
        some = letters.of(pd.Series([IDS[0], wrong, IDS[2]], dtype=kind)[1:], SHORT_ID)
        assert some is None or not are_object_ids(some)
