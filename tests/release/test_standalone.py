"""What a release carries as predict.py: that it sees pictures and decides as Sengu does, and is short."""

import runpy
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from released import CLASSES, odd_pictures, tiny_release

from sengu.pictures import images
from sengu.release import bundle, standalone


@pytest.mark.parametrize("name", odd_pictures())
def test_it_decodes_as_sengu_does(name: str, tmp_path: Path) -> None:
    data = odd_pictures()[name]
    (tmp_path / name).write_bytes(data)
    found = standalone.decode(str(tmp_path / name))
    assert found.dtype == np.uint8
    assert np.array_equal(found, images.decode(data))


def test_it_has_at_most_forty_lines() -> None:
    assert len(Path(standalone.__file__).read_text().splitlines()) <= 40


@pytest.mark.parametrize(("share", "decision"), [(0, 1), (0.25, 0)], ids=["on the threshold", "just below it"])
def test_it_decides_as_sengu_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], share: float, decision: int
) -> None:
    picture = np.full((4, 4, 3), 120, np.uint8)
    Image.fromarray(picture).save(tmp_path / "picture.png")
    probabilities, _ = bundle.load(tiny_release(tmp_path / "first")).run(picture)
    probability, next_one = probabilities[1], np.nextafter(probabilities[1], np.float32(1))
    threshold = float(probability) + share * (float(next_one) - float(probability))  # as float32 it is the probability
    made = tiny_release(tmp_path / "second", threshold=threshold)
    assert bundle.load(made).manifest.decide(probabilities) == decision
    with zipfile.ZipFile(made) as archive:
        archive.extractall(tmp_path)
    shutil.copy(standalone.__file__, tmp_path / "predict.py")
    monkeypatch.setattr(sys, "argv", ["predict.py", str(tmp_path / "picture.png")])
    runpy.run_path(str(tmp_path / "predict.py"), run_name="__main__")
    path, name, *rest = capsys.readouterr().out.rstrip("\n").split("\t")
    assert (path, name) == (str(tmp_path / "picture.png"), CLASSES[decision])
    assert rest == [f"{label}={found:.6f}" for label, found in zip(CLASSES, probabilities, strict=True)]
