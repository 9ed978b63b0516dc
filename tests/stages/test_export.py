"""A release made of a small network, as a program: the same bytes twice, as TensorFlow sees it, and alone without Sengu."""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import onnx
import openvino
import pytest
from onnx import TensorProto
from PIL import Image
from project import ROOT, attempt, execute, run
from released import odd_pictures

from sengu.base import measurements, tables
from sengu.base.ids import ObjectId
from sengu.base.tables import versions
from sengu.objects.store import ObjectStore, ObjectTree
from sengu.release import bundle as release

pytestmark = pytest.mark.slow

ARGUMENTS = ("dataset", "split_label.csv", "pixels", "object", "backbone", "classifier", "metrics.json", "LICENSE", "released")
CLASSES = ["a", "b", "c"]
PARAMS = """
prepare: { size: 32, fit: letterbox }
backbone: { source: embedded }
export: { name: test-model, version: 1.2.3 }
"""
# a network with all that EfficientNet has and constants of its own, the stage within the same process, and what TensorFlow says
BUILD = """
import json, sys
import sengu, numpy as np, tensorflow as tf, tf_keras as keras
from pathlib import Path
from sengu.networks import backbone as backbones
from sengu.networks import classifier
from sengu.release import conversion
from sengu.base.tables import versions as datasets
from sengu.pictures import images
from sengu.base import params
from sengu.pictures import resizing as preprocess
from sengu.release import bundle as release
from sengu.base import tables
from sengu import examples as pixel_files
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.stages import export
from sengu.objects.store import ObjectStore
from sengu.objects.store import ObjectTree

keras.utils.set_random_seed(1)
layers = keras.layers
x = keras.Input((None, None, 3))
y = layers.Normalization(mean=[0.4, 0.5, 0.6], variance=[0.1, 0.2, 0.3])(x)
y = layers.BatchNormalization(beta_initializer="normal")(layers.Conv2D(8, 3, strides=2, padding="same", activation="swish")(y))
y = layers.DepthwiseConv2D(3, padding="same")(layers.ZeroPadding2D(((0, 1), (1, 0)))(y))
gate = layers.Conv2D(8, 1, activation="sigmoid")(layers.Reshape((1, 1, 8))(layers.GlobalAveragePooling2D()(y)))
keras.Model(x, layers.GlobalMaxPooling2D()(layers.Add()([y, layers.Multiply()([y, gate])]))).save("backbone")
picture = keras.Input((32, 32, 3), dtype=tf.uint8, name="picture")
vector = backbones.layer(Path("backbone"), trainable=True)(layers.Rescaling(1 / 255)(picture), training=False)
outputs = {
    "probabilities": layers.Softmax(name="probabilities")(layers.Dense(3, kernel_initializer="random_normal")(vector)),
    "embedding": layers.UnitNormalization(name="embedding")(vector),
}
keras.Model(picture, outputs).save("classifier/network", include_optimizer=False)
outputs["probabilities"] = layers.Softmax(name="probabilities")(layers.Dense(3, kernel_initializer="random_normal")(vector))
keras.Model(picture, outputs).save("another/network", include_optimizer=False)

def prepared(folder, fit):
    store, resize = ObjectStore.below(Path("object")), preprocess.resizer(32, fit)
    rows = tables.read(Path("split_label.csv"), tables.SplitLabel)
    rows = rows[rows["type"] == "test"].reset_index(drop=True)
    Path(folder).mkdir()
    tables.write(Path(folder, "examples.csv"), rows, tables.SplitLabel)
    made = [resize(images.decode(store.read(ObjectId.parse(name)))) for name in rows["objectId"]]
    pixel_files.write(Path(folder, "pixels.npy"), len(made), made)
    return pixel_files.read_pixels(Path(folder))

examples, squashed = prepared("pixels", "letterbox"), prepared("squashed", "squash")
export.main(sys.argv[1:])
Path("released").rename("first")

store = ObjectStore.below(Path("object"))
objects = sorted(ObjectId.parse(path.name) for path in Path("object").rglob("*.*"))
assert list(examples.rows["objectId"]) == list(map(str, objects))
found = classifier.run_network(Path("classifier"), examples.arrays)
raw = backbones.frozen(Path("backbone"), 32)(examples.arrays)
frozen = raw / np.linalg.norm(raw, axis=1, keepdims=True)
ids = [str(object_id) for object_id in objects]
np.savez("tensorflow.npz", ids=ids, probabilities=found[0], embedding=found[1], features=frozen)
first, letterbox = release.load(Path("first")), params.Prepare(32, "letterbox")
for word, arguments in {
    "FAR": (examples, store, first, Path("another"), letterbox),
    "FIT": (examples, store, first, Path("classifier"), params.Prepare(32, "squash")),
    "STALE": (squashed, store, first, Path("classifier"), letterbox),
}.items():
    try:
        export.parity(*arguments)
    except SenguError as error:
        print(word, error)
try:
    data = max((path.read_bytes() for path in Path("object").rglob("*.png")), key=len)[:2000]
    cut = ObjectId.of(data, "png")
    ObjectTree(Path("cut/site")).put(cut, data)
    one = pixel_files.Examples(examples.rows[:1].assign(objectId=str(cut)), examples.arrays[:1])
    export.parity(one, ObjectStore.below(Path("cut")), first, Path("classifier"), letterbox)
except SenguError as error:
    print("CUT", error)
try:
    conversion.convert(Path("classifier/network"), 64, "squash")
except SenguError as error:
    print("SIZE", error)
try:
    two = datasets.Version("v8", [], ["a", "b"], 0, {})
    settings = params.Export(name="test-model", version="1.2.3")
    export.describe(settings, conversion.convert(Path("classifier/network"), 32, "squash"), two, {})
except SenguError as error:
    print("CLASSES", error)
try:
    export.furthest(objects, "embedding", np.full((len(objects), 2), np.nan), np.zeros((len(objects), 2)))
except SenguError as error:
    print("NAN", error)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two releases: `first`, made by the process that made the network, and `released`, made by the stage."""
    folder = tmp_path_factory.mktemp("export")
    tree = ObjectTree(folder / "object" / "site")
    ids = {name: ObjectId.of(data, name.rpartition(".")[2]) for name, data in odd_pictures().items()}
    for name, data in odd_pictures().items():
        tree.put(ids[name], data)
    split = [tables.SplitLabel(str(object_id), i % 3, "test") for i, object_id in enumerate(ids.values())]
    split.append(tables.SplitLabel("0" * 40 + ".jpg", 1, "train"))  # is not looked at
    tables.write(folder / "split_label.csv", tables.frame(split, tables.SplitLabel), tables.SplitLabel)
    labels = tables.frame([tables.Label(row.objectId, row.value) for row in split], tables.Label)
    (folder / "dataset").mkdir()
    versions.write(folder / "dataset", versions.describe("v7", CLASSES, labels), labels)
    estimate = {"value": 0.75, "low": 0.5, "high": 1.0}
    metrics = {"test_images": len(split) - 1, "excluded_as_leaks": 0, "threshold": {"value": None}}
    metrics |= {
        "network": {"accuracy": estimate, "by_class": {"a": {"support": 4, "recall": None}}},
        "head": {"accuracy": estimate | {"value": 0.5}},
    }
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "LICENSE").write_bytes((ROOT / "LICENSE").read_bytes())
    (folder / "params.yaml").write_text(PARAMS)
    (folder / "said").write_text(execute(folder, BUILD, *ARGUMENTS))
    run(folder, sys.executable, "-m", "sengu.stages.export", *ARGUMENTS)
    return folder


