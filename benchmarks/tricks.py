"""Photographs -> what each of the tricks that practitioners know gives fine-tuning: accuracy on pictures held out, several seeds.

    python benchmarks/tricks.py PHOTOGRAPHS.zip [--seeds 1 2 3] [--size 64] [--train 200] [--epochs 4] [--only NAME ...]

The zip holds one folder per class. Each seed draws its own train, validation (a fifth as many) and test (all others) pictures;
within a seed all tricks meet the same ones, so that the differences are paired. A line is printed as soon as it is known.
"""

import argparse
import tempfile
import zipfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from sengu import examples
from sengu.backbones import efficientnet
from sengu.base import params
from sengu.examples import Examples
from sengu.networks import backbone
from sengu.training import phases, temperature
from sengu.training.fine_tuning import FineTuning
from sengu.training.head import train_head
from sengu.training.network import Network
from sengu.training.workers import Place

EMBEDDED = Path(__file__).parents[1] / "models/embedded/efficientnet-b0.npz"
FLIP = params.Augmentation(flip=True)
# name -> how it differs from the settings that params.yaml comes with: of the phase, or of the whole training
TRICKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "as it comes": ({}, {}),
    "no flip": ({"augmentation": params.Augmentation()}, {}),
    "rate 0.001": ({"rate": 0.001}, {}),
    "rate 0.0001": ({"rate": 0.0001}, {}),
    "lowest_rate 0.1": ({"lowest_rate": 0.1}, {}),
    "frozen 0.5": ({"frozen": 0.5}, {}),
    "label_smoothing 0.1": ({"label_smoothing": 0.1}, {}),
    "weight_decay 0.05": ({"weight_decay": 0.05}, {}),
    "crop 0.5": ({"augmentation": replace(FLIP, crop=0.5)}, {}),
    "rotation 15, zoom 0.1": ({"augmentation": replace(FLIP, rotation=15.0, zoom=0.1)}, {}),
    "mirror": ({}, {"mirror": True}),
    "twice the epochs": ({"epochs": 2.0}, {}),
}


def photographs(path: Path, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels, uint8 (n, size, size, 3), and values, of all photographs in the order of their names."""
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.lower().endswith((".jpg", ".jpeg", ".png")))
        classes = sorted({name.split("/")[0] for name in names})
        pictures = (Image.open(BytesIO(archive.read(name))).convert("RGB") for name in names)
        pixels = np.stack([np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC)) for picture in pictures])
    return pixels, np.array([classes.index(name.split("/")[0]) for name in names])


def divided(values: np.ndarray, train: int, seed: int) -> np.ndarray:
    """The type of each picture; train and validation have as many of each class."""
    types = np.full(len(values), "test", dtype=object)
    for value in np.unique(values):
        rows = np.random.default_rng([seed, value]).permutation(np.flatnonzero(values == value))
        share = train // len(np.unique(values))
        types[rows[:share]], types[rows[share : share + share // 5]] = "train", "validation"
    return types


def settings(seed: int, epochs: int, trick: tuple[dict[str, Any], dict[str, Any]]) -> params.Train:
    of_phase, of_training = trick
    phase = {"epochs": epochs, "rate": 0.0003, "batch": 32, "warm_up": 0.1, "decay": "cosine", "patience": 2}
    phase |= {"augmentation": FLIP} | of_phase
    if "epochs" in of_phase:
        phase["epochs"] = round(epochs * of_phase["epochs"])
    return params.Train(seed=seed, fine_tune=params.FineTune(**phase), class_weights="balanced", **of_training)


def measured(folder: Path, pixels: Examples, features: Examples, how: params.Train) -> dict[str, float]:
    """Accuracy and loss on the test pictures, before and after the temperature was chosen; the accuracy of the head too."""
    types, values = pixels.rows["type"], pixels.values
    classes = len(np.unique(values))
    head = train_head(features, classes, how, lambda *arguments: None)
    network = Network(folder, head, pixels.arrays.shape[1], how.mirror)
    tuning = FineTuning(network, pixels, how, Place(0, 1))
    notes = phases.Notes(lambda *arguments: None)
    phases.fit("fine_tune", tuning.learner, phases.Passes(tuning.trained, tuning.validated), phases.Progress(), notes)
    test, validation = (np.flatnonzero(types == name) for name in ("test", "validation"))
    softer = temperature.choose(network.log_probabilities(pixels.arrays, validation), values[validation])
    found = network.log_probabilities(pixels.arrays, test)
    scaled = found / softer - np.log(np.exp(found / softer).sum(axis=1, keepdims=True))
    right = np.arange(len(test)), values[test]
    return {
        "head": float(((features.arrays[test] @ head[0] + head[1]).argmax(axis=1) == values[test]).mean()),
        "accuracy": float((found.argmax(axis=1) == values[test]).mean()),
        "loss": float(-found[right].mean()),
        "temperature": softer,
        "scaled loss": float(-scaled[right].mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--train", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--only", nargs="+", default=list(TRICKS))
    chosen = parser.parse_args()
    pixels, values = photographs(chosen.archive, chosen.size)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "backbone"
        efficientnet.unpack(EMBEDDED).save(folder)
        run, size = backbone.frozen(folder, chosen.size), examples.batch_size(pixels)
        vectors = np.concatenate([run(pixels[start : start + size]) for start in range(0, len(pixels), size)])
        print("trick".ljust(24) + "seed  head    network  loss    temperature  scaled loss", flush=True)
        # a process for each: TensorFlow keeps what it has traced, and slows down
        with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
            for seed in chosen.seeds:
                rows = pd.DataFrame({"value": values, "type": divided(values, chosen.train, seed)})
                for trick in chosen.only:
                    how = settings(seed, chosen.epochs, TRICKS[trick])
                    found = pool.submit(measured, folder, Examples(rows, pixels), Examples(rows, vectors), how).result()
                    numbers = "{head:<8.3f}{accuracy:<9.3f}{loss:<8.3f}{temperature:<13.3f}{scaled loss:.3f}".format(**found)
                    print(f"{trick:<24}{seed:<6}{numbers}", flush=True)


if __name__ == "__main__":
    main()
