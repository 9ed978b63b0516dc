"""A zip of photographs -> recall and precision of the near-duplicate groups for each variation, and how their time grows.

    python benchmarks/duplicates.py PHOTOGRAPHS.zip [DISTRACTORS.zip] [--distractors 10000] [--hashes 100000 200000 400000]

Every photograph is paired with each variation of itself. A pair is found if, without the other variations, the two are in
one group; recall is the share found. Precision is the share of right pairs among all that the groups of photographs, variations
and distractors put together, but for pairs of two distractors, which may hold real duplicates and are counted by themselves.
Mirror images are found if they are marked as such. Pictures of one scene must not be one group: signs, letters, and what a
fixed camera saw.
"""

import argparse
import os
import resource
import tempfile
import time
import zipfile
from collections.abc import Callable
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
from joblib import Parallel, delayed
from PIL import Image, ImageDraw, ImageEnhance, ImageFont
from scenes import fixed_camera, letter, sign

from sengu.duplicates import groups
from sengu.duplicates.fingerprints import Fingerprint, fingerprint
from sengu.duplicates.groups import Looks
from sengu.duplicates.likenesses import Known
from sengu.duplicates.neighbours import Neighbours
from sengu.pictures import images

FIELDS = ("hashes", "mirrored", "thumbnail", "colours")  # of a fingerprint, in the order of Looks
NEW = 1_000  # pictures that a rerun finds beside the known ones
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


def prints(payloads: list[bytes], work: Callable[[bytes], list[Fingerprint]]) -> list[np.ndarray]:
    """The FIELDS of n payloads, m pictures of each: (n, m, ...)."""
    made = Parallel(n_jobs=-1, batch_size=16)(delayed(work)(payload) for payload in payloads)
    return [np.array([[getattr(f, name) for f in row] for row in made]) for name in FIELDS]


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


def recalls(found: list[np.ndarray]) -> None:
    for number, name in enumerate(VARIATIONS, 1):
        both = groups.groups(Looks(*(flat(each[:, [0, number]]) for each in found)), NO_LINKS)
        labels = (both.mirrored if name == "mirrored" else both.labels).reshape(-1, 2)
        print(f"{name:20} recall {(labels[:, 0] == labels[:, 1]).mean():.4f}")


def precision(found: list[np.ndarray], others: list[np.ndarray] | None, title: str) -> None:
    photographs = np.repeat(np.arange(len(found[0])), found[0].shape[1])
    every = [flat(each) for each in found]
    if others is not None:
        every = [np.concatenate([a, flat(b)]) for a, b in zip(every, others, strict=True)]
    labels = groups.groups(Looks(*every), NO_LINKS).labels
    size = len(photographs)
    within_others = together(labels[size:])
    involving = together(labels) - within_others
    right = together(np.unique(np.stack([photographs, labels[:size]]), axis=1, return_inverse=True)[1])
    print(f"{title}: precision {right / involving:.4f} ({involving - right} wrong pairs with a photograph, {right} right ones)")
    if others is not None:
        print(f"pairs within the {len(labels) - size} distractors, right or wrong: {within_others}")


def part(scratches: int, seed: int) -> Image.Image:
    """A machine part, the light a little different each time, with or without scratches."""
    chance = np.random.default_rng(seed)
    rows, columns = np.mgrid[:300, :400]
    levels = 90 + 60 * (np.hypot(rows - 150, columns - 200) < 110) + chance.normal(0, 3, (300, 400)) + chance.uniform(-8, 8)
    picture = Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8)).convert("RGB")
    for _ in range(scratches):
        x, y = chance.integers(110, 290), chance.integers(60, 240)
        end = (x + chance.integers(-80, 80), y + chance.integers(-80, 80))
        ImageDraw.Draw(picture).line(((x, y), end), fill="#303030", width=3)
    return picture


