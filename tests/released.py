"""A release of a few kilobytes, for tests of what uses one: hand-made, without TensorFlow; and pictures that are hard to read."""

from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import ExifTags, Image

from crawlers.demo import pictures
from sengu.release import bundle

CLASSES = ("dark", "bright")


def tiny_model(classes: int = 2, dimensions: int = 8) -> onnx.ModelProto:
    """A model that looks at the mean colour of a picture; the last class is the more probable the brighter it is.

    Pictures of different colours have different embeddings.
    """
    colours = np.random.default_rng(5).normal(size=(3, dimensions)).astype(np.float32)
    slopes = np.tile(np.linspace(-10, 10, classes, dtype=np.float32), (3, 1))
    constants = {
        "sides": np.array([0, 1], np.int64),
        "half": np.array(127.5, np.float32),
        "colours": colours,
        "slopes": slopes / 3,
    }
    nodes = [
        helper.make_node("Cast", ["picture"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["levels", "sides"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "half"], ["ratio"]),
        helper.make_node("Sub", ["ratio", "one"], ["colour"]),
        helper.make_node("MatMul", ["colour", "slopes"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=0),
        helper.make_node("MatMul", ["ratio", "colours"], ["vector"]),
        helper.make_node("LpNormalization", ["vector"], ["embedding"], axis=0, p=2),
    ]
    constants["one"] = np.array(1, np.float32)
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "tiny",
            [helper.make_tensor_value_info("picture", TensorProto.UINT8, ["height", "width", 3])],
            [
                helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [classes]),
                helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [dimensions]),
            ],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )
    onnx.checker.check_model(model)
    return model


def tiny_backbone(dimensions: int = 8) -> onnx.ModelProto:
    """A frozen backbone whose features are the embeddings of `tiny_model`."""
    model = tiny_model(dimensions=dimensions)
    del model.graph.output[0]
    model.graph.output[0].name = model.graph.node[-1].output[0] = bundle.FEATURES
    kept = [node for node in model.graph.node if node.output[0] not in ("colour", "logits", "probabilities")]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    used = {name for node in kept for name in node.input}
    constants = [constant for constant in model.graph.initializer if constant.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(constants)
    onnx.checker.check_model(model)
    return model


def tiny_release(
    folder: Path, classes: tuple[str, ...] = CLASSES, dimensions: int = 8, threshold: float | None = None, version: str = "0.1.0"
) -> Path:
    """Writes folder/tiny-<version>.zip and a backbone beside it; returns the path of the zip."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / bundle.BACKBONE).write_bytes(tiny_backbone(dimensions).SerializeToString())
    manifest = bundle.Manifest(
        name="tiny",
        version=version,
        created_by="a test",
        classes=list(classes),
        threshold=threshold,
        inputs=[],
        outputs=[{"name": "probabilities", "shape": [len(classes)]}],
        preprocessing={},
        dataset={},
        backbone={},
        classifier={},
        metrics={},
        files={},
    )
    return bundle.write(folder, manifest, {bundle.MODEL: tiny_model(len(classes), dimensions).SerializeToString()})


def odd_pictures() -> dict[str, bytes]:
    """Encoded pictures of every kind that decoders see differently: orientation, transparency, depth, colours, frames."""
    pixels = pictures.draw("stripes", 3)[:, :90]
    grey = pixels[..., 1]
    unbounded = grey.astype(np.float32) / 255
    unbounded[:5, :3] = np.nan, np.inf, -np.inf
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 5  # mirrored and turned
    return {
        "plain.jpg": pictures.jpeg(pixels),
        "rotated.jpg": pictures.rotated_jpeg(pixels),
        "mirrored.png": encoded(Image.fromarray(pixels), "PNG", exif=turned),
        "damaged_exif.jpg": pictures.jpeg(pixels, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff"),
        "cmyk.jpg": pictures.cmyk_jpeg(pixels),
        "alpha.png": pictures.alpha_png(pixels),
        "grey_alpha.png": encoded(Image.fromarray(np.dstack([grey, 255 - grey]), "LA"), "PNG"),
        "palette.png": pictures.palette_png(pixels),
        "sixteen_bits.png": pictures.deep_png(pixels),
        "dark_sixteen_bits.png": encoded(Image.fromarray(grey.astype(np.uint16)), "PNG"),
        "dark_big_endian.tif": encoded(Image.fromarray(grey.astype(">u2")), "TIFF"),
        "floats.tif": encoded(Image.fromarray(grey.astype(np.float32)), "TIFF"),
        "floats_to_one.tif": encoded(Image.fromarray(grey.astype(np.float32) / 255), "TIFF"),
        "no_numbers.tif": encoded(Image.fromarray(unbounded), "TIFF"),
        "integers.tif": encoded(Image.fromarray(grey.astype(np.int32) * 257), "TIFF"),
        "one_bit.png": encoded(Image.fromarray(grey > 127), "PNG"),
        "grey.png": pictures.png(grey),
        "animated.gif": pictures.animated_gif(pixels),
        "lossless.webp": encoded(Image.fromarray(pixels), "WEBP", lossless=True),
    }


def encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()
