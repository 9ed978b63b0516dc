"""python predict.py PICTURE… -> path, class and probabilities of each; needs ONNX Runtime, NumPy and Pillow, no Sengu."""

import json
import sys
from contextlib import suppress
from pathlib import Path
from struct import error as StructError

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

HERE = Path(__file__).parent  # model.onnx and manifest.json lie beside this file


def decode(path: str) -> np.ndarray:
    """What a person sees, as uint8 RGB (height, width, 3): upright, on white if transparent, 16 bits brought to 8."""
    picture: Image.Image = Image.open(path)
    picture.load()
    with suppress(ArithmeticError, EOFError, LookupError, OSError, RuntimeError, SyntaxError, TypeError, ValueError, StructError):
        picture = ImageOps.exif_transpose(picture)  # damaged EXIF says nothing of the orientation
    if picture.mode.startswith("I") or picture.mode == "F":
        samples = np.asarray(picture, np.float64)
        top = 65535 if picture.mode.startswith("I;16") else samples.max(initial=0, where=np.isfinite(samples))
        scale = 257 if top > 255 else 1 / 255 if picture.mode == "F" and top <= 1 else 1
        picture = Image.fromarray(np.nan_to_num(np.rint(np.clip(samples / scale, 0, 255))).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return np.asarray(picture.convert("RGB"))


if __name__ == "__main__":
    manifest = json.loads((HERE / "manifest.json").read_text(encoding="utf-8"))
    classes, threshold = manifest["classes"], manifest["threshold"]
    session = onnxruntime.InferenceSession(HERE / "model.onnx", providers=["CPUExecutionProvider"])
    for path in sys.argv[1:]:
        probabilities = session.run(["probabilities"], {"picture": decode(path)})[0].astype(float)  # as `threshold` is
        decided = probabilities.argmax() if threshold is None or len(classes) != 2 else int(probabilities[1] >= threshold)
        print(path, classes[decided], *(f"{name}={p:.6f}" for name, p in zip(classes, probabilities, strict=True)), sep="\t")
