"""A zip of pictures in folders by class -> how many labels flipped on purpose `label_errors` finds.

    python benchmarks/label_errors.py PHOTOGRAPHS.zip [--size 128] [--backbone models/backbone] [--seeds 3] [--zoom 2] [--mirror]

The features are those of the frozen backbone. Of each twentieth picture the label is flipped to the next class. With
`--zoom` the backbone sees the pixels of `--size` enlarged so many times; with `--mirror` the features are the mean of those of a
picture and of its mirror image.
"""

import argparse
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from sengu.labels import label_errors
from sengu.networks import backbone
from sengu.pictures import images, resizing

SHARE = 0.05  # of the labels
BATCH = 32


def features(path: Path, folder: Path, size: int, zoom: int, mirror: bool) -> tuple[pd.DataFrame, np.ndarray]:
    """objectId and value of the pictures, the class by their folder, and their features (n, d)."""
    run = backbone.layer(folder, trainable=False)
    resize = resizing.resizer(size, "squash")
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.lower().endswith((".jpg", ".jpeg", ".png")))
        pixels = np.stack([resize(images.decode(archive.read(name))) for name in names])
    if zoom > 1:
        side = (zoom * size, zoom * size)
        pixels = np.stack([cv2.resize(each, side, interpolation=cv2.INTER_CUBIC) for each in pixels])
    _, values = np.unique([Path(name).parent.name for name in names], return_inverse=True)
    parts = [pixels[start : start + BATCH].astype(np.float32) / 255 for start in range(0, len(pixels), BATCH)]
    rows = pd.DataFrame({"objectId": [f"{number:040x}.jpg" for number in range(len(names))], "value": values})
    ways = [parts, [part[:, :, ::-1] for part in parts]] if mirror else [parts]
    return rows, np.mean([np.concatenate([np.asarray(run(part, training=False)) for part in way]) for way in ways], axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--backbone", type=Path, default=Path("models/backbone"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--zoom", type=int, default=1)
    parser.add_argument("--mirror", action="store_true")
    options = parser.parse_args()
    rows, vectors = features(options.photographs, options.backbone, options.size, options.zoom, options.mirror)
    classes = rows["value"].nunique()
    for seed in range(options.seeds):
        flipped = np.random.default_rng(seed).choice(len(rows), round(SHARE * len(rows)), replace=False)
        wrong = rows.copy()
        wrong.loc[flipped, "value"] = (wrong.loc[flipped, "value"] + 1) % classes
        ranked = label_errors.rank(wrong, vectors, folds=5, seed=20)
        names = set(rows.loc[flipped, "objectId"])
        top = ranked["objectId"][: len(rows) // 10].isin(names).sum()
        suspects = ranked.loc[ranked["suspect"] == "yes", "objectId"].isin(names)
        print(
            f"seed {seed}: {top / len(flipped):.0%} of {len(flipped)} flipped labels in the first tenth; {suspects.mean():.0%} "
            f"of {len(suspects)} suspects are flipped; the doubting model agrees with {label_errors.agreement(ranked):.1%} of all"
        )


if __name__ == "__main__":
    main()
