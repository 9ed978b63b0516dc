"""A zip of photographs -> recall and precision of the near-duplicate groups for each variation, and the time for 100,000 hashes.

    python benchmarks/duplicates.py PHOTOGRAPHS.zip [DISTRACTORS.zip] [--distractors 10000]

Every photograph is paired with each variation of itself. A pair is found if, without the other variations, the two are in
one group; recall is the share found. Precision is the share of right pairs among all that the groups of photographs, variations
and distractors put together, but for pairs of two distractors, which may hold real duplicates and are counted by themselves.
"""

import argparse
import time
import zipfile
from collections.abc import Callable
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from PIL import Image, ImageDraw, ImageEnhance, ImageFont

from sengu.duplicates import groups
from sengu.duplicates.fingerprints import Fingerprint, fingerprint
from sengu.pictures import images

HASHES = 100_000
NO_LINKS = np.empty((0, 2), np.int64)


def cropped(share: float) -> Callable[[Image.Image], Image.Image]:
    def crop(picture: Image.Image) -> Image.Image:
        x, y = round(picture.width * share), round(picture.height * share)
        return picture.crop((x, y, picture.width - x, picture.height - y))

    return crop


def marked(picture: Image.Image) -> Image.Image:
    copy = picture.copy()
    font = ImageFont.load_default(max(8, picture.height // 18))
    place = (picture.width * 0.6, picture.height * 0.9)
    ImageDraw.Draw(copy, "RGBA").text(place, "(c) example.com", fill=(255, 255, 255, 200), font=font)
    return copy


# each is stored as a JPEG of quality 90 afterwards, as a site would, but for the one that is about quality
VARIATIONS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "half size": lambda picture: picture.resize((max(1, picture.width // 2), max(1, picture.height // 2))),
    "JPEG 40": lambda picture: picture,
    "brightness +15%": lambda picture: ImageEnhance.Brightness(picture).enhance(1.15),
    "brightness -15%": lambda picture: ImageEnhance.Brightness(picture).enhance(0.85),
    "3% off each side": cropped(0.03),
    "5% off each side": cropped(0.05),
    "7% off each side": cropped(0.07),
    "10% off each side": cropped(0.10),
    "watermark": marked,
    "mirrored": lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}


def with_variations(data: bytes) -> list[Fingerprint]:
    """Runs in a worker."""
    pixels = images.decode(data)
    found = [fingerprint(pixels)]
    for name, vary in VARIATIONS.items():
        buffer = BytesIO()
        vary(Image.fromarray(pixels)).save(buffer, "JPEG", quality=40 if name == "JPEG 40" else 90)
        found.append(fingerprint(images.decode(buffer.getvalue())))
    return found


def alone(data: bytes) -> list[Fingerprint]:
    return [fingerprint(images.decode(data))]


def prints(payloads: list[bytes], work: Callable[[bytes], list[Fingerprint]]) -> tuple[np.ndarray, np.ndarray]:
    """Hashes (n, m, k, 8) and thumbnails (n, m, 64, 64) of n payloads, m pictures of each."""
    made = Parallel(n_jobs=-1, batch_size=16)(delayed(work)(payload) for payload in payloads)
    return np.array([[f.hashes for f in row] for row in made]), np.array([[f.thumbnail for f in row] for row in made])


def payloads(path: Path, prefix: str = "", number: int = 0) -> list[bytes]:
    """The pictures in a zip file; if `number` is given, about so many, spread evenly."""
    with zipfile.ZipFile(path) as archive:
        names = sorted(n for n in archive.namelist() if n.startswith(prefix) and n.lower().endswith((".jpg", ".jpeg", ".png")))
        return [archive.read(name) for name in names[:: max(1, len(names) // number) if number else 1][: number or None]]


def flat(found: np.ndarray) -> np.ndarray:
    return found.reshape(-1, *found.shape[2:])


def together(labels: np.ndarray) -> int:
    """How many pairs have equal labels."""
    sizes = np.bincount(labels)
    return int((sizes * (sizes - 1) // 2).sum())


def recalls(hashes: np.ndarray, thumbnails: np.ndarray) -> None:
    for number, name in enumerate(VARIATIONS, 1):
        both = [0, number]
        labels = groups.groups(flat(hashes[:, both]), flat(thumbnails[:, both]), NO_LINKS).reshape(-1, 2)
        print(f"{name:20} recall {(labels[:, 0] == labels[:, 1]).mean():.4f}")


def precision(hashes: np.ndarray, thumbnails: np.ndarray, others: tuple[np.ndarray, np.ndarray] | None, title: str) -> None:
    photographs = np.repeat(np.arange(len(hashes)), hashes.shape[1])
    hashes, thumbnails = flat(hashes), flat(thumbnails)
    if others is not None:
        hashes, thumbnails = (np.concatenate([a, flat(b)]) for a, b in zip((hashes, thumbnails), others, strict=True))
    labels = groups.groups(hashes, thumbnails, NO_LINKS)
    size = len(photographs)
    within_others = together(labels[size:])
    involving = together(labels) - within_others
    right = together(np.unique(np.stack([photographs, labels[:size]]), axis=1, return_inverse=True)[1])
    print(f"{title}: precision {right / involving:.4f} ({involving - right} wrong pairs with a photograph, {right} right ones)")
    if others is not None:
        print(f"pairs within the {len(labels) - size} distractors, right or wrong: {within_others}")


def timed() -> None:
    """Half of the pictures are random, half in clusters of 2 to 200 that differ by a few bits and some noise."""
    chance = np.random.default_rng(0)
    sources = np.arange(HASHES)
    edges = np.cumsum(chance.integers(2, 201, HASHES))
    for start, end in pairwise(HASHES // 2 + np.concatenate([[0], edges[edges < HASHES // 2], [HASHES // 2]])):
        sources[start:end] = start
    hashes = chance.integers(0, 256, (HASHES, 3, 8), dtype=np.uint8)[sources]
    hashes[np.arange(HASHES), 0, chance.integers(0, 8, HASHES)] ^= (1 << chance.integers(0, 8, HASHES)).astype(np.uint8)
    coarse = chance.integers(0, 230, (HASHES, 8, 8), dtype=np.uint8)[sources]
    thumbnails = coarse.repeat(8, axis=1).repeat(8, axis=2)
    thumbnails += chance.integers(0, 25, thumbnails.shape, dtype=np.uint8)
    start = time.perf_counter()
    labels = groups.groups(hashes, thumbnails, NO_LINKS)
    seconds = time.perf_counter() - start
    print(f"{HASHES} hashes: {len(np.unique(labels))} of {len(np.unique(sources))} groups in {seconds:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("others", type=Path, nargs="?", help="a zip of distractors, such as CIFAR-10")
    parser.add_argument("--distractors", type=int, default=10_000)
    options = parser.parse_args()
    hashes, thumbnails = prints(payloads(options.photographs), with_variations)
    print(f"{len(hashes)} photographs")
    recalls(hashes, thumbnails)
    precision(hashes, thumbnails, None, "photographs and variations")
    if options.others is not None:
        others = prints(payloads(options.others, "train/", options.distractors), alone)
        precision(hashes, thumbnails, others, f"with {len(others[0])} distractors")
    timed()


if __name__ == "__main__":
    main()
