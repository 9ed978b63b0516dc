import pytest

from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId, url_id

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
