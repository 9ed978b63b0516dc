"""Pictures and their mirrored, cropped and recoloured twins -> how many `similar` finds among the first ten.

    python benchmarks/twins.py CIFAR-10.zip [--prefix train/] [--pictures 10000] [--twins 200] [--backbone models/backbone]

Each twin is looked up by itself among all the pictures: that of which it is one should come among the first ten. `sengu
similar` looks for a picture and for its mirror image, by the whitened features of the frozen backbone.
"""

import argparse
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance
from tqdm import tqdm

from sengu import embeddings
from sengu.networks import backbone
from sengu.pictures import images, resizing

NUMBER = 10
BATCH = 256


def cropped(share: float) -> Callable[[Image.Image], Image.Image]:
    def crop(picture: Image.Image) -> Image.Image:
        x, y = (round(side * share) for side in picture.size)
        return picture.crop((x, y, picture.width - x, picture.height - y))

    return crop


def warmer(picture: Image.Image) -> Image.Image:
    """Its red brighter and its blue darker, by a fifth."""
    return Image.fromarray(np.clip(np.asarray(picture) * np.array([1.2, 1.0, 0.8]), 0, 255).astype(np.uint8))


TWINS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "mirrored": lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "cropped, 10% off each side": cropped(0.1),
    "cropped, 20% off each side": cropped(0.2),
    "recoloured, warmer": warmer,
    "recoloured, half the colour": lambda picture: ImageEnhance.Color(picture).enhance(0.5),
    "recoloured, brighter by a quarter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.25),
}


def payloads(path: Path, prefix: str, number: int) -> list[bytes]:
    """About so many of the pictures of a zip file, spread evenly."""
    with zipfile.ZipFile(path) as archive:
        names = sorted(n for n in archive.namelist() if n.startswith(prefix) and n.lower().endswith((".jpg", ".jpeg", ".png")))
        return [archive.read(name) for name in names[:: max(1, len(names) // number)][:number]]


def vectors(pixels: np.ndarray, run: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Features of length 1, float32 (n, d), of pixels (n, size, size, 3)."""
    made = [run(pixels[start : start + BATCH]) for start in tqdm(range(0, len(pixels), BATCH), disable=None)]
    every = np.concatenate(made)
    return every / np.linalg.norm(every, axis=1, keepdims=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--prefix", default="train/")
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--twins", type=int, default=200)
    parser.add_argument("--backbone", type=Path, default=Path("models/backbone"))
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--save", type=Path, help="where to write the features")
    options = parser.parse_args()
    resize = resizing.resizer(options.size, "squash")
    pictures = [images.decode(data) for data in payloads(options.archive, options.prefix, options.pictures)]
    pixels = np.stack([resize(picture) for picture in pictures])
    run = backbone.frozen(options.backbone, options.size)
    chosen = np.linspace(0, len(pictures) - 1, options.twins).astype(np.int64)
    features = vectors(pixels, run)
    if options.save is not None:
        np.save(options.save, features)
    whitening = embeddings.whitening_of(features)
    known = embeddings.whitened(features, whitening)
    print(f"{len(known)} pictures at {options.size} px; found among the first {NUMBER}, looked for both ways, and one way:")
    for kind, vary in TWINS.items():
        twins = np.stack([resize(np.asarray(vary(Image.fromarray(pictures[row])))) for row in chosen])
        ways = (vectors(each, run) for each in (twins, np.ascontiguousarray(twins[:, :, ::-1])))
        ways = tuple(embeddings.whitened(way, whitening) for way in ways)
        both = [row in embeddings.nearest(np.stack(way), known, NUMBER)[1] for row, *way in zip(chosen, *ways, strict=True)]
        alone = [row in embeddings.nearest(way, known, NUMBER)[1] for row, way in zip(chosen, ways[0], strict=True)]
        print(f"{kind:34} {np.mean(both):.1%}, {np.mean(alone):.1%}")


if __name__ == "__main__":
    main()
