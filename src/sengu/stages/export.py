"""Pack the network as ONNX with preprocessing, model card and licence in one zip."""

import importlib.metadata
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from tqdm import tqdm

from sengu.base import measurements, params, tables
from sengu.base.atomic import replaced_folder
from sengu.base.errors import SenguError, run_program
from sengu.base.ids import ObjectId
from sengu.base.measurements import Measurements
from sengu.base.tables import versions
from sengu.base.tables.versions import Version
from sengu.base.threads import map_in_threads
from sengu.examples import Examples, read_pixels
from sengu.networks import classifier
from sengu.networks.runtime import tf
from sengu.objects.store import ObjectStore
from sengu.pictures import images, resizing
from sengu.release import bundle, card, conversion, portable, standalone
from sengu.release.bundle import Manifest, Release
from sengu.repository import dvc_lock

TOLERANCE = 1e-4  # between ONNX Runtime and TensorFlow, for every probability and every number of an embedding
MEANINGS = {
    bundle.INPUT: "one picture, RGB, levels 0 to 255, upright, of any height and width",
    "probabilities": "of each class, in the order of `classes`; their sum is 1",
    "embedding": "feature vector of the fine-tuned backbone, of length 1",
}

logger = logging.getLogger("export")


def export(model: onnx.ModelProto, manifest: Manifest, licence: bytes, prepare: params.Prepare, folder: Path) -> Release:
    """Writes the release into `folder`."""
    name = portable.title(licence)
    content = portable.describe(model, manifest, name).SerializeToString()
    pixels_of_test = resizing.resizer(prepare.size, prepare.fit)(portable.drawing())
    files = {
        bundle.MODEL: content,
        portable.NETWORK: portable.describe(portable.network(model, prepare.size), manifest, name).SerializeToString(),
        **portable.self_test(Release(folder, manifest, content), pixels_of_test),
        "predict.py": Path(standalone.__file__).read_bytes(),
        "MODEL_CARD.md": card.write(manifest).encode(),
        "LICENSE": licence,
    }
    return bundle.load(bundle.write(folder, manifest, files))


def parity(examples: Examples, store: ObjectStore, made: Release, model: Path, prepare: params.Prepare) -> float:
    """The largest difference between a release and the network in `model`, in probabilities and embeddings of the test examples.

    The release gets an object from `ObjectStore.pixels`; the network gets the pixels of `prepare`, with which it was trained
    and measured. Raises SenguError if the difference exceeds the tolerance, if an object cannot be decoded, or if the settings
    give other pixels.
    """
    resize = resizing.resizer(prepare.size, prepare.fit)
    rows = np.flatnonzero(examples.rows["type"] == "test")
    objects = [ObjectId.parse(name) for name in examples.rows["objectId"].iloc[rows]]

    def work(row: int, object_id: ObjectId) -> tuple[np.ndarray, np.ndarray]:
        picture = store.pixels(object_id)
        if not np.array_equal(resize(picture), examples.arrays[row]):
            raise SenguError(
                f"object {object_id}: prepare.size {prepare.size} and prepare.fit {prepare.fit} in params.yaml give other pixels "
                "than those that the network was trained and measured with: run `dvc repro`"
            )
        return made.run(picture)

    with images.limited(None):
        runs = map_in_threads(lambda pair: work(*pair), zip(rows.tolist(), objects, strict=True))
        differences = list(tqdm(runs, "export", len(objects), unit="example", disable=None))
    expected = classifier.run_network(model, examples.arrays, rows)
    both = zip(bundle.OUTPUTS, map(np.stack, zip(*differences, strict=True)), expected, strict=True)
    return max(furthest(objects, name, ours, theirs) for name, ours, theirs in both)


def furthest(objects: Sequence[ObjectId], name: str, ours: np.ndarray, theirs: np.ndarray) -> float:
    """The greatest difference between two arrays (n, k) of n objects. Raises SenguError if it exceeds the tolerance."""
    far = np.abs(ours - theirs)
    row, column = np.unravel_index(far.argmax(), far.shape)
    if not far[row, column] <= TOLERANCE:  # written so that NaN fails, too
        raise SenguError(
            f"{objects[row]}: {name}[{column}] is {ours[row, column]} by ONNX Runtime, but {theirs[row, column]} by TensorFlow, "
            f"more than {TOLERANCE} apart, so nothing was released: find out which of tensorflow, tf2onnx and onnxruntime changed"
        )
    return float(far[row, column])