@pytest.fixture(scope="module")
def bundle(made: Path) -> Path:
    with zipfile.ZipFile(made / "released" / "test-model-1.2.3.zip") as archive:
        archive.extractall(made / "unzipped")
    return made / "unzipped"


def said(made: Path, word: str) -> str:
    return next(line for line in (made / "said").read_text().splitlines() if line.startswith(word))


def test_two_processes_make_the_same_bytes(made: Path) -> None:
    first, second = ((made / name / "test-model-1.2.3.zip").read_bytes() for name in ("first", "released"))
    assert first == second


def test_model_onnx_is_one_of_standard_operators_and_float32(bundle: Path) -> None:
    model = onnx.load(bundle / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 18)]
    kinds = {constant.data_type for constant in model.graph.initializer}
    assert TensorProto.FLOAT in kinds
    assert kinds <= {TensorProto.FLOAT, TensorProto.INT64, TensorProto.UINT8}


def test_the_release_says_what_tensorflow_says_of_every_kind_of_picture(made: Path) -> None:
    loaded, expected = release.load(made / "released"), np.load(made / "tensorflow.npz")
    store = ObjectStore.below(made / "object")
    assert len(expected["ids"]) == len(odd_pictures())
    assert np.ptp(expected["probabilities"], axis=0).max() > 0.01  # else anything would do
    folder = made / "pictures"
    folder.mkdir()
    for name in expected["ids"]:
        (folder / name).write_bytes(store.read(ObjectId.parse(name)))
    lines = run(made, "sengu", "predict", "--json", "pictures", "--model", "released").splitlines()
    rows = [json.loads(line) for line in lines if line.startswith("{")]
    assert [Path(row["path"]).name for row in rows] == list(expected["ids"])
    found = np.array([[row["probabilities"][name] for name in CLASSES] for row in rows])
    assert np.abs(found - expected["probabilities"]).max() <= 1e-4
    assert loaded.manifest.classes == CLASSES


