"""data/embeddings: the outputs of the released model and the frozen backbone for every picture, and the search among them."""

import json
import logging
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from sengu.base import arrays, tables
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId

OBJECTS = "objects.csv"
EMBEDDINGS = "embeddings.npy"
PROBABILITIES = "probabilities.npy"
FEATURES = "features.npy"
WHITENING, SKETCH = "whitening.npy", "sketch.npy"  # the latter of many pictures
META = "meta.json"
TYPE = np.dtype("<f4")
LARGE = 200_000  # pictures, from which on a sketch of their features is searched first
WIDTH = 64  # of the sketch
SAMPLE = 5_000  # pictures whose features decide the whitening
POWER, FLOOR = -0.25, 1e-3  # of the whitening: half of it, and less where there is less than this share of the largest variance
LOOKED = 2_000  # pictures that are compared in full after a search in the sketch
ROUNDING = 1e-5  # between two ways to add up a cosine, at most
BATCH, BLOCK = 4096, 32_768  # queries, and vectors, looked up at a time, which bounds the memory
RERUN = "run `dvc repro embed`"
CURE = f"{RERUN}, or `dvc pull` if someone else produced it"


@dataclass(frozen=True)
class Row:
    """One picture (data/embeddings/objects.csv); its embedding and probabilities are in the same row of the arrays."""

    objectId: str


@dataclass(frozen=True)
class Model:
    """The model that made embeddings; `sha256` is that of its model.onnx, `backbone` that of backbone.onnx, in lower-case hex."""

    name: str
    version: str
    sha256: str
    backbone: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} (SHA-256 {self.sha256[:12]}…)"


