"""models/backbone -> the pretrained network without its classifier, as a Keras layer or a fast function.

It takes float32 NHWC in 0..1 (TensorFlow Hub's convention) and gives float32 (n, d).
"""

from __future__ import annotations  # those of TensorFlow would load it

import platform
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sengu.base.errors import SenguError
from sengu.base.io_errors import is_refusal

# no public module has it; tf2onnx, which the release needs, imports it from here, too
from sengu.networks.runtime import convert_variables_to_constants_v2, hub, keras, saved_model_pb2, tf

# different in every run, and not needed for loading
FINGERPRINT = "fingerprint.pb"
LIBRARIES = ("numpy", "tensorflow", "tf-keras", "tensorflow-hub")  # which decide what a network gives
# errors of loading a SavedModel that is none, cut off or changed
BROKEN = (OSError, ValueError, LookupError, TypeError, AttributeError, StopIteration)  # and TensorFlow's own
CPU = Path("/proc/cpuinfo")
KINDS = re.compile(r"^(?:model name|flags|CPU part|Features)\s*:\s*(.*)$", re.MULTILINE)  # of x86, and of ARM


def processors() -> list[object]:
    """The kind of processor that computes here, as far as the last bits of a result depend on it."""
    cpu = sorted(set(KINDS.findall(CPU.read_text()))) if CPU.exists() else []
    gpus = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.get_visible_devices("GPU")]
    return [platform.machine(), *cpu, *gpus]


def check(folder: Path) -> None:
    """Raises SenguError if there is no backbone. It does not load TensorFlow, which is slow."""
    if not folder.is_dir():
        raise SenguError(f"{folder} is missing: run `dvc repro backbone`, or `dvc pull` if someone else produced it")


def layer(folder: Path, trainable: bool) -> Any:
    """The backbone as a Keras layer; call it with training=False to keep its BatchNorm statistics frozen."""
    check(folder)
    try:
        return hub.KerasLayer(str(folder), trainable=trainable)
    except (*BROKEN, tf.errors.OpError) as error:
        if is_refusal(error):
            raise
        raise SenguError(f"{folder} is damaged ({_reason(error)}): `sengu heal {folder}` restores it") from error


def frozen(folder: Path, size: int) -> Callable[[np.ndarray], np.ndarray]:
    """The backbone as a function from pixels, uint8 (n, size, size, 3), to features, float32 (n, d).

    With constant weights, TensorFlow folds the BatchNorms into the convolutions, which is 1.3 times as fast. Compiled by XLA it
    would have a tenth of the speed on a CPU.
    """
    network = layer(folder, trainable=False)

    @tf.function(input_signature=[tf.TensorSpec((None, size, size, 3), tf.uint8)])  # type: ignore[untyped-decorator]
    def run(pixels: tf.Tensor) -> tf.Tensor:
        return network(tf.cast(pixels, tf.float32) / 255.0, training=False)

    constant = convert_variables_to_constants_v2(run.get_concrete_function())
    return lambda pixels: np.asarray(constant(tf.constant(pixels))[0])


def save(network: keras.Model, folder: Path) -> None:
    """Writes a Keras model from pictures to features as a SavedModel that runs and trains; its BatchNorm statistics stay frozen.

    Not in Keras's own format, which holds several functions of each layer: hub.KerasLayer calls none of them, and to write and
    to load them takes several times as long (https://www.tensorflow.org/hub/reusable_saved_models).
    """
    pictures = tf.TensorSpec((None, *network.input_shape[1:]), tf.float32, "pictures")
    run = tf.function(lambda pictures: network(pictures, training=False), input_signature=[pictures], autograph=False)
    serve = tf.function(lambda pictures: {"features": run(pictures)}, input_signature=[pictures], autograph=False)
    vector = tf.train.Checkpoint()  # whatever can have attributes that are saved
    vector.__call__ = run
    vector.variables, vector.trainable_variables = network.weights, network.trainable_weights
    vector.regularization_losses = []
    tf.saved_model.save(vector, str(folder), serve)
    make_reproducible(folder)


def make_reproducible(folder: Path) -> None:
    """Sorts the functions of a SavedModel by name, and drops its fingerprint: TensorFlow's differ from process to process."""
    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for graph in saved.meta_graphs:
        library = graph.graph_def.library
        functions = sorted(library.function, key=lambda function: function.signature.name)
        del library.function[:]
        library.function.extend(functions)
    path.write_bytes(saved.SerializeToString(deterministic=True))
    (folder / FINGERPRINT).unlink(missing_ok=True)


def features(folder: Path, source: str, size: int) -> int:
    """The number of features that a SavedModel gives for pictures of `size` pixels.

    Raises SenguError if it is not a trainable TF2 feature vector, or takes pictures of one other size only.
    """
    try:
        network = hub.KerasLayer(str(folder), trainable=True)
        signature = network.resolved_object.signatures["serving_default"].structured_input_signature[1]
        picture = next(iter(signature.values())).shape
        sides = tuple(picture[1:3]) if picture.rank == 4 else (None, None)
        if all(side in (None, size) for side in sides):
            shape = network(tf.zeros((1, size, size, 3)), training=False).shape
    except (*BROKEN, tf.errors.OpError) as error:
        if is_refusal(error):
            raise
        raise SenguError(
            f"params.yaml: backbone.source: {source} is not a TF2 SavedModel of a feature vector: {_reason(error)}"
        ) from error
    if any(side not in (None, size) for side in sides):
        raise SenguError(
            f"params.yaml: prepare.size is {size}, but backbone.source: {source} takes pictures of "
            f"{sides[0]} x {sides[1]} pixels only: set prepare.size to that, or take another backbone"
        )
    if len(shape) != 2 or not network.trainable_weights:
        raise SenguError(
            f"params.yaml: backbone.source: {source} gives {tuple(shape)} with {len(network.trainable_weights)} trainable "
            "weights; expected a feature vector (1, d) that can be fine-tuned"
        )
    return int(shape[1])


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