def test_the_backbone_beside_it_says_what_tensorflow_says(made: Path) -> None:
    backbone = release.load_backbone(made / "first")
    assert (made / "released/backbone.onnx").read_bytes() == backbone.model
    expected = np.load(made / "tensorflow.npz")
    store = ObjectStore.below(made / "object")
    features = [backbone.run(store.pixels(ObjectId.parse(str(name)))) for name in expected["ids"]]
    assert np.stack(features) == pytest.approx(expected["features"], abs=1e-5)
    assert np.linalg.norm(features, axis=1) == pytest.approx(np.ones(len(features)))


def test_predict_py_runs_without_sengu_and_tensorflow(made: Path, bundle: Path, tmp_path: Path) -> None:
    for name in ("numpy", "PIL", "onnxruntime"):
        package = Path(importlib.util.find_spec(name).origin).parent
        (tmp_path / name).symlink_to(package)
    for libraries in package.parent.glob("*.libs"):  # what the wheels carry
        (tmp_path / libraries.name).symlink_to(libraries)
    expected = np.load(made / "tensorflow.npz")
    pictures = [str(ObjectStore.below(made / "object").path(ObjectId.parse(name))) for name in expected["ids"]]

    def alone(*arguments: str) -> subprocess.CompletedProcess[str]:
        # -S: without the environment's packages
        command = [sys.executable, "-S", *arguments]
        variables = {**os.environ, "PYTHONPATH": str(tmp_path)}
        return subprocess.run(command, cwd=bundle, env=variables, capture_output=True, text=True, check=False)

    for name in ("tensorflow", "sengu", "onnx", "pandas"):
        assert "ModuleNotFoundError" in alone("-c", f"import {name}").stderr
    done = alone("predict.py", *pictures)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == pictures
    found = np.array([[float(cell.partition("=")[2]) for cell in row[2:]] for row in rows])
    assert np.abs(found - expected["probabilities"]).max() <= 1e-4
    assert [row[1] for row in rows] == [CLASSES[i] for i in expected["probabilities"].argmax(axis=1)]


