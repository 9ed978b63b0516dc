"""Accuracy of the head on the pixels of `prepare` and on those of Keras's image generator.

    python benchmarks/resizing.py PHOTOGRAPHS.zip [--pictures 5000] [--size 224]

Pictures and backbone are those of train.py, with which one comparison costs ten passes of the obvious script; here the features
of both kinds of pixels are computed once, by the same function, and the same head is fitted to both. Every
photograph is once among those for testing; the interval of the difference is a bootstrap of photographs, whose crops are alike.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras as keras
import train as benchmark
from tqdm import tqdm

from sengu import examples as pixels
from sengu.base import params
from sengu.base.tables import versions
from sengu.examples import Examples
from sengu.networks import backbone
from sengu.training.head import train_head


def keras_pixels(folder: Path, examples: Examples, size: int) -> np.ndarray:
    """As ImageDataGenerator makes them, by its own function and defaults: uint8 (n, size, size, 3)."""
    files = {path.name: path for path in (folder / "folders").rglob("*.jpg")}
    loaded = (keras.utils.load_img(files[name], target_size=(size, size)) for name in examples.rows["objectId"])
    found = np.empty(examples.arrays.shape, np.uint8)
    for row, picture in enumerate(tqdm(loaded, total=len(found), desc="Keras", disable=None)):
        found[row] = picture
    return found


def features(pictures: np.ndarray, folder: Path) -> np.ndarray:
    run, batch = backbone.frozen(folder / "backbone", pictures.shape[1]), pixels.batch(pictures)
    starts = tqdm(range(0, len(pictures), batch), desc="features", disable=None)
    return np.concatenate([run(pictures[start : start + batch]) for start in starts])


def hits(examples: Examples, classes: int, photographs: np.ndarray) -> np.ndarray:
    """For each picture: does the head that was fitted to other photographs call it what it is?"""
    settings = params.Train(seed=1, fine_tune=params.FineTune(epochs=0, rate=1.0, batch=1))
    found = np.empty(len(examples.arrays), bool)
    for fold in range(benchmark.FOLDS):
        test = photographs % benchmark.FOLDS == fold
        rows = examples.rows.assign(type=np.where(test, "test", "train"))
        kernel, bias = train_head(Examples(rows, examples.arrays), classes, settings, lambda *_: None)
        found[test] = (examples.arrays[test] @ kernel + bias).argmax(axis=1) == examples.values[test]
    return found


def interval(differences: np.ndarray, photographs: np.ndarray) -> tuple[float, float]:
    """The 95% interval of the mean over pictures, resampling whole photographs."""
    sums, counts = (np.bincount(photographs, weights) for weights in (differences, None))
    drawn = np.random.default_rng(1).integers(0, len(sums), (10000, len(sums)))
    low, high = np.percentile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [2.5, 97.5])
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--size", type=int, default=224)
    options = parser.parse_args()
    tf.config.experimental.enable_op_determinism()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        numbers = benchmark.pictures(options.photographs, options.pictures, folder)
        benchmark.settings(folder, options)
        benchmark.stage(folder, "backbone", str(benchmark.EMBEDDED), "backbone")
        benchmark.stage(folder, "prepare", "split_label.csv", "object", "pixels")
        ours = pixels.read_pixels(folder / "pixels")
        photographs = ours.rows["objectId"].map(numbers).to_numpy()
        classes = len(versions.read(folder / "dataset").classes)
        kinds = {"prepare": ours.arrays, "Keras": keras_pixels(folder, ours, options.size)}
        found = {}
        for name, made in kinds.items():
            examples = Examples(ours.rows, features(made, folder))
            found[name] = hits(examples, classes, photographs)
            print(f"{name}: accuracy {found[name].mean():.4f}", flush=True)
    differences = found["prepare"].astype(float) - found["Keras"]
    low, high = interval(differences, photographs)
    print(f"difference {differences.mean():+.4f} ({low:+.4f} to {high:+.4f}), {len(differences)} pictures", end="")
    print(f" of {photographs.max() + 1} photographs")


if __name__ == "__main__":
    main()
