"""What a release carries as predict.py: that it sees pictures and decides as Sengu does, and says what it cannot read."""

import runpy
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from icc import profile
from PIL import Image
from released import CLASSES, odd_pictures, tiny_release

from sengu.pictures import images
from sengu.release import bundle, portable, standalone


@pytest.mark.parametrize("name", odd_pictures())
def test_it_decodes_as_sengu_does(name: str, tmp_path: Path) -> None:
    data = odd_pictures()[name]
    (tmp_path / name).write_bytes(data)
    found = standalone.decode(str(tmp_path / name))
    assert found.dtype == np.uint8
    assert np.array_equal(found, images.decode(data))


ADOBE_RGB = profile(((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446)), 563 / 256)


@pytest.mark.parametrize(("mode", "form"), [("RGB", "JPEG"), ("RGB", "PNG"), ("RGBA", "PNG"), ("P", "PNG"), ("RGB", "TIFF")])
@pytest.mark.parametrize("icc", [ADOBE_RGB, b"no profile", profile((), 1.0, b"GRAY")], ids=["wide", "damaged", "of grey"])
def test_colours_are_brought_to_srgb_as_in_training(mode: str, form: str, icc: bytes, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (20, 30, 4), dtype=np.uint8)
    picture = Image.fromarray(pixels).convert(mode)
    picture.save(tmp_path / "picture", form, icc_profile=icc)
    found = standalone.decode(str(tmp_path / "picture"))
    assert np.array_equal(found, images.decode((tmp_path / "picture").read_bytes()))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("keyed.png", "a PNG of 16 bits with a transparent colour"),
        ("deep.tif", r"a TIFF of 3 x \(16, 16, 16\) bits"),
        ("white_is_zero.tif", "a TIFF of 1 x 16 bits|a TIFF of 1 x"),
    ],
)
def test_what_only_sengu_reads_is_refused_and_not_shown_wrongly(name: str, reason: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 65536, (20, 30, 3), dtype=np.uint16)
    path = tmp_path / name
    if name == "keyed.png":
        assert cv2.imwrite(str(path), pixels)
        data = path.read_bytes()
        key = b"tRNS" + pixels[0, 0, ::-1].astype(">u2").tobytes()
        path.write_bytes(data[:33] + struct.pack(">I", 6) + key + struct.pack(">I", zlib.crc32(key)) + data[33:])
    else:
        grey = {} if name == "deep.tif" else {"photometric": "miniswhite"}
        tifffile.imwrite(path, pixels[..., 0] if grey else pixels, **(grey or {"photometric": "rgb"}))
    with pytest.raises((ValueError, OSError), match=f"{reason}|cannot identify"):
        standalone.decode(str(path))
    images.decode(path.read_bytes())


def test_a_tiff_of_twelve_bits_is_refused_as_its_white_would_be_dark(tmp_path: Path) -> None:
    tags = ((256, 2), (257, 1), (258, 12), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1), (279, 3))
    entries = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags)
    data = struct.pack("<2sHI", b"II", 42, 12) + b"\xff\xff\xff\0" + struct.pack("<H", len(tags)) + entries + bytes(4)
    (tmp_path / "twelve.tif").write_bytes(data)
    with Image.open(tmp_path / "twelve.tif") as picture:
        assert (picture.mode, picture.getpixel((0, 0))) == ("I;16", 4095)
    with pytest.raises(ValueError, match="bits, which Pillow would show with the wrong brightness: use `sengu predict`"):
        standalone.decode(str(tmp_path / "twelve.tif"))


def unpacked(release: Path, folder: Path) -> Path:
    with zipfile.ZipFile(release) as archive:
        archive.extractall(folder)
    shutil.copy(standalone.__file__, folder / "predict.py")
    return folder / "predict.py"


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_predicted(tmp_path: Path) -> None:
    program = unpacked(tiny_release(tmp_path / "release"), tmp_path)
    Image.new("RGB", (4, 4)).save(tmp_path / "good.png")
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "cut.png").write_bytes(odd_pictures()["plain.jpg"][:900])
    paths = [str(tmp_path / name) for name in ("text.jpg", "cut.png", "nowhere.jpg", "good.png")]
    done = subprocess.run([sys.executable, str(program), *paths], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert [line.partition(": cannot be read: ")[0] for line in done.stderr.splitlines()] == paths[:3]
    assert [line.partition("\t")[0] for line in done.stdout.splitlines()] == paths[3:]


def test_the_self_test_passes_and_fails(tmp_path: Path) -> None:
    program = unpacked(tiny_release(tmp_path / "release"), tmp_path)
    made = bundle.load(tmp_path / "release")
    for name, data in portable.self_test(made, np.zeros((4, 4, 3), np.uint8)).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    command = [sys.executable, str(program), "--self-test"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("self-test passed: onnxruntime ")
    expected = tmp_path / portable.EXPECTED
    expected.write_text(expected.read_text().replace('"dark": 0.', '"dark": 1.'))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "FAILED" in done.stdout


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
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(tmp_path / "predict.py"), run_name="__main__")
    assert ended.value.code == 0
    path, name, *rest = capsys.readouterr().out.rstrip("\n").split("\t")
    assert (path, name) == (str(tmp_path / "picture.png"), CLASSES[decision])
    assert rest == [f"{label}={found:.6f}" for label, found in zip(CLASSES, probabilities, strict=True)]
