"""cifar10.zip and a folder of photographs -> random batches of pictures and drawings, the same for the same seed and step."""

import io
import zipfile
from itertools import pairwise
from pathlib import Path

import drawings
import numpy as np
from PIL import Image, ImageEnhance
from tqdm import tqdm

KINDS = ("small", "mosaic", "photograph", "inset", "drawing")
SHARES = (0.12, 0.08, 0.5, 0.12, 0.18)  # of the kinds
SUFFIXES = (".jpg", ".png")
MIXED = 0.3  # share of the pictures that are laid over another, which shows more of what a network does
LARGEST = 1600  # longer photographs are scaled down once, so that crops of them show things rather than grain


def read_small(archive: Path) -> list[Image.Image]:
    """The training pictures of CIFAR-10, which the zip holds as train/<class>/<name>.jpg."""
    with zipfile.ZipFile(archive) as packed:
        names = sorted(n for n in packed.namelist() if n.startswith("train/") and n.endswith(".jpg"))
        return [_rgb(io.BytesIO(packed.read(n))) for n in tqdm(names, desc="CIFAR-10", unit="picture", disable=None)]


def find_photographs(folder: Path) -> list[list[Path]]:
    """The JPEG and PNG files below each folder in a folder, in the order of their names."""
    folders = [sorted(path for path in kind.rglob("*") if path.suffix in SUFFIXES) for kind in sorted(folder.iterdir())]
    return [paths for paths in folders if paths]


def _rgb(file: Path | io.BytesIO) -> Image.Image:
    return Image.open(file).convert("RGB")


class Batches:
    """Draws batches; CIFAR-10 shows many things, photographs show detail, and mosaics of small pictures show both."""

    def __init__(self, small: list[Image.Image], photographs: list[list[Path]], seed: int) -> None:
        self._small, self._photographs, self._seed = small, photographs, seed

    def draw(self, step: int, count: int, size: int) -> np.ndarray:
        """The batch of one step as uint8 (count, size, size, 3)."""
        random = np.random.default_rng((self._seed, step))
        return np.stack([self._mixed(random, size) for _ in range(count)])

    def _mixed(self, random: np.random.Generator, size: int) -> np.ndarray:
        pixels = self._picture(random, size)
        if random.random() < MIXED:
            share = random.uniform(0, 1)
            pixels = np.rint(share * pixels + (1 - share) * self._picture(random, size)).astype(np.uint8)
        return pixels

    def _picture(self, random: np.random.Generator, size: int) -> np.ndarray:
        kind = random.choice(KINDS, p=SHARES)
        if kind == "small":
            picture = self._crop_small(random, size)
        elif kind == "mosaic":
            picture = self._mosaic(random, size)
        elif kind == "drawing":
            picture = drawings.draw(random, size)
        else:
            picture = self._crop_photograph(random, size)
            if kind == "inset":
                inset = int(size * random.uniform(0.3, 0.7))
                corner = random.integers(0, size - inset, 2)
                picture.paste(self._crop_small(random, inset), (int(corner[0]), int(corner[1])))
        for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            if random.random() < 0.5:
                picture = enhance(picture).enhance(random.uniform(0.6, 1.4))
        pixels = np.asarray(picture)
        return pixels[:, ::-1] if random.random() < 0.5 else pixels

    def _crop_small(self, random: np.random.Generator, size: int) -> Image.Image:
        picture = self._small[random.integers(len(self._small))]
        return _crop(random, picture, size, random.uniform(0.6, 1))

    def _crop_photograph(self, random: np.random.Generator, size: int) -> Image.Image:
        folder = self._photographs[random.integers(len(self._photographs))]  # each counts as much as another with more files
        picture = Image.open(folder[random.integers(len(folder))])
        picture.draft("RGB", (2 * LARGEST, 2 * LARGEST))
        picture = picture.convert("RGB")
        picture.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
        smallest = min(1.0, 0.7 * size / min(picture.size))  # enlarged by half at most
        return _crop(random, picture, size, float(np.exp(random.uniform(np.log(smallest), 0))))

    def _mosaic(self, random: np.random.Generator, size: int) -> Image.Image:
        """Small pictures side by side, two to four in a row, at nearly their own size: sharp where enlarged ones are blurred."""
        across = random.integers(2, 3 + (size >= 96) + (size >= 128))
        edges = np.linspace(0, size, across + 1).astype(int)
        mosaic = Image.new("RGB", (size, size))
        for left, right in pairwise(edges):
            for top, bottom in pairwise(edges):
                tile = self._small[random.integers(len(self._small))]
                mosaic.paste(tile.resize((right - left, bottom - top), Image.Resampling.BICUBIC), (int(left), int(top)))
        return mosaic


def _crop(random: np.random.Generator, picture: Image.Image, size: int, scale: float) -> Image.Image:
    """A square whose edge is `scale` of the picture's shorter edge, resized."""
    edge = scale * min(picture.size)
    left, top = (random.uniform(0, length - edge) for length in picture.size)
    return picture.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + edge, top + edge))
