"""Training against the obvious script: ten epochs of the head, a second experiment, and fine-tuning against a constant tensor.

    python benchmarks/train.py PHOTOGRAPHS.zip [--pictures 5000] [--epochs 10] [--obvious-epochs 10] [--size 224]

The zip holds photographs in one folder per class. Crops of them, stored anew as JPEG of quality 90, make up the number; the
crops of every fifth photograph are for testing. The obvious script is Keras's image generator from folders, a frozen hub layer
and a dense layer, with Keras's defaults. Both use the embedded backbone. Each runs as a process of its own;
what its imports and the loading of the backbone take is printed apart and not counted.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from sengu import examples
from sengu.base import params, tables
from sengu.base.ids import ObjectId
from sengu.base.tables import versions
from sengu.networks import classifier

BATCH, RATE = 64, 0.001
FOLDS = 5  # one of them is for testing
EMBEDDED = Path(__file__).parents[1] / "models/embedded/efficientnet-b0.npz"
PARAMS = """\
engine: processes
prepare: {{ size: {size}, fit: squash }}
backbone: {{ source: embedded }}
train:
  seed: 1
  head: {{ penalty: {penalty} }}
  fine_tune: {{ epochs: 0, rate: 0.0001, batch: {batch} }}
"""

OBVIOUS = """
import time; begin = time.perf_counter()
import os, sys, json
os.environ["TF_USE_LEGACY_KERAS"] = "1"
import tensorflow as tf, tensorflow_hub as hub, tf_keras as keras
imports = time.perf_counter() - begin
size, batch, rate, epochs = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])

begin = time.perf_counter()
layer = hub.KerasLayer("backbone", trainable=False)
loading = time.perf_counter() - begin

begin = time.perf_counter()
generator = keras.preprocessing.image.ImageDataGenerator(rescale=1 / 255)
options = dict(target_size=(size, size), batch_size=batch, class_mode="sparse")
train = generator.flow_from_directory("folders/train", **options)
test = generator.flow_from_directory("folders/test", shuffle=False, **options)
head = keras.layers.Dense(len(train.class_indices), "softmax")
model = keras.Sequential([keras.layers.InputLayer((size, size, 3)), layer, head])
model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
before = time.perf_counter() - begin
ends = [time.perf_counter()]
model.fit(train, epochs=epochs, verbose=2, callbacks=[keras.callbacks.LambdaCallback(
    on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter()))])
seconds = [end - start for start, end in zip(ends, ends[1:])]
begin = time.perf_counter()
accuracy = model.evaluate(test, verbose=0)[1]
after = time.perf_counter() - begin
print(json.dumps({"imports": imports, "loading": loading, "epochs": seconds, "rest": before + after, "accuracy": accuracy}))
"""

STAGE = """
import time; begin = time.perf_counter()
import sys, json, importlib
stage = importlib.import_module("sengu.stages." + sys.argv[1])
from sengu.networks import backbone as backbones
imports, loading = time.perf_counter() - begin, 0
load = backbones.layer

def timed(*arguments, **options):
    global loading
    begin = time.perf_counter()
    found = load(*arguments, **options)
    loading += time.perf_counter() - begin
    return found

backbones.layer = timed
begin = time.perf_counter()
stage.main(sys.argv[2:])
print(json.dumps({"imports": imports, "loading": loading, "work": time.perf_counter() - begin - loading}))
"""

TUNE = """
import sengu, sys, time, json
from pathlib import Path
import numpy as np, tensorflow as tf
from sengu.base.tables import versions as datasets
from sengu.base import params
from sengu import examples as pixels
from sengu.training.fine_tuning import FineTuning
from sengu.training.fine_tuning import Network
from sengu.training.workers import Place

rounds, steps, batch = map(int, sys.argv[1:])
tf.config.experimental.enable_op_determinism()
examples = pixels.read_pixels(Path("pixels"))
classes = len(datasets.read(Path("dataset")).classes)
features = pixels.read_features(Path("pixels"), Path("features")).arrays.shape[1]
head = np.zeros((features, classes), np.float32), np.zeros(classes, np.float32)
network = Network(Path("backbone"), head, examples.arrays.shape[1])
plain = params.Augmentation()
full = params.Augmentation(flip=True, rotation=10, zoom=0.1, brightness=0.1, contrast=0.1, saturation=0.1)

def tuning(augmentation):
    tune = params.FineTune(epochs=rounds + 1, rate=1e-5, batch=batch, augmentation=augmentation)
    settings = params.Train(seed=1, fine_tune=tune)
    return FineTuning(network, examples, settings, Place(0, 1))

def seconds(step, batches):
    begin = time.perf_counter()
    for number, arguments in enumerate(batches, 1):
        last = step(*arguments)
        if number == steps:
            break
    last.numpy()
    return time.perf_counter() - begin

def endless(epochs):
    for epoch in epochs:
        yield from epoch

tunings = {"plain": tuning(plain), "augmented": tuning(full)}
constant = [tf.constant(array) for array in next(tunings["plain"].batches(0))]
found = {name: [] for name in ("constant", *tunings)}
for name in tunings:  # traced and warm
    seconds(tunings[name].step, [constant] * 2)
for number in range(rounds):
    found["constant"].append(seconds(tunings["plain"].step, [constant] * steps))
    for name, one in tunings.items():
        found[name].append(seconds(one.step, endless(one.batches(epoch) for epoch in range(number, number + steps))))
