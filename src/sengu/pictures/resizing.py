"""Pixels of any size -> pixels of the network's size: one ONNX graph, the same for training, prediction and release."""

from collections.abc import Callable
from functools import cache

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

OPSET = 18  # the first whose Resize has antialias
IR_VERSION = 8
LETTERBOX = 255  # the level of the borders, white like the background under transparency


def graph(size: int, fit: str) -> onnx.ModelProto:
    """A model from `picture`, uint8 (height, width, 3), to `pixels`, uint8 (size, size, 3).

    Bilinear with antialias, computed in fixed point by ONNX Runtime, so the result is the same on every processor.
    `fit` is "squash" (both sides to `size`) or "letterbox" (the longer side to `size`, white borders).
    """
    nodes = [
        *(_inside() if fit == "letterbox" else [helper.make_node("Identity", ["sides"], ["inner"])]),
        helper.make_node("Concat", ["one", "inner", "three"], ["sizes"], axis=0),
        helper.make_node("Unsqueeze", ["picture", "first"], ["batch"]),
        helper.make_node("Resize", ["batch", "", "", "sizes"], ["resized"], mode="linear", antialias=1),
        helper.make_node("Squeeze", ["resized", "first"], ["inside"]),
        *(_borders() if fit == "letterbox" else [helper.make_node("Identity", ["inside"], ["pixels"])]),
    ]
    constants = {
        "first": np.array([0], np.int64),
        "one": np.array([1], np.int64),
        "two": np.array([2], np.int64),
        "three": np.array([3], np.int64),
        "sides": np.array([size, size], np.int64),
        "rows_and_columns": np.array([0, 1], np.int64),
        "level": np.array(LETTERBOX, np.uint8),
    }
    used = {name for node in nodes for name in node.input}
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "preprocess",
            [helper.make_tensor_value_info("picture", TensorProto.UINT8, ["height", "width", 3])],
            [helper.make_tensor_value_info("pixels", TensorProto.UINT8, [size, size, 3])],
            [numpy_helper.from_array(value, name) for name, value in constants.items() if name in used],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model)
    return model


@cache
def resizer(size: int, fit: str) -> Callable[[np.ndarray], np.ndarray]:
    """The graph as a function of one picture; single-threaded, since callers work on many pictures at once."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph(size, fit).SerializeToString(), options, providers=["CPUExecutionProvider"])

    def resize(picture: np.ndarray) -> np.ndarray:
        pixels: np.ndarray = session.run(["pixels"], {"picture": picture})[0]
        return pixels

    return resize


def _inside() -> list[onnx.NodeProto]:
    """The sides of a letterboxed picture: the longer becomes `size`, the other keeps the proportion, at least 1."""
    return [
        helper.make_node("Shape", ["picture"], ["shape"], start=0, end=2),
        helper.make_node("ReduceMax", ["shape"], ["longer"], keepdims=1),
        helper.make_node("Mul", ["shape", "sides"], ["product"]),
        helper.make_node("Div", ["product", "longer"], ["quotient"]),
        helper.make_node("Max", ["quotient", "one"], ["inner"]),
    ]


def _borders() -> list[onnx.NodeProto]:
    """The borders: half of the missing pixels of each side go before, the rest behind."""
    return [
        helper.make_node("Sub", ["sides", "inner"], ["missing"]),
        helper.make_node("Div", ["missing", "two"], ["before"]),
        helper.make_node("Sub", ["missing", "before"], ["behind"]),
        helper.make_node("Concat", ["before", "behind"], ["pads"], axis=0),
        helper.make_node("Pad", ["inside", "pads", "level", "rows_and_columns"], ["pixels"]),
    ]