def told_apart() -> None:
    """Of pictures of one scene, all of which show something else, how many pairs are taken for one picture."""
    chance = np.random.default_rng(1)
    spots = [(int(chance.integers(0, 600)), int(chance.integers(0, 440))) for _ in range(50)]
    sets = {
        "8 speed signs": [sign(str(number)) for number in range(20, 100, 10)],
        "26 letters": [letter(text) for text in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"],
        "a fixed camera, squares of 10 to 80 of 640 pixels": [fixed_camera(side) for side in (0, 10, 20, 40, 60, 80)],
        "a fixed camera, a square of 40 in 50 places": [fixed_camera(40, *spot) for spot in spots],
        "20 good parts and 20 with a scratch": [part(number // 20, number) for number in range(40)],
    }
    for name, drawn in sets.items():
        made = [fingerprint(np.asarray(picture)) for picture in drawn]
        labels = groups.groups(Looks(*(np.array([getattr(each, field) for each in made]) for field in FIELDS)), NO_LINKS).labels
        largest = np.bincount(labels).max()
        print(f"{name}: {together(labels)} of {len(drawn) * (len(drawn) - 1) // 2} pairs, at most {largest} in a group")


def timed(count: int, alike: float) -> float:
    """Seconds of processors for so many pictures; prints those of a rerun with NEW pictures more, which knows the likenesses.

    A share of the pictures is in clusters of 2 to 200 that differ by a few bits and some noise, the others are random.
    """
    chance = np.random.default_rng(0)
    every = count + NEW
    sources = np.arange(every)
    edges = np.cumsum(chance.integers(2, 201, every))
    clustered = round(every * alike)
    for start, end in pairwise(every - clustered + np.concatenate([[0], edges[edges < clustered], [clustered]])):
        sources[start:end] = start
    sources = chance.permutation(sources)  # so that the new pictures are of every kind
    hashes = chance.integers(0, 256, (every, 3, 8), dtype=np.uint8)[sources]
    hashes[np.arange(every), 0, chance.integers(0, 8, every)] ^= (1 << chance.integers(0, 8, every)).astype(np.uint8)
    thumbnails = np.empty((every, 64, 64), np.uint8)
    coarse = chance.integers(0, 230, (every, 8, 8), dtype=np.uint8)
    for start in range(0, every, 10_000):  # at once, it would take three times the memory
        rows = slice(start, start + 10_000)
        thumbnails[rows] = coarse[sources[rows]].repeat(8, axis=1).repeat(8, axis=2)
        thumbnails[rows] += chance.integers(0, 25, thumbnails[rows].shape, dtype=np.uint8)
    mirrored = chance.integers(0, 256, (every, 8), dtype=np.uint8)
    looks = Looks(hashes, mirrored, thumbnails, np.zeros((every, 8, 8, 2), np.int8))
    pixels = chance.integers(0, 256, (every, 20), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        before = Looks(hashes[:count], mirrored[:count], thumbnails[:count], looks.colours[:count])
        seconds = _run("", sources[:count], before, Path(folder), pixels[:count])
        _run(f", {NEW} of them new", sources, looks, Path(folder), pixels)
    return seconds


def _run(title: str, sources: np.ndarray, looks: Looks, folder: Path, pixels: np.ndarray) -> float:
    ids = [f"{number:040x}.jpg" for number in range(len(sources))]
    begun, used = time.perf_counter(), processors()
    known, near = Known(folder / "likenesses", pixels), Neighbours(folder / "neighbours", ids)
    labels = groups.groups(looks, NO_LINKS, known.likenesses, near.search).labels
    known.save()
    near.save()
    seconds, used = time.perf_counter() - begun, processors() - used
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(
        f"{len(sources)} pictures{title}: {len(np.unique(labels))} of {len(np.unique(sources))} groups in {seconds:.1f} s, of "
        f"processors {used:.1f} s, up to {memory:.1f} GiB, load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return used


def processors() -> float:
    """Seconds of processors that this program and its workers have used; of a busy machine they say more than the clock."""
    programs = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return sum(each.cpu_times().user + each.cpu_times().system for each in programs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, nargs="?", help="without it, only scenes and hashes")
    parser.add_argument("others", type=Path, nargs="?", help="a zip of distractors, such as CIFAR-10")
    parser.add_argument("--distractors", type=int, default=10_000)
    parser.add_argument("--hashes", type=int, nargs="*", default=[100_000, 200_000, 400_000])
    parser.add_argument("--alike", type=float, default=0.5, help="share of these that are near-duplicates of others")
    options = parser.parse_args()
    told_apart()
    if options.photographs is not None:
        found = prints(payloads(options.photographs), with_variations)
        print(f"{len(found[0])} photographs")
        recalls(found)
        precision(found, None, "photographs and variations")
        if options.others is not None:
            others = prints(payloads(options.others, "train/", options.distractors), alone)
            precision(found, others, f"with {len(others[0])} distractors")
    seconds = {count: timed(count, options.alike) for count in options.hashes}
    for (few, before), (many, after) in pairwise(seconds.items()):
        print(f"from {few} to {many}: exponent {np.log(after / before) / np.log(many / few):.2f}")


if __name__ == "__main__":
    main()
