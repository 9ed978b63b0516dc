"""Training on small arrays, as a program: what comes out, that a killed run ends with the same bytes, and that it learnt."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from project import ROOT, environment, execute, run

from sengu.base import digests, params, tables
from sengu.base.atomic import replaced_folder
from sengu.base.errors import SenguError
from sengu.base.tables import versions
from sengu.examples import EXAMPLES, FEATURES, PIXELS, Examples, read_features, read_pixels
from sengu.networks import classifier
from sengu.training import fine_tuning, workers
from sengu.training.network import Network

pytestmark = pytest.mark.slow

train = import_module("sengu.stages.train")
tf = train.tf

FOLDERS = ("dataset", "pixels", "features", "backbone", "classifier", "training")
TRAIN = (sys.executable, "-m", "sengu.stages.train", *FOLDERS)
PARAMS = """
train:
  seed: 1
  workers: {workers}
  class_weights: balanced
  fine_tune:
    {{ epochs: 30, rate: 0.001, batch: 8, warm_up: 0.1, decay: cosine, patience: 25, augmentation: {{ flip: true, zoom: 0.1 }} }}
"""
BUILD = """
import sengu, tf_keras as keras
from pathlib import Path
from sengu.stages import features
keras.utils.set_random_seed(1)
picture = keras.Input((None, None, 3))
vector = keras.layers.BatchNormalization()(keras.layers.Conv2D(6, 3, kernel_regularizer="l2")(picture))
keras.Model(picture, keras.layers.GlobalAveragePooling2D()(vector)).save("backbone")
features.main(["pixels", "backbone", "features"])
"""
# says in each phase whether operations are deterministic, and writes down what the optimizer holds after the first epoch:
# the steps of Adam do not show how large gradients are
NOTED = """
import sys
import numpy as np
from sengu.base import errors
from sengu.training import phases
from sengu.training.fine_tuning import FineTuning
from sengu.stages import train
from tensorflow.python.framework import config

def fit(name, *arguments, fit=phases.fit):
    print("deterministic:", name, config.is_op_determinism_enabled(), flush=True)
    return fit(name, *arguments)

def trained(self, epoch, trained=FineTuning.trained):
    means = trained(self, epoch)
    if epoch == 0 and self.place.chief:
        np.savez("optimizer.npz", *(variable.numpy() for variable in self.learner.optimizer.variables))
    return means

phases.fit, FineTuning.trained = fit, trained
"""
RUN = """
errors.run_program(train.main, "DATASET PIXELS FEATURES BACKBONE CLASSIFIER CURVES")
"""
# says what the barrier and the removal of folders did last; pictures are not to be copied into memory as a whole
WATCHED = """
import shutil, sys
from sengu.base import errors
from sengu.training import learner as training
from sengu.examples import Examples
from sengu.stages import train

def watched(name, function):
    def call(*arguments, **options):
        print("last:", name, flush=True)
        return function(*arguments, **options)
    return call

def of_type(self, *names):
    assert self.arrays.ndim == 2
    return features_of_type(self, *names)

features_of_type, Examples.of_type = Examples.of_type, of_type
training.total, shutil.rmtree = watched("total", training.total), watched("rmtree", shutil.rmtree)
"""
# two workers, the second of which comes to another head
DIFFERENT = """
import os, sys
from sengu.training import workers

if workers.VARIABLE not in os.environ:
    workers.supervise([sys.executable, *sys.argv], 2)
    sys.exit()
"""
HEAD = """
if workers.place(2, os.environ).rank == 1:
    own = train.train_head
    train.train_head = lambda *arguments: tuple(array * -2 for array in own(*arguments))
"""
NOTHING = "train: {seed: 2, fine_tune: {epochs: 0, rate: 1, batch: 8}}"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of plain colours, and a fourth without examples, under a backbone of two layers."""
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
    versions.write(folder / "dataset", versions.describe("v1", ["red", "green", "blue", "grey"], labels), labels)
    execute(folder, BUILD)
    assert np.load(folder / "features" / FEATURES).shape == (72, 6)
    (folder / "params.yaml").write_text(PARAMS.format(workers=1))
    return folder


