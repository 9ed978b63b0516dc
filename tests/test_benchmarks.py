"""What a benchmark makes its pictures of."""

import runpy
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from project import ROOT

from sengu.base import tables
from sengu.base.tables import versions


def archive(path: Path, classes: int, size: int) -> Path:
    """A zip with a text and, of each class, a photograph of noise."""
    chance = np.random.default_rng(1)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("README.txt", "photographs")
        for number in range(classes):
            buffer = BytesIO()
            Image.fromarray(chance.integers(0, 256, (size, size, 3), dtype=np.uint8)).save(buffer, "PNG")
            file.writestr(f"class {number}/photograph.png", buffer.getvalue())
    return path


def test_pictures_for_training_are_crops_of_every_class(tmp_path: Path) -> None:
    pictures = runpy.run_path(str(ROOT / "benchmarks/train.py"))["pictures"]
    pictures(archive(tmp_path / "a.zip", classes=3, size=100), 12, tmp_path)
    assert versions.read(tmp_path / "dataset").classes == ["class 0", "class 1", "class 2"]
    rows = tables.read(tmp_path / "split_label.csv", tables.SplitLabel)
    assert rows["value"].value_counts().to_dict() == {0: 4, 1: 4, 2: 4}
    assert len(set(rows["objectId"])) == 12


@pytest.mark.parametrize(("classes", "found"), [(0, 0), (3, 3)], ids=["no photograph", "photographs of one pixel"])
def test_an_archive_that_gives_too_few_pictures_is_named(tmp_path: Path, classes: int, found: int) -> None:
    pictures = runpy.run_path(str(ROOT / "benchmarks/train.py"))["pictures"]
    with pytest.raises(SystemExit, match=f"a.zip gives {found} different pictures only: 9 are to be made"):
        pictures(archive(tmp_path / "a.zip", classes, size=1), 9, tmp_path)
