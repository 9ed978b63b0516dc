"""Weights of EfficientNet -> the network without its classifier, as a Keras model that takes float32 NHWC in 0..1."""

from __future__ import annotations  # those of TensorFlow would load it

import hashlib
import re
import tempfile
from pathlib import Path

import numpy as np

from sengu.backbones import downloads
from sengu.base import arrays
from sengu.base.errors import SenguError
from sengu.networks.runtime import efficientnet, keras, tf

# the input size that each variant was made for, in pixels (https://keras.io/api/applications/efficientnet/)
SIZES = {"b0": 224, "b1": 240, "b2": 260, "b3": 300, "b4": 380, "b5": 456, "b6": 528, "b7": 600}


def unpack(weights: Path) -> keras.Model:
    """EfficientNet-B0 with the float16 weights that ship with the repository (models/embedded/README.md)."""
    cure = f"`git checkout {weights}` brings it back"
    if not weights.is_file():
        raise SenguError(f"{weights} is missing: it ships with the repository, {cure}")
    stored, network = arrays.read(weights, cure), _network("b0")
    # Keras numbers the one layer without a name of its own when a process builds several networks
    floats = {re.sub(r"^normalization_\d+/", "normalization/", w.name): w for w in network.weights if w.dtype == tf.float32}
    if {name: tuple(weight.shape) for name, weight in floats.items()} != {name: array.shape for name, array in stored.items()}:
        raise SenguError(f"{weights} does not hold the weights of EfficientNet-B0: {cure}")
    for name, weight in floats.items():
        weight.assign(stored[name].astype(np.float32))
    _normalization(network).finalize_state()  # else it normalizes by what it was built with
    return _from_unit_range(network)


def imagenet(variant: str) -> keras.Model:
    """EfficientNet with Keras's weights for ImageNet, downloaded and checked against the MD5 that Keras knows of them.

    It does not use `weights="imagenet"`, which keeps the file in the user's home, and reports a failure as a bare Exception.
    """
    name = f"efficientnet{variant}_notop.h5"
    url = efficientnet.BASE_WEIGHTS_PATH + name
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, name)
        downloads.fetch(url, path, f"keras:imagenet/{variant}")
        digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        expected = efficientnet.WEIGHTS_HASHES[variant][1]
        if digest != expected:
            raise SenguError(
                f"params.yaml: backbone.source: keras:imagenet/{variant}: {url} has the MD5 {digest}, but Keras expects "
                f"{expected}: fetch it again; {downloads.PINNED}"
            )
        network = _network(variant, path)
    # these weights hold the standard deviation as variance; with weights="imagenet" Keras adds an operation that corrects it
    normalization = _normalization(network)
    normalization.adapt_variance.assign(normalization.adapt_variance * efficientnet.IMAGENET_STDDEV_RGB)
    normalization.finalize_state()
    return _from_unit_range(network)


def _network(variant: str, weights: Path | None = None) -> keras.Model:
    build = getattr(keras.applications, f"EfficientNet{variant.upper()}")
    return build(include_top=False, weights=None if weights is None else str(weights), input_shape=(None, None, 3), pooling="avg")


def _normalization(network: keras.Model) -> keras.layers.Layer:
    return next(part for part in network.layers if isinstance(part, keras.layers.Normalization))


def _from_unit_range(network: keras.Model) -> keras.Model:
    """Scales 0..1 to the 0..255 that the network of Keras takes."""
    picture = keras.Input((None, None, 3))
    return keras.Model(picture, network(keras.layers.Rescaling(255.0)(picture)))
