"""models/classifier: the trained head by itself, as two arrays, and the fine-tuned network as a SavedModel.

The SavedModel takes `picture`, uint8 (n, size, size, 3), and gives `probabilities`, float32 (n, classes), and `embedding`,
float32 (n, d), the L2-normalised feature vector of the fine-tuned backbone.
"""

from pathlib import Path

import numpy as np
from scipy.special import softmax

from sengu.errors import SenguError

HEAD = "head.npz"
NETWORK = "network"
OUTPUTS = ("probabilities", "embedding")
MOST, PIXELS = 256, 1 << 21  # pictures and pixels of one batch at most, as in the features stage


def save_head(path: Path, kernel: np.ndarray, bias: np.ndarray) -> None:
    """float32 kernel (d, classes) and bias (classes,)."""
    np.savez(path, kernel=kernel, bias=bias)


def head_probabilities(folder: Path, features: np.ndarray) -> np.ndarray:
    """Probabilities (n, classes) of the head on the features (n, d) of the frozen backbone."""
    path = folder / HEAD
    if not path.is_file():
        raise SenguError(f"{path} is missing: run `dvc repro train`, or `dvc pull` if someone else trained it")
    head = np.load(path)
    return np.asarray(softmax(features @ head["kernel"] + head["bias"], axis=1))


def run_network(folder: Path, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the fine-tuned network says of pixels, uint8 (n, size, size, 3).

    Returns probabilities, float32 (n, classes), and embeddings, float32 (n, d): L2-normalised feature vectors.
    """
    import tensorflow as tf  # 20 seconds that the head does not need

    path = folder / NETWORK
    if not path.is_dir():
        raise SenguError(f"{path} is missing: run `dvc repro train`, or `dvc pull` if someone else trained it")
    network = tf.saved_model.load(str(path))  # a name of its own: its functions die with it
    serve = network.signatures["serving_default"]
    size = min(MOST, max(1, PIXELS // (pixels.shape[1] * pixels.shape[2])))
    found = [serve(picture=tf.constant(pixels[start : start + size])) for start in range(0, len(pixels), size)]
    probabilities, embeddings = (np.concatenate([batch[name].numpy() for batch in found]) for name in OUTPUTS)
    return probabilities, embeddings
