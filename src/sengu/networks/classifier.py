"""models/classifier: the trained head by itself, as two arrays, and the fine-tuned network as a SavedModel.

The SavedModel takes `picture`, uint8 (n, size, size, 3), and gives `probabilities`, float32 (n, classes), and `embedding`,
float32 (n, d), the L2-normalised feature vector of the fine-tuned backbone.
"""

import json
from pathlib import Path

import numpy as np
from scipy.special import softmax

from sengu.base import arrays
from sengu.base.errors import SenguError
from sengu.base.io_errors import is_refusal
from sengu.examples import batch_size
from sengu.networks.runtime import tf

HEAD = "head.npz"
NETWORK = "network"
TEMPERATURE = "temperature.json"
OUTPUTS = ("probabilities", "embedding")
RESTORE = "`sengu heal {}` restores it"


def save_head(path: Path, kernel: np.ndarray, bias: np.ndarray) -> None:
    """Saves the head: float32 kernel (d, classes) and bias (classes,)."""
    arrays.write(path, {"kernel": kernel, "bias": bias})


def head_probabilities(folder: Path, features: np.ndarray) -> np.ndarray:
    """Probabilities (n, classes) of the head on the features (n, d) of the frozen backbone.

    Raises SenguError if the head is missing, damaged or made for other features.
    """
    path = folder / HEAD
    if not path.is_file():
        raise SenguError(f"{path} is missing: run `dvc repro train`, or `dvc pull` if someone else trained it")
    head = arrays.read(path, RESTORE.format(folder))
    if head.keys() != {"kernel", "bias"} or head["kernel"].shape != (features.shape[1], *head["bias"].shape):
        shapes = {name: array.shape for name, array in head.items()}
        raise SenguError(f"{path} holds {shapes}, which is not a head for {features.shape[1]} features: run `dvc repro train`")
    return np.asarray(softmax(features @ head["kernel"] + head["bias"], axis=1))


def save_temperature(folder: Path, temperature: float) -> None:
    """Saves the temperature beside the network, whose logits are divided by it already: who runs the network need not know it."""
    (folder / TEMPERATURE).write_text(json.dumps({"temperature": temperature}) + "\n", encoding="utf-8")


def temperature(folder: Path) -> float:
    """The number that the logits of the network were divided by; 1 if by nothing."""
    path = folder / TEMPERATURE
    return float(json.loads(path.read_text(encoding="utf-8"))["temperature"]) if path.is_file() else 1.0


def run_network(folder: Path, pixels: np.ndarray, rows: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Runs the fine-tuned network on pixels, uint8 (n, size, size, 3), or on some `rows` of them, in that order.

    It reads a memory-mapped array one batch at a time. Returns probabilities, float32 (n, classes), and
    embeddings, float32 (n, d): L2-normalised feature vectors. Raises SenguError if the network is missing or damaged.
    """
    path = folder / NETWORK
    if not path.is_dir():
        raise SenguError(f"{path} is missing: run `dvc repro train`, or `dvc pull` if someone else trained it")
    try:
        network = tf.saved_model.load(str(path))  # keeps the network alive: its functions die with it
        serve = network.signatures["serving_default"]
    except (OSError, ValueError, LookupError, tf.errors.OpError) as error:
        if is_refusal(error):
            raise
        reason = str(error).splitlines()[0]
        raise SenguError(f"{path} is damaged ({reason}): {RESTORE.format(folder)}") from error
    size, chosen = batch_size(pixels), np.arange(len(pixels)) if rows is None else rows
    parts = [serve(picture=tf.constant(pixels[chosen[start : start + size]])) for start in range(0, len(chosen), size)]
    probabilities, embeddings = (np.concatenate([part[name].numpy() for part in parts]) for name in OUTPUTS)
    return probabilities, embeddings
