"""What makes a release travel: other runtimes on the network alone, facts inside the model, and the picture of the self-test."""

import json

import cv2
import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
from onnx import TensorProto, compose, helper, numpy_helper

from sengu.pictures import resizing
from sengu.release import bundle, portable
from sengu.release.bundle import Manifest

SIZE = 32


def whole_model(fit: str) -> onnx.ModelProto:
    """Preprocessing and a small network of the kinds of layers that EfficientNet has, without a batch axis."""
    chance = np.random.default_rng(3)
    kernel = chance.normal(size=(8, 3, 3, 3)).astype(np.float32)
    head = chance.normal(size=(8, 3)).astype(np.float32)
    constants = {"zero": np.array([0], np.int64), "scale": np.array(1 / 255, np.float32), "kernel": kernel, "head": head}
    nodes = [
        helper.make_node("Unsqueeze", ["pixels", "zero"], ["rows"]),
        helper.make_node("Cast", ["rows"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["levels", "scale"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["channels"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["channels", "kernel"], ["conv"], strides=[2, 2], pads=[0, 0, 1, 1]),
        helper.make_node("Sigmoid", ["conv"], ["gate"]),
        helper.make_node("Mul", ["conv", "gate"], ["swish"]),
        helper.make_node("GlobalAveragePool", ["swish"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["vector"]),
        helper.make_node("MatMul", ["vector", "head"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["every"], axis=-1),
        helper.make_node("Squeeze", ["every", "zero"], ["probabilities"]),
        helper.make_node("Squeeze", ["vector", "zero"], ["embedding"]),
    ]
    network = helper.make_model(
        helper.make_graph(
            nodes,
            "network",
            [helper.make_tensor_value_info("pixels", TensorProto.UINT8, [SIZE, SIZE, 3])],
            [
                helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [3]),
                helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [8]),
            ],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", resizing.OPSET)],
        ir_version=resizing.IR_VERSION,
    )
    return compose.merge_models(resizing.graph(SIZE, fit), network, io_map=[("pixels", "pixels")])


@pytest.fixture(params=["squash", "letterbox"])
def whole(request: pytest.FixtureRequest) -> tuple[onnx.ModelProto, np.ndarray]:
    """A whole model, and the pixels of the drawing as its preprocessing makes them."""
    return whole_model(request.param), resizing.resizer(SIZE, request.param)(portable.drawing())


def planes(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[np.newaxis], np.float32)


def probabilities_of(model: onnx.ModelProto, name: str, value: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], {name: value})[0]


def test_three_runtimes_agree_on_the_network_alone(whole: tuple[onnx.ModelProto, np.ndarray], tmp_path) -> None:
    model, pixels = whole
    expected = probabilities_of(model, bundle.INPUT, portable.drawing())
    network = portable.network(model, SIZE)
    assert probabilities_of(network, portable.PIXELS, planes(pixels)) == pytest.approx(expected, abs=1e-6)
    path = tmp_path / portable.NETWORK
    path.write_bytes(network.SerializeToString())
    opencv = cv2.dnn.readNetFromONNX(str(path))
    opencv.setInput(cv2.dnn.blobFromImage(pixels), portable.PIXELS)
    assert opencv.forward("probabilities").ravel() == pytest.approx(expected, abs=1e-4)
    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    assert compiled({portable.PIXELS: planes(pixels)})["probabilities"] == pytest.approx(expected, abs=1e-4)


def manifest() -> Manifest:
    return Manifest(
        name="tiny", version="1.2.3", created_by="a test", classes=["a", "b", "ö"], threshold=None,
        inputs=[{"name": "picture", "meaning": "one picture"}],
        outputs=[{"name": "probabilities", "meaning": "of each", "shape": [3]}, {"name": "embedding", "meaning": "a vector"}],
        preprocessing={"size": SIZE, "fit": "squash"}, dataset={"version": "v7", "md5": "ab"}, backbone={"source": "embedded"},
        classifier={}, metrics={}, files={},
    )  # fmt: skip


def test_the_facts_stand_inside_the_model_which_runs_as_before() -> None:
    before = whole_model("squash")
    made = portable.describe(before, manifest(), portable.title(b"\n   Apache License\n  Version 2.0\n\n terms"))
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["classes"]) == ["a", "b", "ö"]
    assert (facts["version"], facts["dataset_version"], facts["threshold"]) == ("1.2.3", "v7", "null")
    assert facts["licence"] == "Apache License, Version 2.0"
    assert [value.doc_string for value in (*made.graph.input, *made.graph.output)] == ["one picture", "of each", "a vector"]
    assert "a, b, ö" in made.doc_string
    picture = portable.drawing()
    assert probabilities_of(made, bundle.INPUT, picture).tolist() == probabilities_of(before, bundle.INPUT, picture).tolist()


def test_the_drawing_shows_whether_a_resize_has_antialias() -> None:
    """Without it, as OpenCV and OpenVINO run the whole model, the pixels are others by far."""
    ours = resizing.resizer(SIZE, "squash")(portable.drawing()).astype(int)
    without = cv2.resize(portable.drawing(), (SIZE, SIZE), interpolation=cv2.INTER_LINEAR).astype(int)
    assert np.abs(ours - without).mean() > 10
