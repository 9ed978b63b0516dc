"""python predict.py PICTURE… -> path, class and probabilities of each; needs ONNX Runtime, NumPy and Pillow, no Sengu.

`python predict.py --self-test` says whether this machine gives the probabilities that the one did where the model was made.
Pictures are seen as in training: upright, colours by their ICC profile, on white if transparent, 16 bits brought to 8. A file
that cannot be read, or not as in training, is named on stderr, and the exit code is then 2.
"""

import json
import struct
import sys
from contextlib import suppress
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageCms, ImageOps

HERE = Path(__file__).parent  # model.onnx, manifest.json and self_test lie beside this file
BROKEN = (ArithmeticError, EOFError, LookupError, OSError, RuntimeError, SyntaxError, TypeError, ValueError, struct.error)
BITS, PHOTOMETRIC, REDUCED, SAMPLES = 258, 262, 254, 277  # tags of TIFF


def decode(path: str) -> np.ndarray:
    """What a person sees, as uint8 RGB (height, width, 3). Raises ValueError for what only Sengu reads."""
    data = Path(path).read_bytes()
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"):
        try:
            import pi_heif  # pip install pi-heif
        except ImportError:
            raise ValueError("HEIF, which needs `pip install pi-heif`") from None
        pi_heif.register_heif_opener()
    picture: Image.Image = Image.open(BytesIO(data))
    refuse(picture, data)
    picture.load()
    profile = picture.info.get("icc_profile")
    with suppress(*BROKEN):
        picture = ImageOps.exif_transpose(picture)  # damaged EXIF says nothing of the orientation
    if picture.mode.startswith("I") or picture.mode == "F":
        picture = Image.fromarray(levels(picture))
    if not picture.has_transparency_data:
        return np.asarray(srgb(plain(picture), profile) if profile else picture.convert("RGB"))
    colours = picture.convert("RGBA")
    if profile:
        alpha = colours.getchannel("A")
        colours = srgb(plain(picture), profile)
        colours.putalpha(alpha)
    return np.asarray(Image.alpha_composite(Image.new("RGBA", colours.size, "white"), colours).convert("RGB"))


def refuse(picture: Image.Image, data: bytes) -> None:
    """Raises ValueError for what Pillow alone shows other than it is."""
    if picture.format == "TIFF":
        tags = picture.tag_v2  # type: ignore[attr-defined]
        bits, samples = tags.get(BITS, (1,)), tags.get(SAMPLES, 1)
        is_deep = max(bits if isinstance(bits, tuple) else (bits,)) > 8
        if tags.get(REDUCED, 0) & 1 or tags.get(PHOTOMETRIC) in (32803, 34892):
            raise ValueError("a TIFF whose first page is a reduced picture, or camera raw")
        if is_deep and bits not in (16, 32, 64, (16,), (32,), (64,)) and samples == 1:
            raise ValueError(f"a TIFF of {bits} bits, which Pillow would show with the wrong brightness: use `sengu predict`")
        if is_deep and (samples != 1 or tags.get(PHOTOMETRIC) != 1 or not (picture.mode.startswith("I") or picture.mode == "F")):
            raise ValueError(f"a TIFF of {samples} x {bits} bits, which Pillow alone shows wrongly: use `sengu predict`")
    if picture.format == "PNG" and data[24:26] in (b"\x10\0", b"\x10\2") and 0 <= data.find(b"tRNS", 33) < data.find(b"IDAT", 33):
        raise ValueError("a PNG of 16 bits with a transparent colour, which Pillow alone shows wrongly: use `sengu predict`")


def levels(picture: Image.Image) -> np.ndarray:
    """Grey of many bits as uint8: white is the highest level of 16 bits, 255 or 1, whichever the picture needs."""
    samples = np.asarray(picture, np.float64)
    top = 65535 if picture.mode.startswith("I;16") else samples.max(initial=0, where=np.isfinite(samples))
    if top > 65535 and picture.mode == "I":
        raise ValueError(f"its levels go up to {top:.0f}, and Pillow does not say which level is white: use `sengu predict`")
    scale = 257 if top > 255 else 1 / 255 if picture.mode == "F" and top <= 1 else 1
    return np.nan_to_num(np.rint(np.clip(samples / scale, 0, 255))).astype(np.uint8)


def plain(picture: Image.Image) -> Image.Image:
    """The picture in a mode that a profile describes, without its transparency."""
    if picture.mode in ("L", "RGB", "CMYK"):
        return picture
    return picture.convert("L") if picture.mode in ("1", "LA", "La") else picture.convert("RGBA").convert("RGB")


def srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """The picture in sRGB; a damaged profile, or one of another kind of picture, says nothing."""
    transform = transform_of(profile, picture.mode)
    return picture.convert("RGB") if transform is None else transform.apply(picture)


@lru_cache(maxsize=64)
def transform_of(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        if {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}.get(source.profile.xcolor_space.strip()) != mode:
            return None
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", ImageCms.Intent.PERCEPTUAL)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    steps = np.arange(0, 256, 51, dtype=np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(36, 6, 3)
    probe = Image.fromarray(grid).convert(mode)
    off = np.abs(np.asarray(probe.convert("RGB"), np.int16) - np.asarray(transform.apply(probe), np.int16)).max()
    return None if mode != "CMYK" and off <= 2 else transform  # what differs less is sRGB, written by somebody else


def self_test(session: onnxruntime.InferenceSession, classes: list[str]) -> int:
    """Runs the picture in self_test, and says whether the probabilities are the expected ones."""
    expected = json.loads((HERE / "self_test" / "expected.json").read_text(encoding="utf-8"))
    probabilities = session.run(["probabilities"], {"picture": decode(str(HERE / "self_test" / "picture.bmp"))})[0]
    off = max(abs(float(p) - expected["probabilities"][name]) for name, p in zip(classes, probabilities, strict=True))
    passed = off <= expected["tolerance"]
    print(f"self-test {'passed' if passed else 'FAILED'}: onnxruntime {onnxruntime.__version__}, at most {off:.1e} off")
    return 0 if passed else 1


def main(paths: list[str]) -> int:
    manifest = json.loads((HERE / "manifest.json").read_text(encoding="utf-8"))
    classes, threshold = manifest["classes"], manifest["threshold"]
    session = onnxruntime.InferenceSession(HERE / "model.onnx", providers=["CPUExecutionProvider"])
    if paths == ["--self-test"]:
        return self_test(session, classes)
    unreadable = 0
    for path in paths:
        try:
            picture = decode(path)
        except (*BROKEN, Image.DecompressionBombError) as error:
            print(f"{path}: cannot be read: {error}", file=sys.stderr)
            unreadable += 1
            continue
        probabilities = session.run(["probabilities"], {"picture": picture})[0].astype(float)  # as `threshold` is
        decided = probabilities.argmax() if threshold is None or len(classes) != 2 else int(probabilities[1] >= threshold)
        print(path, classes[decided], *(f"{name}={p:.6f}" for name, p in zip(classes, probabilities, strict=True)), sep="\t")
    return 2 if unreadable else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
