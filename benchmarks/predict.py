"""A zip of photographs and a release -> how fast `sengu predict` starts, and how fast it goes through a folder.

    python benchmarks/predict.py PHOTOGRAPHS.zip [--pictures 1000] [--runs 5] [--model …] [--classifier …]

Start: `sengu predict` of one picture in a new process, against a new process that loads the SavedModel of the same network with
TensorFlow and runs it on the same picture; medians, with what imports and loading take of the latter.

Folder: `sengu predict --json DIR` as a process, and its work without start and output, against the bare minimum in one process:
Pillow opens and converts to RGB, ONNX Runtime runs the same model.onnx, nothing is checked. The minimum is the better of two ways
to use all cores: one loop with ONNX Runtime's own threads, and one thread for each core, with one of ONNX Runtime's each. If the
zip has fewer photographs than asked for, they are taken again under other names. Best of all runs, which take turns.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from sengu.commands.predict import predict
from sengu.release import bundle

SENGU = str(Path(sys.executable).parent / "sengu")
# what a program without ONNX Runtime would do, on a picture that is resized by Pillow
TENSORFLOW = """
import json, sys, time
start = time.perf_counter()
import sengu
import numpy as np
import tensorflow as tf
from PIL import Image
imported = time.perf_counter()
serve = (network := tf.saved_model.load(sys.argv[1])).signatures["serving_default"]
side = serve.structured_input_signature[1]["picture"].shape[1]
loaded = time.perf_counter()
pixels = np.asarray(Image.open(sys.argv[2]).convert("RGB").resize((side, side), Image.Resampling.BILINEAR))
found = serve(picture=tf.constant(pixels[None]))["probabilities"].numpy()[0]
print(json.dumps({"probabilities": found.tolist(), "imports": imported - start, "load": loaded - imported}))
"""


def unpacked(archive: Path, number: int, folder: Path) -> list[str]:
    """Writes `number` photographs into `folder`; returns their paths."""
    with zipfile.ZipFile(archive) as photographs:
        names = sorted(name for name in photographs.namelist() if name.lower().endswith((".jpg", ".jpeg", ".png")))
        paths = [folder / f"{i:05d}{Path(names[i % len(names)]).suffix}" for i in range(number)]
        for i, path in enumerate(paths):
            path.write_bytes(photographs.read(names[i % len(names)]))
    return [str(path) for path in paths]


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def process(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


def start(picture: str, model: Path, network: Path, runs: int) -> None:
    ours, theirs, parts = [], [], []
    for _ in range(runs):
        ours.append(timed(lambda: process(SENGU, "predict", "--json", picture, "--model", str(model))))
        begun = time.perf_counter()
        parts.append(json.loads(process(sys.executable, "-c", TENSORFLOW, str(network), picture)))
        theirs.append(time.perf_counter() - begun)
    fast, slow = statistics.median(ours), statistics.median(theirs)
    imports, load = (statistics.median(part[key] for part in parts) for key in ("imports", "load"))
    print(f"start: sengu predict {fast:.2f} s, TensorFlow {slow:.2f} s (imports {imports:.2f} s, loading {load:.2f} s)")
    print(f"start: {slow / fast:.1f} times faster")


def bare(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def folder(pictures: Sequence[str], model: Path, runs: int) -> None:
    cores = os.cpu_count() or 1
    loaded = bundle.load(model)
    one, many = bare(loaded.model, 1), bare(loaded.model, cores)

    def run(session: onnxruntime.InferenceSession, path: str) -> np.ndarray:
        return session.run(None, {"picture": np.asarray(Image.open(path).convert("RGB"))})[0]

    def threads() -> None:
        with ThreadPoolExecutor(cores) as pool:
            list(pool.map(lambda path: run(one, path), pictures))

    ways: dict[str, Callable[[], object]] = {
        "sengu predict, the process": lambda: process(
            SENGU, "predict", "--json", str(Path(pictures[0]).parent), "--model", str(model)
        ),
        "sengu predict, the work": lambda: list(predict(pictures, loaded)),
        "bare loop": lambda: [run(many, path) for path in pictures],
        "bare threads": threads,
    }
    loaded.run(np.zeros((8, 8, 3), np.uint8))  # makes the session
    turns = [[timed(work) for work in ways.values()] for _ in range(runs)]
    seconds = {name: min(found) for name, found in zip(ways, zip(*turns, strict=True), strict=True)}
    for name, best in seconds.items():
        print(f"folder: {name} {len(pictures) / best:.0f} pictures/s")
    minimum = min(seconds["bare loop"], seconds["bare threads"])
    for name in ("sengu predict, the process", "sengu predict, the work"):
        print(f"folder: {name}: {minimum / seconds[name]:.2f} of the bare minimum")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--model", type=Path, default=Path("models/release"))
    parser.add_argument("--classifier", type=Path, default=Path("models/classifier"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        pictures = unpacked(options.photographs, options.pictures, Path(scratch))
        sizes = [Image.open(path).size for path in pictures]
        print(f"{len(pictures)} photographs of {np.mean([w * h for w, h in sizes]) / 1e6:.2f} million pixels on average")
        start(pictures[0], options.model, options.classifier / "network", options.runs)
        folder(pictures, options.model, options.runs)


if __name__ == "__main__":
    main()
