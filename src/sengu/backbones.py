"""A source -> a TF2 SavedModel feature vector: the pretrained network without its classifier.

It takes float32 NHWC in 0..1 (TensorFlow Hub's convention) and gives float32 (n, d). TensorFlow is imported here.
"""

import http.client
import os
import shutil
import socket
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
import tf_keras as keras

from sengu.errors import SenguError

EMBEDDED = "embedded"
TIMEOUT = 60  # seconds without a byte from the Hub
# different in every run, and not needed for loading
FINGERPRINT = "fingerprint.pb"
UNREACHABLE = (OSError, EOFError, ValueError, zlib.error, tarfile.TarError, http.client.HTTPException, tf.errors.OpError)


def write(source: str, embedded: Path, folder: Path, cache: Path) -> int:
    """Writes the backbone named by `source` into `folder`; returns the number of its features.

    `embedded` is the file of weights for the source of that name; `cache` keeps downloads. Raises SenguError if the source
    cannot be had or is not a trainable feature vector; nothing else is taken in its place.
    """
    if source == EMBEDDED:
        unpack(embedded).save(folder, overwrite=True, include_optimizer=False)
    else:
        shutil.copytree(fetch(source, cache), folder, dirs_exist_ok=True)
    (folder / FINGERPRINT).unlink(missing_ok=True)
    return features(folder, source)


def unpack(weights: Path) -> keras.Model:
    """EfficientNet-B0 with the float16 weights that ship with the repository (models/embedded/README.md)."""
    network = keras.applications.EfficientNetB0(include_top=False, weights=None, input_shape=(None, None, 3), pooling="avg")
    stored = np.load(weights)
    for weight in network.weights:
        if weight.name in stored:
            weight.assign(stored[weight.name].astype(np.float32))
    picture = keras.Input((None, None, 3))
    return keras.Model(picture, network(keras.layers.Rescaling(255.0)(picture)))


def fetch(source: str, cache: Path) -> Path:
    """The local folder of a SavedModel: a folder as it is, an archive unpacked, a TensorFlow Hub URL downloaded."""
    if source.startswith(("http://", "https://")):
        with _hub_cache(cache):
            try:
                return Path(hub.resolve(source))
            except UNREACHABLE as error:
                reason = " ".join(str(error).split()) or type(error).__name__
                raise SenguError(
                    f"params.yaml: backbone.source: {source} could not be fetched ({reason}): repeat when it can be reached, or "
                    "download the model elsewhere and give its local path; the pinned backbone comes back with `dvc pull`"
                ) from error
    path = Path(source)
    if path.is_dir():
        return path
    if path.is_file():
        unpacked = cache / path.name.split(".")[0]
        shutil.rmtree(unpacked, ignore_errors=True)
        try:
            with tarfile.open(path) as archive:
                archive.extractall(unpacked, filter="data")
        except UNREACHABLE as error:
            raise SenguError(
                f"params.yaml: backbone.source: {source} is not a whole tar archive ({error}): fetch it again"
            ) from error
        return unpacked
    raise SenguError(
        f"params.yaml: backbone.source: {source!r} is neither {EMBEDDED!r}, nor a URL, nor a folder or tar archive here"
    )


def features(folder: Path, source: str) -> int:
    """The number of features of a SavedModel. Raises SenguError if it is not a trainable TF2 feature vector for pictures."""
    try:
        layer = hub.KerasLayer(str(folder), trainable=True)
        signature = layer.resolved_object.signatures["serving_default"].structured_input_signature[1]
        side = next(iter(signature.values())).shape[1] or 64
        shape = layer(tf.zeros((1, side, side, 3)), training=False).shape
    except (*UNREACHABLE, KeyError, TypeError, AttributeError, IndexError) as error:
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
    return hub.KerasLayer(str(folder), trainable=trainable)


@contextmanager
def _hub_cache(cache: Path) -> Iterator[None]:
    """TensorFlow Hub takes its cache from the environment, and its downloads wait for ever unless sockets time out."""
    before, timeout = os.environ.get("TFHUB_CACHE_DIR"), socket.getdefaulttimeout()
    os.environ["TFHUB_CACHE_DIR"] = str(cache)
    socket.setdefaulttimeout(TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(timeout)
        if before is None:
            del os.environ["TFHUB_CACHE_DIR"]
        else:
            os.environ["TFHUB_CACHE_DIR"] = before