def weights(model: Path) -> list[np.ndarray]:
    saved = tf.train.load_checkpoint(str(model / "variables/variables"))
    found = (saved.get_tensor(name) for name in saved.get_variable_to_shape_map())
    return [array for array in found if getattr(array, "dtype", None) == np.float32]


def outputs(folder: Path) -> dict[str, bytes]:
    files = [path for name in ("classifier", "training") for path in (folder / name).rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def trained(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the inputs with the outputs of one training; tests must not change it."""
    folder = shutil.copytree(inputs, tmp_path_factory.mktemp("trained") / "inputs")
    (folder / "train.log").write_text(execute(folder, NOTED + RUN, *FOLDERS))
    return folder


def test_what_comes_out(trained: Path) -> None:
    found = outputs(trained)
    assert {"classifier/head.npz", "classifier/network/saved_model.pb", "training/metrics.json"} <= found.keys()
    assert "classifier/network/fingerprint.pb" not in found
    curves = sorted(name.removeprefix("training/plots/metrics/") for name in found if name.endswith(".tsv"))
    parts = ["train/accuracy.tsv", "train/loss.tsv", "validation/accuracy.tsv", "validation/loss.tsv"]
    assert curves == [f"fine_tune/{part}" for part in ("rate.tsv", *parts)] + [f"head/{part}" for part in ("penalty.tsv", *parts)]
    rates = found["training/plots/metrics/fine_tune/rate.tsv"].decode().split("\n")
    assert rates[0] == "step\trate"
    # six steps in each of 30 epochs, the first 18 of which warm up; the rate is that of the last step
    assert [float(rates[epoch].split("\t")[1]) for epoch in (1, 3)] == pytest.approx([0.001 * 6 / 18, 0.001])
    assert float(rates[-2].split("\t")[1]) < 0.0002
    assert [path.name for path in (trained / ".sengu/training").iterdir()] == ["lock"]


def test_operations_of_fine_tuning_are_deterministic(trained: Path) -> None:
    said = [line for line in (trained / "train.log").read_text().splitlines() if line.startswith("deterministic:")]
    assert said == ["deterministic: fine_tune True"]


def test_fine_tuning_starts_from_the_head(trained: Path) -> None:
    validation = read_features(trained / "pixels", trained / "features").of_type("validation")
    probabilities = classifier.head_probabilities(trained / "classifier", validation.arrays)
    loss = -np.log(probabilities[np.arange(12), validation.values]).mean()
    logged = re.search(r"fine_tune, before epoch 1: validation loss (\S+),", (trained / "train.log").read_text())
    assert logged is not None
    assert float(logged[1]) == pytest.approx(loss, rel=1e-3)


def killed(folder: Path, command: tuple[str, ...]) -> None:
    """Starts a training and kills it after its fourth epoch."""
    with subprocess.Popen(command, cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if "fine_tune, epoch 4 of 30" in line:
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL, "".join(said)
    assert not (folder / "classifier").exists()


def test_a_killed_training_resumes_and_ends_with_the_same_bytes(inputs: Path, trained: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(inputs, tmp_path / "inputs")
    killed(folder, TRAIN)
    said = execute(folder, WATCHED + RUN, *FOLDERS)
    assert "fine_tune, epoch 2 of 30" not in said
    assert "fine_tune, epoch 30 of 30" in said or "fine_tune: the weights are those after epoch" in said
    assert outputs(folder) == outputs(trained)
    # a kill before the outputs are in their place finds its checkpoint, and so does a worker that waits at the barrier
    assert said.rpartition("last: ")[2].split()[0] == "rmtree"
    assert [path.name for path in (folder / ".sengu/training").iterdir()] == ["lock"]


def test_classes_are_learnt_and_batch_norm_statistics_stay_frozen(trained: Path) -> None:
    test = read_pixels(trained / "pixels").of_type("test")
    probabilities, embeddings = classifier.run_network(trained / "classifier", test.arrays)
    assert probabilities.shape == (12, 4)  # with the class that has no example
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(12))
    assert (probabilities.argmax(axis=1) == test.values).all()
    assert embeddings.shape == (12, 6)
    assert np.linalg.norm(embeddings, axis=1) == pytest.approx(np.ones(12))
    before, after = weights(trained / "backbone"), weights(trained / "classifier/network")
    assert len(after) == 8
    # the two moving statistics
    assert sum(any(np.array_equal(a, b) for b in before) for a in after) == 2


def test_without_epochs_the_network_is_the_backbone_with_the_head(trained: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(trained, tmp_path / "inputs")
    (folder / "params.yaml").write_text(NOTHING)
    run(folder, *TRAIN)
    test = read_pixels(folder / "pixels").of_type("test")
    features = read_features(folder / "pixels", folder / "features").of_type("test").arrays
    probabilities, embeddings = classifier.run_network(folder / "classifier", test.arrays)
    assert probabilities == pytest.approx(classifier.head_probabilities(folder / "classifier", features), abs=1e-5)
    assert embeddings == pytest.approx(features / np.linalg.norm(features, axis=1, keepdims=True), abs=1e-5)
    assert not list((folder / "training/plots/metrics").rglob("fine_tune/**/*.tsv"))  # no epoch, no curve


def test_two_workers_learn_what_one_learns_even_if_killed(inputs: Path, trained: Path, tmp_path: Path) -> None:
    """To 1e-4 of every probability: sums are made in another order."""
    folder = shutil.copytree(inputs, tmp_path / "inputs")
    (folder / "params.yaml").write_text(PARAMS.format(workers=2))
    (folder / "different.py").write_text(DIFFERENT + NOTED + HEAD + RUN)
    killed(folder, (sys.executable, "different.py", *FOLDERS))
    said = run(folder, *TRAIN)
    assert "fine_tune, epoch 2 of 30" not in said
    assert said.count("fine_tune, epoch 6 of 30") == 1  # the chief speaks for all
    test = read_pixels(folder / "pixels").of_type("test")
    one, two = (classifier.run_network(path / "classifier", test.arrays) for path in (trained, folder))
    assert np.abs(one[0] - two[0]).max() < 1e-4
    assert np.abs(one[1] - two[1]).max() < 1e-4
    assert outputs(folder).keys() == outputs(trained).keys()
    # after the first epoch of as many steps as it has batches, with gradients of the same size
    sums = [list(np.load(path / "optimizer.npz").values()) for path in (trained, folder)]
    assert sums[0][0] == sums[1][0] == 6
    for one_sum, two_sum in zip(*sums, strict=True):
        assert two_sum == pytest.approx(one_sum, rel=1e-3, abs=1e-6)
    assert (folder / "classifier/head.npz").read_bytes() == (trained / "classifier/head.npz").read_bytes()


def tuned(inputs: Path, checkpoint: Path, rate: float, killed_in: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Weights of a network at the start and the end of fine-tuning, which may be killed before it has saved an epoch.

    At the start all classes are as likely. Whatever is learnt then makes validation worse, as its values are wrong.
    """
    pixels = read_pixels(inputs / "pixels")
    rows = pixels.rows.assign(
        value=pixels.rows["value"].where(pixels.rows["type"] != "validation", (pixels.rows["value"] + 1) % 3)
    )
    network = Network(inputs / "backbone", (np.zeros((6, 3), np.float32), np.zeros(3, np.float32)), 32)
    phase = {"epochs": 4, "batch": 16, "patience": 2}
    settings = params.Train(seed=1, fine_tune=params.FineTune(rate=rate, **phase))

    def log(name: str, number: int, epoch: object) -> None:
        if number == killed_in:
            raise KeyboardInterrupt

    start = [weight.numpy() for weight in network.weights]
    with pytest.raises(KeyboardInterrupt) if killed_in else nullcontext():
        tuning = train.FineTuning(network, Examples(rows, pixels.arrays), settings, workers.Place(0, 1))
        train.fine_tune(tuning, log, checkpoint)
    return start, [weight.numpy() for weight in network.weights]


def same(ones: list[np.ndarray], others: list[np.ndarray]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(ones, others, strict=True))


def test_fine_tuning_that_makes_it_worse_does_no_harm(inputs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    start, end = tuned(inputs, tmp_path / "0123456789", 0.1)
    assert same(start, end)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == [
        "fine_tune: no epoch was better than the weights it started from, which are kept: "
        "lower train.fine_tune.rate in params.yaml"
    ]


@pytest.mark.parametrize(("losses", "best"), [([1.0, 2.0, 3.0], 0), ([1.0, 0.5, 2.0, 3.0], 1), ([9.0, 8.0, 0.5, 2.0, 1.0], 2)])
def test_fine_tuning_ends_with_its_best_weights_even_if_killed(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, losses: list[float], best: int
) -> None:
    """The losses are given, from that at the start; each is asked for once, so that the one at the start is kept as well."""
    after: list[list[np.ndarray]] = []
    left = iter(losses)

    def validated(tuning: fine_tuning.FineTuning) -> tuple[float, float]:
        after.append(tuning.learner.values())
        return next(left), 0.5

    monkeypatch.setattr(fine_tuning.FineTuning, "validated", validated)
    tuned(inputs, tmp_path / "0123456789", 0.01, killed_in=2)
    left = iter(losses[2:])
    del after[2:]
    _, end = tuned(inputs, tmp_path / "0123456789", 0.01)
    assert list(left) == []
    assert [same(end, weights) for weights in after] == [number == best for number in range(len(losses))]


def full(folder: Path) -> Path:
    """A file in a folder without any room."""
    folder.mkdir()
    (folder / "file").symlink_to("/dev/full")
    return folder / "file"


def checkpoint_without_room(folder: Path) -> None:
    """A real checkpoint, whose index meets a full disk."""

    @contextmanager
    def replaced(path: Path) -> Iterator[Path]:
        with replaced_folder(path) as partial:
            (partial / f"{train.checkpoints.STATE}.index").symlink_to("/dev/full")
            yield partial

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.checkpoints, "replaced_folder", replaced)
        train.checkpoints.Checkpoint(folder, [tf.Variable(1.0)], tf.train.Checkpoint()).save(1, [], [])


def array_without_room(folder: Path) -> None:
    with full(folder).open("wb") as file:
        np.save(file, np.zeros(9))


@pytest.mark.parametrize(
    ("failing", "named"),
    [
        (lambda folder: tf.io.write_file(str(full(folder)), "text"), "{}"),
        (lambda folder: tf.io.gfile.GFile(str(full(folder)), "w").write("a" * 100_000), "{}"),
        (checkpoint_without_room, "{}"),
        (array_without_room, ".sengu/training or classifier or training"),  # the error of a write names no file
        (lambda folder: (_ for _ in ()).throw(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(full(folder)))), "{}"),
    ],
    ids=["TensorFlow", "without a graph", "checkpoint", "NumPy", "mkdir"],
)
def test_a_full_disk_is_named(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: Callable[[Path], object], named: str
) -> None:
    folder = tmp_path / "a folder; with blanks"
    monkeypatch.chdir(inputs)
    monkeypatch.setattr(train, "train", lambda *arguments: failing(folder))
    with pytest.raises(SenguError) as found:
        train.main(list(FOLDERS))
    assert str(found.value) == (
        f"No space left on device for {named.format(folder)}: make room there, then run the stage again, and fine-tuning goes on "
        "after its last whole epoch"
    )


def main_with(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(train, "train", failing)
    train.main(list(FOLDERS))


@pytest.mark.parametrize(
    "error",
    [
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[9999]"),
        tf.errors.InternalError(None, None, "Failed copying input tensor: Dst tensor is not initialized."),
        MemoryError(),
    ],
    ids=["TensorFlow", "a copy", "NumPy"],
)
def test_out_of_memory_says_what_to_lower(inputs: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.chdir(inputs)
    with pytest.raises(SenguError, match=r"^out of memory: lower train\.fine_tune\.batch in params\.yaml$"):
        main_with(error, monkeypatch)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "pixels/pixels.npy"),
        tf.errors.ResourceExhaustedError(None, None, "a/file; Too many open files"),
        tf.errors.InvalidArgumentError(None, None, "a bug"),
    ],
    ids=["a file", "open files", "a bug"],
)
def test_other_errors_speak_for_themselves(inputs: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.chdir(inputs)
    with pytest.raises(type(error)) as found:
        main_with(error, monkeypatch)
    assert found.value is error


def test_another_training_is_not_disturbed(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = outputs(trained)
    monkeypatch.chdir(trained)
    with train.checkpoints.alone(), pytest.raises(SenguError, match="another training holds"):
        train.main(list(FOLDERS))
    assert outputs(trained) == before


def test_a_checkpoint_is_named_by_all_that_decides(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [inputs / name for name in ("pixels", "features", "backbone")]
    settings = params.section("train", params.Train, inputs / "params.yaml")
    alone = workers.Place(0, 1)

    def name(place: workers.Place = alone, classes: int = 4) -> str:
        return str(train.kept_in(folders, settings, classes, place))

    names = [name(), name(classes=3)]
    assert names[0] == name()
    with monkeypatch.context() as patch:
        patch.setattr(train.fine_tuning, "half", lambda settings: True)
        names.append(name())
    with monkeypatch.context() as patch:
        patch.setattr(train.networks.backbone, "processors", lambda: ["another"])
        names.append(name())
        patch.setattr(train.learner, "total", lambda own: own + 5)  # what the chief adds
        added = name(workers.Place(1, 2))
        patch.setattr(train.networks.backbone, "processors", lambda: ["a third"])
        assert name(workers.Place(1, 2)) == added  # another worker's own processor does not count
    assert len({*names, added}) == 5

    hashed: list[Any] = []
    monkeypatch.setattr(digests, "key", lambda settings, parts, libraries: hashed.extend(parts) or "name")
    name()
    code = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["train"]["deps"]
    rooms = {Path(part.__file__).parent.as_posix() if hasattr(part, "__path__") else part.__file__ for part in hashed[:-3]}
    expected = {str(ROOT / dep) for dep in code if dep.startswith("src/") and not dep.endswith("/__init__.py")}
    assert rooms == expected
    assert hashed[-3:] == folders


@pytest.mark.parametrize(
    ("without", "patience", "message"),
    [
        ("train", 0, "pixels has no example of type train"),
        (
            "validation",
            3,
            "train.fine_tune.patience is 3, but .*pixels has no example of type validation to stop by: set it to 0",
        ),
        ("validation", 0, ""),
    ],
    ids=["train", "fine_tune", "fine"],
)
def test_examples_that_a_phase_needs(inputs: Path, without: str, patience: int, message: str) -> None:
    pixels = read_pixels(inputs / "pixels")
    kept = pixels.rows[pixels.rows["type"] != without]
    settings = params.Train(seed=1, fine_tune=params.FineTune(epochs=1, rate=0.1, batch=8, patience=patience))
    with pytest.raises(SenguError, match=message) if message else nullcontext():
        train.check(Examples(kept, pixels.arrays[kept.index]), settings, inputs / "pixels")


def test_a_repository_without_a_commit_is_told_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """dvclive asks for the latest one, and ends with a traceback if there is none."""
    monkeypatch.chdir(tmp_path)
    run(tmp_path, "git", "init", "--quiet")
    run(tmp_path, "dvc", "init", "--quiet")
    with (
        pytest.raises(SenguError, match="^curves cannot be written: dvclive asks Git for the latest commit") as refused,
        train.curves(Path("curves")),
    ):
        pass
    cure = re.search("`(.*)`", str(refused.value))
    assert cure is not None
    run(tmp_path, "bash", "-c", cure[1])
    with train.curves(Path("curves")) as log:
        log("head", 0, train.Fit(0.5, 0.1, 0.6, None, None))
    assert (tmp_path / "curves/metrics.json").exists()
