"""The ONNX model of a picture -> its portable parts: the network alone, facts inside the model, and a self-test."""

import hashlib
import json
from io import BytesIO

import numpy as np
import onnx
from onnx import TensorProto, helper
from PIL import Image

from sengu.release.bundle import INPUT, Manifest, Release

NETWORK = "network.onnx"
PIXELS = "pixels"  # its input
PICTURE = "self_test/picture.bmp"
PICTURE_PIXELS = "self_test/pixels.bmp"
EXPECTED = "self_test/expected.json"
TOLERANCE = 1e-3  # of every probability, between any two runtimes
SIZE = (320, 240)  # of the picture: larger than the inputs of networks, so that resizing matters


def network(model: onnx.ModelProto, size: int) -> onnx.ModelProto:
    """The model without its preprocessing: from `pixels`, float32 (1, 3, size, size), RGB from 0 to 255, to the same outputs.

    OpenCV and OpenVINO load the whole model, too, but silently ignore the antialias of its Resize. This one begins where the
    resized levels become floats.
    """
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    cast = next(node for node in graph.node if node.op_type == "Cast")
    wanted, made_by_network = [output.name for output in graph.output], set[str]()
    while wanted:
        name = wanted.pop()
        if name in makers and name not in made_by_network and name != cast.output[0]:
            made_by_network.update(makers[name].output)
            wanted.extend(makers[name].input)
    first = helper.make_node("Transpose", [PIXELS], [cast.output[0]], perm=[0, 2, 3, 1])
    nodes = [first, *(node for node in graph.node if node.output[0] in made_by_network)]
    used = {name for node in nodes for name in node.input}
    if INPUT in used:
        raise ValueError(f"the network takes {INPUT} past its preprocessing")
    inputs = [helper.make_tensor_value_info(PIXELS, TensorProto.FLOAT, [1, 3, size, size])]
    constants = [constant for constant in graph.initializer if constant.name in used]
    made = helper.make_model(
        helper.make_graph(nodes, "sengu", inputs, list(graph.output), constants),
        opset_imports=list(model.opset_import),
        ir_version=model.ir_version,
        producer_name=model.producer_name,
    )
    onnx.checker.check_model(made, full_check=True)
    return made


def computation(content: bytes) -> str:
    """The SHA-256 of what a model computes, lower-case hex: without what `describe` says in it."""
    bare = onnx.load_from_string(content)
    for part in (bare, bare.graph, *bare.graph.input, *bare.graph.output):
        part.ClearField("doc_string")
    for name in ("metadata_props", "model_version", "producer_name", "producer_version", "domain"):
        bare.ClearField(name)
    return hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest()


def describe(model: onnx.ModelProto, manifest: Manifest, licence: str) -> onnx.ModelProto:
    """A copy of the model with the facts of the manifest inside: metadata_props, doc strings of model, inputs and outputs."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    classes = ", ".join(manifest.classes)
    threshold = "" if manifest.threshold is None else f"; {manifest.classes[-1]!r} from a probability of {manifest.threshold} on"
    facts = {
        "name": manifest.name,
        "version": manifest.version,
        "created_by": manifest.created_by,
        "repository": manifest.repository,
        "classes": json.dumps(manifest.classes, ensure_ascii=False),
        "threshold": json.dumps(manifest.threshold),
        "dataset_version": str(manifest.dataset.get("version", "")),
        "dataset_md5": str(manifest.dataset.get("md5", "")),
        "backbone": str(manifest.backbone.get("source", "")),
        "licence": licence,
        "preprocessing": json.dumps(manifest.preprocessing, ensure_ascii=False),
    }
    helper.set_model_props(made, facts)
    made.doc_string = f"{manifest.name} {manifest.version}: says which of {classes} a picture shows{threshold}."
    meanings = {each["name"]: each["meaning"] for each in (*manifest.inputs, *manifest.outputs)}
    meanings[PIXELS] = f"one picture, RGB, levels 0 to 255, upright, {manifest.preprocessing.get('fit', '')} to this size"
    for value in (*made.graph.input, *made.graph.output):
        value.doc_string = meanings[value.name]
    return made


def title(licence: bytes) -> str:
    """The title of a licence: its first two lines with text, such as Apache License, Version 2.0, January 2004."""
    lines = [line.strip() for line in licence.decode("utf-8", "replace").splitlines() if line.strip()]
    return ", ".join(lines[:2])


def drawing() -> np.ndarray:
    """A picture with gradients, edges and detail that resizing removes, uint8 (240, 320, 3); made with integers."""
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    red = x * 255 // (SIZE[0] - 1)
    green = np.where((x - 160) ** 2 + (y - 120) ** 2 < 80**2, 220, 60)
    blue = np.where(x < 160, (x + y) % 2 * 255, (x // 3 + y // 5) % 2 * 200)
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def self_test(release: Release, pixels: np.ndarray) -> dict[str, bytes]:
    """The files of the self-test: the picture, its pixels as `network.onnx` takes them, and the probabilities of both."""
    probabilities, _ = release.run(drawing())
    named = {name: round(float(p), 6) for name, p in zip(release.manifest.classes, probabilities, strict=True)}
    expected = {"probabilities": named, "tolerance": TOLERANCE}
    return {
        PICTURE: _bitmap(drawing()),
        PICTURE_PIXELS: _bitmap(pixels),
        EXPECTED: (json.dumps(expected, indent=2, ensure_ascii=False) + "\n").encode(),
    }


def _bitmap(pixels: np.ndarray) -> bytes:
    """A BMP: the same bytes by every version of every library, unlike a PNG."""
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "BMP")
    return stream.getvalue()
