"""Training on small arrays, as a program: what comes out, that it is the same twice, and that it learnt."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from project import attempt, run

from sengu import datasets, tables
from sengu.pixels import EXAMPLES, FEATURES, PIXELS

pytestmark = pytest.mark.slow

TRAIN = ("-m", "sengu.stages.train", "dataset", "pixels", "features", "backbone", "classifier", "training")
PARAMS = """
train:
  seed: {seed}
  head: {{ epochs: 40, rate: 0.05, batch: 8 }}
  fine_tune: {{ epochs: 2, rate: 0.001, batch: 8 }}
"""
# what the trained network says of the test examples, and how many arrays of the backbone training left as they were
LOOK = """
import sengu, numpy as np, tensorflow as tf
from pathlib import Path
from sengu import classifier, pixels

def arrays(model):
    saved = tf.train.load_checkpoint(f"{model}/variables/variables")
    found = (saved.get_tensor(name) for name in saved.get_variable_to_shape_map())
    return [array for array in found if getattr(array, "dtype", None) == np.float32]

before, after = arrays("backbone"), arrays("classifier/network")
print("UNCHANGED", sum(any(np.array_equal(a, b) for b in before) for a in after))
test = pixels.read_pixels(Path("pixels")).of_type("test")
found, embeddings = classifier.run_network(Path("classifier"), test.arrays)
print("SHAPE", found.shape, "SUM", round(float(found.sum(axis=1).max()), 5))
print("EMBEDDING", embeddings.shape, (abs(np.linalg.norm(embeddings, axis=1) - 1) < 1e-5).all())
print("ACCURACY", (found.argmax(axis=1) == test.values).mean())
"""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of plain colours under a backbone of two layers; no TensorFlow in this process."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "pixels").mkdir()
    types = ["train"] * 4 + ["validation", "test"]
    rows = [tables.SplitLabel(f"{i:040x}.jpg", i % 3, types[i // 3 % 6]) for i in range(72)]
    tables.write(folder / "pixels" / EXAMPLES, tables.frame(rows, tables.SplitLabel), tables.SplitLabel)
    chance = np.random.default_rng(1)
    pixels = chance.integers(0, 60, (72, 32, 32, 3), dtype=np.uint8)
    for i in range(72):
        pixels[i, :, :, i % 3] += 150
    np.save(folder / "pixels" / PIXELS, pixels)
    (folder / "dataset").mkdir()
    labels = tables.frame([tables.Label(row.objectId, row.value) for row in rows], tables.Label)
    datasets.write(folder / "dataset", datasets.describe("v1", ["red", "green", "blue"], labels), labels)
    build = (
        "import sengu, tf_keras as keras\n"
        "keras.utils.set_random_seed(1)\n"
        "x = keras.Input((None, None, 3))\n"
        "y = keras.layers.BatchNormalization()(keras.layers.Conv2D(6, 3)(x))\n"
        "keras.Model(x, keras.layers.GlobalAveragePooling2D()(y)).save('backbone')\n"
    )
    run(folder, sys.executable, "-c", build)
    run(folder, sys.executable, "-m", "sengu.stages.features", "pixels", "backbone", "features")
    assert np.load(folder / "features" / FEATURES).shape == (72, 6)
    return folder


def outputs(folder: Path) -> dict[str, bytes]:
    files = [path for name in ("classifier", "training") for path in (folder / name).rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_two_trainings_give_the_same_bytes_and_another_seed_others(inputs: Path) -> None:
    results = []
    for seed in (1, 1, 2):
        (inputs / "params.yaml").write_text(PARAMS.format(seed=seed))
        run(inputs, sys.executable, *TRAIN)
        results.append(outputs(inputs))
    assert results[0] == results[1]
    assert results[0] != results[2]
    assert {"classifier/head.npz", "classifier/network/saved_model.pb", "training/metrics.json"} <= results[0].keys()
    curves = sorted(name for name in results[0] if name.endswith(".tsv"))
    assert [name.removeprefix("training/plots/metrics/") for name in curves] == [
        f"{phase}/{split}/{metric}.tsv"
        for phase in ("fine_tune", "head")
        for split in ("train", "validation")
        for metric in ("accuracy", "loss")
    ]


def test_batch_norm_statistics_stay_frozen_and_three_classes_are_learnt(inputs: Path) -> None:
    (inputs / "params.yaml").write_text(PARAMS.format(seed=1))
    run(inputs, sys.executable, *TRAIN)
    said = run(inputs, sys.executable, "-c", LOOK)
    assert "SHAPE (12, 3) SUM 1.0" in said
    assert "EMBEDDING (12, 6) True" in said
    assert "ACCURACY 1.0" in said
    # of the eight arrays the two moving statistics
    assert "UNCHANGED 2" in said


def test_a_split_without_training_examples_is_an_error(inputs: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(inputs, tmp_path / "inputs")
    (folder / "params.yaml").write_text(PARAMS.format(seed=1))
    table = (folder / "pixels" / EXAMPLES).read_text().replace(",train", ",test")
    (folder / "pixels" / EXAMPLES).write_text(table)
    done = attempt(folder, sys.executable, *TRAIN)
    assert done.returncode == 1
    assert "error: pixels has no example of type train" in done.stdout
