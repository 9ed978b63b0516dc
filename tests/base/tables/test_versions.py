from pathlib import Path

import pytest

from sengu.base import tables
from sengu.base.errors import SenguError
from sengu.base.tables import versions

LABELS = tables.frame([tables.Label(f"{i:040x}.jpg", i % 3) for i in range(7)], tables.Label)


def test_a_version_says_what_it_holds(tmp_path: Path) -> None:
    version = versions.describe("v1", ["dots", "stripes", "both", "neither"], LABELS)
    assert version.rows_by_value == {"0": 3, "1": 2, "2": 2, "3": 0}
    versions.write(tmp_path, version, LABELS)
    assert versions.read(tmp_path) == version
    assert tables.read(tmp_path / versions.LABELS, tables.Label).equals(LABELS)


def test_a_value_without_a_class_is_named() -> None:
    with pytest.raises(SenguError, match=r"0002.jpg has value 2, but label.classes in params.yaml names 2 classes"):
        versions.describe("v1", ["dots", "stripes"], LABELS)


@pytest.mark.parametrize("text", ["{", '{"version": "v1"}', "[]"])
def test_damaged_metadata_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / versions.METADATA).write_text(text)
    with pytest.raises(SenguError, match="dataset.json is damaged"):
        versions.read(tmp_path)


def test_missing_metadata_is_named(tmp_path: Path) -> None:
    with pytest.raises(SenguError, match="dataset.json is missing"):
        versions.read(tmp_path)
