"""The fine-tuned network and the preprocessing graph -> one ONNX model of one picture; needs TensorFlow and tf2onnx."""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from onnx import compose, helper

from sengu.base.errors import SenguError
from sengu.base.io_errors import named
from sengu.networks import backbone
from sengu.networks.classifier import OUTPUTS
from sengu.networks.runtime import convert_variables_to_constants_v2, tf
from sengu.pictures import resizing
from sengu.release.bundle import FEATURES

CURE = "run `dvc repro train`, or `dvc pull` if someone else trained it"


def convert(network: Path, size: int, fit: str) -> onnx.ModelProto:
    """A model from `picture`, uint8 (height, width, 3), to the network's outputs, without a batch axis.

    `network` is a SavedModel whose serving signature takes `picture`, uint8 (n, size, size, 3). The model has its outputs
    `probabilities`, float32 (classes,), and `embedding`, float32 (d,). The same network gives the same bytes. Raises SenguError
    if the network is missing, or is one for pictures of another size.
    """
    return _with_preprocessing(_network(network, size), size, fit)


def convert_backbone(folder: Path, size: int, fit: str) -> onnx.ModelProto:
    """A model from `picture`, uint8 (height, width, 3), to `features`, float32 (d,) of length 1: those of the frozen backbone.

    The same backbone gives the same bytes. Raises SenguError if it is missing or damaged.
    """
    # the signature, not the layer: the model would hold the layer's name, which depends on how many there were before
    network = backbone.layer(folder, trainable=False).resolved_object
    serve = network.signatures["serving_default"]
    (name,) = serve.structured_input_signature[1]

    @tf.function(input_signature=[tf.TensorSpec((size, size, 3), tf.uint8)], autograph=False)  # type: ignore[untyped-decorator]
    def run(pixels: tf.Tensor) -> list[tf.Tensor]:
        (vector,) = serve(**{name: tf.expand_dims(tf.cast(pixels, tf.float32) / 255.0, 0)}).values()
        return [tf.math.l2_normalize(tf.squeeze(vector, 0))]

    return _with_preprocessing(_converted(run, [FEATURES]), size, fit)


def _with_preprocessing(network: onnx.ModelProto, size: int, fit: str) -> onnx.ModelProto:
    merged = compose.merge_models(
        resizing.graph(size, fit), network, io_map=[("pixels", "pixels")], name="sengu", producer_name="sengu"
    )
    model = _simplified(merged)
    onnx.checker.check_model(model, full_check=True)
    return model


def check(folder: Path) -> None:
    """Raises SenguError if there is no network. It does not load TensorFlow, which is slow."""
    if not folder.is_dir():
        raise SenguError(f"{folder} is missing: {CURE}")


def _network(folder: Path, size: int) -> onnx.ModelProto:
    """A graph from `pixels`, uint8 (size, size, 3)."""
    check(folder)
    network = tf.saved_model.load(str(folder))  # a name of its own: its functions die with it
    serve = network.signatures["serving_default"]
    shape = serve.structured_input_signature[1]["picture"].shape
    if not shape.is_compatible_with((1, size, size, 3)):
        raise SenguError(
            f"{folder} takes pixels {tuple(shape)}, but prepare.size in params.yaml is {size}: run `dvc repro train`"
        )

    @tf.function(input_signature=[tf.TensorSpec((size, size, 3), tf.uint8)], autograph=False)  # type: ignore[untyped-decorator]
    def run(pixels: tf.Tensor) -> list[tf.Tensor]:
        served = serve(picture=tf.expand_dims(pixels, 0))
        return [tf.squeeze(served[name], 0) for name in OUTPUTS]

    return _converted(run, OUTPUTS)


def _converted(run: Any, outputs: Sequence[str]) -> onnx.ModelProto:
    """The function `run` of pixels, with its variables as constants; `outputs` names what it gives."""
    from tf2onnx import tfonnx  # which loads TensorFlow

    for library in ("tensorflow", "tf2onnx"):  # they warn of their own deprecated functions
        logging.getLogger(library).setLevel(logging.ERROR)
    # not tf2onnx.convert: it takes constants that a SavedModel's functions captured for inputs, and the result of its
    # optimizers differs from run to run
    frozen = convert_variables_to_constants_v2(run.get_concrete_function(), lower_control_flow=False, aggressive_inlining=True)
    names = [tensor.name for tensor in (*frozen.inputs, *frozen.outputs)]
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(frozen.graph.as_graph_def(add_shapes=True), name="")
        converted = tfonnx.process_tf_graph(
            graph,
            opset=resizing.OPSET,
            input_names=names[:1],
            output_names=names[1:],
            tensors_to_rename=dict(zip(names, ("pixels", *outputs), strict=True)),
        )
        model: onnx.ModelProto = converted.make_model("network")
    return model


def _simplified(model: onnx.ModelProto) -> onnx.ModelProto:
    """Simplifies by ONNX Runtime's basic optimizations, which leave standard operators, a third as many, for any processor."""
    with tempfile.TemporaryDirectory() as scratch:
        path, content = Path(scratch, "model.onnx"), model.SerializeToString()
        with named(path):  # ONNX Runtime does not report a full disk
            path.write_bytes(content)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        simple = onnx.load(path)
    del simple.opset_import[:]  # ONNX Runtime lists every set that it knows
    simple.opset_import.append(helper.make_opsetid("", resizing.OPSET))
    simple.graph.ClearField("doc_string")
    _name_constants(simple.graph)
    return simple


def _name_constants(graph: onnx.GraphProto) -> None:
    """Names constants by the order of their first use; TensorFlow's numbers differ from process to process."""
    constants = {constant.name: constant for constant in graph.initializer}
    names: dict[str, str] = {}
    for node in graph.node:
        for position, name in enumerate(node.input):
            if name in constants:
                node.input[position] = names.setdefault(name, f"constant_{len(names)}")
    del graph.initializer[:]
    for old, new in names.items():
        constants[old].name = new
        graph.initializer.append(constants[old])