def test_the_self_test_passes_by_three_runtimes(bundle: Path) -> None:
    assert "self-test passed" in run(bundle, sys.executable, "predict.py", "--self-test")
    expected = json.loads((bundle / "self_test" / "expected.json").read_text())
    probabilities = [expected["probabilities"][name] for name in CLASSES]
    pixels = np.asarray(Image.open(bundle / "self_test" / "pixels.bmp"))
    opencv = cv2.dnn.readNetFromONNX(str(bundle / "network.onnx"))
    opencv.setInput(cv2.dnn.blobFromImage(pixels), "pixels")
    assert opencv.forward("probabilities").ravel() == pytest.approx(probabilities, abs=expected["tolerance"])
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)[np.newaxis], np.float32)
    compiled = openvino.Core().compile_model(str(bundle / "network.onnx"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    assert compiled({"pixels": planes})["probabilities"] == pytest.approx(probabilities, abs=expected["tolerance"])


def test_the_manifest_says_what_is_in_the_bundle_and_what_it_came_from(made: Path, bundle: Path) -> None:
    document = json.loads((bundle / "manifest.json").read_text())
    paths = [path for path in bundle.rglob("*") if path.is_file()]
    files = {path.relative_to(bundle).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    del files["manifest.json"]
    of_test = {"self_test/picture.bmp", "self_test/pixels.bmp", "self_test/expected.json"}
    assert files.keys() == {"model.onnx", "network.onnx", "predict.py", "MODEL_CARD.md", "LICENSE"} | of_test
    assert document["files"] == files
    assert (document["name"], document["version"], document["classes"]) == ("test-model", "1.2.3", CLASSES)
    assert [(one["name"], one["dtype"], one["shape"]) for one in (*document["inputs"], *document["outputs"])] == [
        ("picture", "uint8", ["height", "width", 3]),
        ("probabilities", "float32", [3]),
        ("embedding", "float32", [8]),
    ]
    assert document["dataset"]["version"] == "v7"
    assert document["dataset"]["split"] == {"test": len(odd_pictures()), "train": 1}
    assert measurements.from_json(document["metrics"], "manifest.json") == measurements.read(made / "metrics.json")
    assert document["backbone"] == {"source": "embedded"}
    assert (document["threshold"], document["git_commit"], document["git_tag"], document["dvc_lock_sha256"]) == (None,) * 4
    said = {prop.key: prop.value for prop in onnx.load(bundle / "model.onnx").metadata_props}
    assert (said["repository"], said["dataset_version"], said["dataset_md5"]) == ("", "v7", document["dataset"]["md5"])


def test_the_model_card_tells_classes_counts_metrics_and_limits(bundle: Path) -> None:
    card = (bundle / "MODEL_CARD.md").read_text()
    assert card.startswith("# test-model 1.2.3\n")
    assert "3 classes a picture shows: a, b, c |" in card
    assert "20 labelled pictures: 7 a, 7 b, 6 c" in card
    assert "| accuracy | 0.7500 [0.5000, 1.0000] | 0.5000 [0.5000, 1.0000] |" in card
    assert "| class | support | precision | recall | F1 |\n| --- | --- | --- | --- | --- |\n| a | 4 | - | - | - |\n" in card
    assert "| Decision | the class with the highest probability |" in card
    assert "## Limits" in card


def test_a_difference_from_tensorflow_names_object_and_both_values(made: Path) -> None:
    for word in ("FAR", "NAN"):
        line = said(made, word)
        assert any(str(path.name) in line for path in (made / "object").rglob("*.*"))
        assert "by ONNX Runtime, but" in line and "by TensorFlow, more than 0.0001 apart" in line
    assert "nan by ONNX Runtime" in said(made, "NAN")


def test_pixels_that_the_settings_do_not_give_are_an_error(made: Path) -> None:
    assert "prepare.size 32 and prepare.fit squash in params.yaml give other pixels" in said(made, "FIT")
    assert "prepare.size 32 and prepare.fit letterbox in params.yaml give other pixels" in said(made, "STALE")


def test_the_stage_compares_before_it_writes(made: Path) -> None:
    (made / "stale").mkdir()
    arguments = [{"pixels": "squashed", "released": "stale"}.get(name, name) for name in ARGUMENTS]
    done = attempt(made, sys.executable, "-m", "sengu.stages.export", *arguments)
    assert done.returncode == 1
    assert "give other pixels" in done.stdout
    assert not list((made / "stale").iterdir())


def test_an_object_that_cannot_be_decoded_is_named(made: Path) -> None:
    (cut,) = (made / "cut").rglob("*.png")
    assert f"object {cut.name} cannot be decoded: truncated" in said(made, "CUT")


def test_a_network_of_other_classes_or_another_size_is_an_error(made: Path) -> None:
    assert "gives [3] probabilities, but dataset version v8 has 2 classes: run `dvc repro train`" in said(made, "CLASSES")
    assert "takes pixels (None, 32, 32, 3), but prepare.size in params.yaml is 64" in said(made, "SIZE")