@dataclass(frozen=True)
class Sketch:
    """The features of n pictures along the few axes in which they differ most, which come first: `rows` float32 (n, w)."""

    rows: np.ndarray

    def likely(self, queries: np.ndarray, number: int) -> np.ndarray:
        """The rows that are probably most similar to any of the queries (q, k), sorted."""
        nearness = (self.rows @ queries[:, : self.rows.shape[1]].T).max(axis=1)
        return np.sort(np.argpartition(nearness, -number)[-number:]) if number < len(nearness) else np.arange(len(nearness))


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of n pictures, memory-mapped; `objects` are their ids, sorted.

    `vectors` float32 (n, d) of length 1 are the embeddings by the trained model, `probabilities` float32 (n, classes) are its,
    too; `features` float32 (n, k) of length 1 are those of the frozen backbone, whitened; LARGE numbers of them have a sketch.
    """

    model: Model
    objects: list[str]
    vectors: np.ndarray
    probabilities: np.ndarray
    features: np.ndarray
    whitening: np.ndarray
    sketch: Sketch | None = None  # of the features

    def row(self, object_id: str) -> int:
        """The row of an object. Raises SenguError if it has none."""
        row = bisect_left(self.objects, object_id)
        if row == len(self.objects) or self.objects[row] != object_id:
            what = "is a video: name one of its frames" if ObjectId.parse(object_id).is_video else "has no embedding: " + RERUN
            raise SenguError(f"object {object_id} {what}")
        return row


def write(
    folder: Path, model: Model, objects: Sequence[str], rows: Iterable[Sequence[np.ndarray]], shape: tuple[int, int, int]
) -> None:
    """Writes the probabilities (c,), embedding (d,) and features (k,) of each object in turn; `shape` is (c, d, k).

    The features are whitened on the way.
    """
    tables.write(folder / OBJECTS, tables.frame(map(Row, objects), Row), Row)
    with ExitStack() as stack:
        streams = [stack.enter_context((folder / name).open("wb")) for name in (PROBABILITIES, EMBEDDINGS, FEATURES)]
        for stream, width in zip(streams, shape, strict=True):
            described = {"descr": TYPE.str, "fortran_order": False, "shape": (len(objects), width)}
            np.lib.format.write_array_header_1_0(stream, described)
        for _, each in zip(objects, rows, strict=True):
            for stream, values in zip(streams, each, strict=True):
                stream.write(values.astype(TYPE, copy=False).tobytes())
    with threadpool_limits(1):  # the same bytes on any number of cores
        _whiten(folder)
    (folder / META).write_text(json.dumps(asdict(model), indent=2) + "\n", encoding="utf-8")


def whitening_of(features: np.ndarray) -> np.ndarray:
    """The matrix float32 (k, k) that whitens features (n, k) half-way, from SAMPLE of them; its columns are axes, widest first.

    Along the few axes in which pictures differ most, they differ by subject; what tells a picture from others of its subject is
    along the rest, and counts for more when whitened. After Jégou and Chum, 2012
    (https://doi.org/10.1007/978-3-642-33709-3_55), but not centred, so that few pictures, or equal ones, have a direction, too.
    """
    if not len(features):
        return np.eye(features.shape[1], dtype=TYPE)
    sample = features[np.linspace(0, len(features) - 1, min(len(features), SAMPLE)).astype(np.int64)].astype(np.float64)
    power, axes = np.linalg.eigh(sample.T @ sample)
    power, axes = np.maximum(power[::-1], 0), axes[:, ::-1]
    return np.ascontiguousarray((axes * (power + FLOOR * power[0]) ** POWER).astype(TYPE))


def whitened(features: np.ndarray, whitening: np.ndarray) -> np.ndarray:
    """Features (n, k) of the backbone as they are compared: float32 (n, k) of length 1."""
    turned = features @ whitening
    unit: np.ndarray = turned / np.linalg.norm(turned, axis=1, keepdims=True)
    return unit.astype(TYPE, copy=False)


def _whiten(folder: Path) -> None:
    """Replaces the features in a folder by whitened ones, and writes the matrix, and a sketch of LARGE numbers of them."""
    features = np.load(folder / FEATURES, mmap_mode="r+")
    whitening = whitening_of(features)
    np.save(folder / WHITENING, whitening)
    for start in range(0, len(features), BATCH):
        batch = slice(start, start + BATCH)
        features[batch] = whitened(features[batch], whitening)
    features.flush()
    if len(features) >= LARGE:
        np.save(folder / SKETCH, np.ascontiguousarray(features[:, :WIDTH]))


def read(folder: Path) -> Embeddings:
    """Raises SenguError if something is missing or damaged."""
    objects = tables.read(folder / OBJECTS, Row)["objectId"].tolist()
    names = (EMBEDDINGS, PROBABILITIES, FEATURES)
    embeddings, probabilities, features = (
        arrays.mapped(folder / name, TYPE.str, 2, len(objects), folder / OBJECTS) for name in names
    )
    whitening = arrays.mapped(folder / WHITENING, TYPE.str, 2, features.shape[1], folder / FEATURES)
    sketch = None
    if len(objects) >= LARGE:
        sketch = Sketch(arrays.mapped(folder / SKETCH, TYPE.str, 2, len(objects), folder / OBJECTS))
    path = folder / META
    try:
        return Embeddings(
            Model(**json.loads(path.read_text(encoding="utf-8"))), objects, embeddings, probabilities, features, whitening, sketch
        )
    except FileNotFoundError:
        raise SenguError(f"{path} is missing: {CURE}") from None
    except (ValueError, TypeError) as error:
        raise SenguError(f"{path} is damaged ({error}): `sengu heal {folder}` restores it") from error


def nearest(query: np.ndarray, vectors: np.ndarray, number: int, sketch: Sketch | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The most similar of `vectors` (n, d) to one query (d,), or to any of several (q, d): cosine nearness, falling, and rows.

    The search is exact: it compares every vector in place, also in a memory-mapped file. It needs 4 bytes of memory per
    vector. Equal vectors come in the order of their rows. With a sketch, it compares only likely vectors, and may miss a few
    of the most similar.
    """
    number, queries = min(number, len(vectors)), np.atleast_2d(query).astype(np.float32, copy=False)
    if not number:
        return np.empty(0, np.float32), np.empty(0, np.int64)
    if sketch is not None:
        likely = sketch.likely(queries, max(number, LOOKED))
        nearness, places = nearest(queries, vectors[likely], number)
        return nearness, likely[places]
    # one product of a matrix and a vector for each: one of two matrices takes three times as long here
    nearness = np.max([vectors @ each for each in queries], axis=0)
    least = np.partition(nearness, -number)[-number]
    rows = np.flatnonzero(nearness >= least - ROUNDING)
    # the product rounds equal vectors differently by where they lie
    exact = np.max([(vectors[rows] * each).sum(axis=1) for each in queries], axis=0)
    order = np.lexsort((rows, -exact))[:number]
    return exact[order], rows[order]


def distances(rows: np.ndarray, others: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """The cosine distance from each of the `rows` of `vectors` to the nearest of the rows `others`: float32 (len(rows),).

    If there are no others, the distance is 1. BLOCK of the others are in memory at a time.
    """
    if not len(others):
        return np.ones(len(rows), np.float32)
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)  # while it is loaded, it tells which processors it tries
    import faiss

    nearness = np.full(len(rows), -np.inf, np.float32)
    batches = product(range(0, len(others), BLOCK), range(0, len(rows), BATCH))
    number = -(-len(others) // BLOCK) * -(-len(rows) // BATCH)
    held, near = -1, np.empty(0, np.float32)
    for block, start in tqdm(batches, desc="distances", total=number, unit="batch", disable=None):
        if block != held:
            held, near = block, np.ascontiguousarray(vectors[others[block : block + BLOCK]])
        batch = slice(start, start + BATCH)
        cosines, _ = faiss.knn(np.ascontiguousarray(vectors[rows[batch]]), near, 1, faiss.METRIC_INNER_PRODUCT)
        np.maximum(nearness[batch], cosines[:, 0], out=nearness[batch])
    return np.maximum(1 - nearness, 0)  # of equal vectors it can fall below