print(json.dumps(found))
"""


def pictures(archive: Path, number: int, folder: Path) -> dict[str, int]:
    """Writes the object tree, the folders by class, the split and the dataset version of so many pictures.

    Returns the number of the photograph of which each object is a crop.

    Ends the program if the archive has no photographs, or too small ones for so many different crops.
    """
    with zipfile.ZipFile(archive) as file:
        names = sorted(name for name in file.namelist() if name.lower().endswith((".jpg", ".jpeg", ".png")))
        classes = sorted({Path(name).parent.name for name in names})
        chance = np.random.default_rng(1)
        chance.shuffle(names)
        rows: list[tables.SplitLabel] = []
        taken: dict[str, int] = {}
        with tqdm(total=number, desc="pictures", disable=None) as progress:
            while len(rows) < number:
                before = len(rows)
                for position, name in enumerate(names):
                    if len(rows) == number:
                        break
                    data = crop(file.read(name), chance)
                    object_id = str(ObjectId.of(data, "jpg"))
                    if object_id in taken:
                        continue
                    taken[object_id] = position
                    kind = "test" if position % FOLDS == 0 else "train"
                    rows.append(tables.SplitLabel(object_id, classes.index(Path(name).parent.name), kind))
                    write(folder, object_id, data, Path(kind, Path(name).parent.name))
                    progress.update()
                if len(rows) == before:
                    sys.exit(
                        f"error: {archive} gives {before} different pictures only: {number} are to be made of its photographs"
                    )
    rows.sort(key=lambda row: row.objectId)
    tables.write(folder / "split_label.csv", tables.frame(rows, tables.SplitLabel), tables.SplitLabel)
    labels = tables.frame([tables.Label(row.objectId, row.value) for row in rows], tables.Label)
    (folder / "dataset").mkdir()
    versions.write(folder / "dataset", versions.describe("v1", classes, labels), labels)
    return taken


def crop(data: bytes, chance: np.random.Generator) -> bytes:
    """Nine tenths of a photograph's width and height, from anywhere in it."""
    picture = Image.open(BytesIO(data)).convert("RGB")
    width, height = round(picture.width * 0.9), round(picture.height * 0.9)
    x, y = (int(chance.integers(0, room + 1)) for room in (picture.width - width, picture.height - height))
    buffer = BytesIO()
    picture.crop((x, y, x + width, y + height)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def write(folder: Path, name: str, data: bytes, place: Path) -> None:
    leaf = folder / "object/site" / name[:2] / name[2:4] / name
    leaf.parent.mkdir(parents=True, exist_ok=True)
    leaf.write_bytes(data)
    by_class = folder / "folders" / place / name
    by_class.parent.mkdir(parents=True, exist_ok=True)
    by_class.hardlink_to(leaf)


def run(folder: Path, script: str, *arguments: object) -> dict[str, Any]:
    """Runs a script as a process of its own; what it printed last."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}, stdout=subprocess.PIPE, check=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def stage(folder: Path, name: str, *arguments: str) -> float:
    """Seconds of one stage without its imports and the loading of the backbone, which are printed."""
    found = run(folder, STAGE, name, *arguments)
    print(f"  {name}: {found['work']:.1f} s; imports {found['imports']:.1f} s, loading {found['loading']:.1f} s", flush=True)
    return float(found["work"])


def accuracy(folder: Path) -> float:
    test = examples.read_features(folder / "pixels", folder / "features").of_type("test")
    return float((classifier.head_probabilities(folder / "classifier", test.arrays).argmax(axis=1) == test.values).mean())


def settings(folder: Path, options: argparse.Namespace, penalty: float | str = "auto") -> None:
    (folder / params.PARAMS).write_text(PARAMS.format(size=options.size, batch=BATCH, penalty=penalty))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument(
        "--obvious-epochs", type=int, help="run so many epochs of the obvious script; the last counts for the others"
    )
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=5, help="of fine-tuning, each of --steps steps from each source")
    parser.add_argument("--steps", type=int, default=6)
    options = parser.parse_args()
    ran = options.obvious_epochs or options.epochs
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        pictures(options.photographs, options.pictures, folder)
        settings(folder, options)
        print(f"{options.pictures} pictures, {options.size} x {options.size} pixels, {options.epochs} epochs, batches of {BATCH}")
        stage(folder, "backbone", str(EMBEDDED), "backbone")

        found = run(folder, OBVIOUS, options.size, BATCH, RATE, ran)
        # the first epoch has TensorFlow's tracing in it, and is not multiplied
        obvious = sum(found["epochs"]) + (options.epochs - ran) * found["epochs"][-1] + found["rest"]
        print(
            f"obvious script: {obvious:.1f} s, test accuracy {found['accuracy']:.4f}; imports {found['imports']:.1f} s, ", end=""
        )
        print(f"loading {found['loading']:.1f} s")
        if ran != options.epochs:
            print(f"  {ran} of {options.epochs} epochs were run, the last one counts for the others; the accuracy is of {ran}")

        print("Sengu:")
        first = stage(folder, "prepare", "split_label.csv", "object", "pixels")
        first += stage(folder, "features", "pixels", "backbone", "features")
        train = ("train", "dataset", "pixels", "features", "backbone", "classifier", "training")
        first += stage(folder, *train)
        print(f"first experiment: {first:.1f} s, test accuracy {accuracy(folder):.4f}; {obvious / first:.1f} times faster")
        settings(folder, options, 0.1)
        second = stage(folder, *train)
        print(f"second experiment, another penalty: {second:.1f} s, test accuracy {accuracy(folder):.4f}; ", end="")
        print(f"{obvious / second:.1f} times faster")

        seconds = run(folder, TUNE, options.rounds, options.steps, BATCH)
        for name, times in seconds.items():
            speed = statistics.median(options.steps * BATCH / time for time in times)
            ratio = statistics.median(constant / time for constant, time in zip(seconds["constant"], times, strict=True))
            print(f"fine-tuning, {name}: {speed:.1f} pictures/s, {ratio:.3f} of the constant tensor")


if __name__ == "__main__":
    main()
