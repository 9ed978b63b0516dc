"""models/classifier: the trained head by itself, as two arrays, and the fine-tuned network as a SavedModel."""

from pathlib import Path

import numpy as np
from scipy.special import softmax

from sengu.errors import SenguError

HEAD = "head.npz"
NETWORK = "network"
BATCH = 256


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


def network_probabilities(folder: Path, pixels: np.ndarray) -> np.ndarray:
    """Probabilities (n, classes) of the fine-tuned network on pixels, uint8 (n, size, size, 3)."""
    import tensorflow as tf  # 20 seconds that the head does not need

    path = folder / NETWORK
    if not path.is_dir():
        raise SenguError(f"{path} is missing: run `dvc repro train`, or `dvc pull` if someone else trained it")
    network = tf.saved_model.load(str(path))  # a name of its own: its functions die with it
    serve = network.signatures["serving_default"]
    (name,) = serve.structured_input_signature[1]
    batches = (pixels[start : start + BATCH] for start in range(0, len(pixels), BATCH))
    return np.concatenate([next(iter(serve(**{name: tf.constant(batch)}).values())).numpy() for batch in batches])
