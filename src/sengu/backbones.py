"""A source -> a TF2 SavedModel feature vector: the pretrained network without its classifier.

It takes float32 NHWC in 0..1 (TensorFlow Hub's convention) and gives float32 (n, d). TensorFlow is imported here.
"""

import gzip
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import requests
import tensorflow as tf
import tensorflow_hub as hub
import tf_keras as keras
from tqdm import tqdm

from sengu.errors import SenguError

EMBEDDED = "embedded"
TIMEOUT = 60  # seconds without a byte from the Hub
# different in every run, and not needed for loading
FINGERPRINT = "fingerprint.pb"
GZIP_MAGIC = b"\x1f\x8b"


def write(source: str, embedded: Path, folder: Path) -> int:
    """Writes the backbone named by `source` into `folder`; returns the number of its features.

    `embedded` is the file of weights for the source of that name. Raises SenguError if the source cannot be had or is not a
    trainable feature vector; nothing else is taken in its place.
    """
    if source == EMBEDDED:
        unpack(embedded).save(folder, overwrite=True, include_optimizer=False)
    elif source.startswith(("http://", "https://")):
        _from_hub(source, folder)
    elif Path(source).is_dir():
        shutil.copytree(source, folder, dirs_exist_ok=True)
    elif Path(source).is_file():
        _from_archive(Path(source), folder, source)
    else:
        raise SenguError(
            f"params.yaml: backbone.source: {source!r} is neither {EMBEDDED!r}, nor a URL, nor a folder or tar archive here"
        )
    (folder / FINGERPRINT).unlink(missing_ok=True)
    return features(folder, source)


def unpack(weights: Path) -> keras.Model:
    """EfficientNet-B0 with the float16 weights that ship with the repository (models/embedded/README.md)."""
    network = keras.applications.EfficientNetB0(include_top=False, weights=None, input_shape=(None, None, 3), pooling="avg")
    if not weights.is_file():
        raise SenguError(f"{weights} is missing: it ships with the repository, `git checkout {weights}` brings it back")
    stored = np.load(weights)
    floats = {weight.name: weight for weight in network.weights if weight.dtype == tf.float32}
    if floats.keys() != set(stored.files):
        raise SenguError(f"{weights} does not hold the weights of EfficientNet-B0: `git checkout {weights}` brings them back")
    for name, weight in floats.items():
        weight.assign(stored[name].astype(np.float32))
    picture = keras.Input((None, None, 3))
    return keras.Model(picture, network(keras.layers.Rescaling(255.0)(picture)))


def _from_hub(url: str, folder: Path) -> None:
    """Downloads a model by TensorFlow Hub's protocol: the URL with ?tf-hub-format=compressed answers with a tar archive.

    Not with tensorflow_hub's own resolver, which never looks at the checksum of the archive and would keep a corrupt model.
    """
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch, "model.tar.gz")
        try:
            with requests.get(url, params={"tf-hub-format": "compressed"}, stream=True, timeout=TIMEOUT) as answer:
                answer.raise_for_status()
                size = int(answer.headers.get("Content-Length", 0)) or None
                with (
                    archive.open("wb") as file,
                    tqdm(desc="backbone", total=size, unit="B", unit_scale=True, disable=None) as progress,
                ):
                    for chunk in answer.iter_content(1 << 16):
                        progress.update(file.write(chunk))
        except requests.RequestException as error:
            raise SenguError(
                f"params.yaml: backbone.source: {url} could not be fetched ({error}): repeat when it can be reached, or "
                "download the model elsewhere and give its local path; the pinned backbone comes back with `dvc pull`"
            ) from error
        _from_archive(archive, folder, url)


def _from_archive(archive: Path, folder: Path, source: str) -> None:
    try:
        with archive.open("rb") as file:
            compressed = file.read(2) == GZIP_MAGIC
        if compressed:
            with gzip.open(archive) as stream:
                while stream.read(1 << 20):  # to the end, where the checksum is; tarfile stops before it
                    pass
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        reason = str(error).splitlines()[0]  # tarfile lists every compression it tried
        raise SenguError(
            f"params.yaml: backbone.source: {source} is not a whole tar archive ({reason}): "
            "fetch it again; the pinned backbone comes back with `dvc pull`"
        ) from error


def features(folder: Path, source: str) -> int:
    """The number of features of a SavedModel. Raises SenguError if it is not a trainable TF2 feature vector for pictures."""
    try:
        layer = hub.KerasLayer(str(folder), trainable=True)
        signature = layer.resolved_object.signatures["serving_default"].structured_input_signature[1]
        side = next(iter(signature.values())).shape[1] or 64
        shape = layer(tf.zeros((1, side, side, 3)), training=False).shape
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SenguError(
            f"params.yaml: backbone.source: {source} is not a TF2 SavedModel of a feature vector: {reason}"
        ) from error
    if len(shape) != 2 or not layer.trainable_weights:
        raise SenguError(
            f"params.yaml: backbone.source: {source} gives {tuple(shape)} with {len(layer.trainable_weights)} trainable weights; "
            "expected a feature vector (1, d) that can be fine-tuned"
        )
    return int(shape[1])


def layer(folder: Path, trainable: bool) -> Any:
    """The backbone as a Keras layer; call it with training=False to keep its BatchNorm statistics frozen."""
    if not folder.is_dir():
        raise SenguError(f"{folder} is missing: run `dvc repro backbone`, or `dvc pull` if someone else produced it")
    return hub.KerasLayer(str(folder), trainable=trainable)