def describe(settings: params.Export, model: onnx.ModelProto, version: Version, measured: Measurements, **facts: Any) -> Manifest:
    """The manifest of a release; `facts` are its other keys. Raises SenguError for a number of classes that differs."""
    outputs = {value.name: _tensor(value) for value in model.graph.output}
    if outputs["probabilities"]["shape"] != [len(version.classes)]:
        raise SenguError(
            f"the network gives {outputs['probabilities']['shape']} probabilities, but dataset version {version.version} has "
            f"{len(version.classes)} classes: run `dvc repro train`"
        )
    return Manifest(
        name=settings.name,
        version=settings.version,
        created_by=f"sengu {importlib.metadata.version('sengu')}",
        classes=version.classes,
        threshold=measured.network.threshold.value,
        inputs=[_tensor(value) for value in model.graph.input],
        outputs=list(outputs.values()),
        metrics=measurements.as_json(measured),
        files={},
        **facts,
    )


def _tensor(value: onnx.ValueInfoProto) -> dict[str, Any]:
    kind = value.type.tensor_type
    return {
        "name": value.name,
        "dtype": onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name,
        "shape": [side.dim_param or side.dim_value for side in kind.shape.dim],
        "meaning": MEANINGS[value.name],
    }


def _facts(dataset: Path) -> dict[str, str]:
    """Dates and sites of a dataset version's pictures, as far as dataset.json has them."""
    document = json.loads((dataset / versions.METADATA).read_text(encoding="utf-8"))
    first, last = (str((document.get("fetched") or {}).get(end) or "")[:10] for end in ("first", "last"))
    by_site = (document.get("counts") or {}).get("by_site", {})
    facts = {
        "Date of the data": first if first == last else f"{first} to {last}",
        "Source": ", ".join(f"{sum(of.values())} from {site}" for site, of in by_site.items()),
    }
    return {name: value for name, value in facts.items() if value}


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise SenguError(f"{path} is missing: run `dvc repro`, or `git checkout {path}` if Git tracks it")
    return path.read_bytes()


def main(arguments: list[str]) -> None:
    dataset, split, pixels_folder, trees, backbone, model, metrics, licence, output = map(Path, arguments)
    settings, prepare = params.section("export", params.Export), params.section("prepare", params.Prepare)
    source = params.section("backbone", params.Backbone).source
    counts = tables.read(split, tables.SplitLabel)["type"].value_counts().sort_index()
    if "test" not in counts:
        raise SenguError(f"{split} has no example of type test to compare on: label more objects, and run `dvc repro`")
    version, measured = versions.read(dataset), measurements.read(metrics)
    conversion.check(model / classifier.NETWORK)
    tf.config.set_visible_devices([], "GPU")  # a GPU's convolutions may be less exact than the tolerance
    converted = conversion.convert(model / classifier.NETWORK, prepare.size, prepare.fit)
    manifest = describe(
        settings,
        converted,
        version,
        measured,
        preprocessing={"size": prepare.size, "fit": prepare.fit, "resize": "bilinear with antialias, inside model.onnx"},
        dataset={
            "version": version.version,
            "md5": dvc_lock.dvc_hash(dataset),
            "rows": version.rows,
            "rows_by_value": version.rows_by_value,
            "split": {kind: int(number) for kind, number in counts.items()},
            "facts": _facts(dataset),
        },
        backbone={"source": Path(source).name if Path(source).is_absolute() else source},  # not the owner of its folder
        classifier={"md5": dvc_lock.dvc_hash(model)},
        repository=params.project().repository,
    )
    with replaced_folder(output) as partial:
        made = export(converted, manifest, _content(licence), prepare, partial)
        frozen = conversion.convert_backbone(backbone, prepare.size, prepare.fit)
        (partial / bundle.BACKBONE).write_bytes(frozen.SerializeToString())
        worst = parity(read_pixels(pixels_folder), ObjectStore.below(trees), made, model, prepare)
    logger.info("%s: at most %.1e from TensorFlow on %d test pictures", made.path.name, worst, counts["test"])


if __name__ == "__main__":
    run_program(main, "DATASET SPLIT_LABEL PIXELS TREES BACKBONE CLASSIFIER METRICS LICENSE RELEASE")
