"""data/embeddings: what the released model says of every picture, row for row with the objects; and the search among them."""

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import faiss
import numpy as np
from joblib import cpu_count
from tqdm import tqdm

from sengu.base import arrays, tables
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId

OBJECTS = "objects.csv"
EMBEDDINGS = "embeddings.npy"
PROBABILITIES = "probabilities.npy"
META = "meta.json"
TYPE = np.dtype("<f4")
BATCH = 4096  # queries looked up at a time, which bounds the memory
RERUN = "run `dvc repro embed`"
CURE = f"{RERUN}, or `dvc pull` if someone else produced it"


@dataclass(frozen=True)
class Row:
    """One picture (data/embeddings/objects.csv); its embedding and probabilities are in the same row of the arrays."""

    objectId: str


@dataclass(frozen=True)
class Model:
    """Which model made embeddings; `sha256` is that of its model.onnx, lower-case hex."""

    name: str
    version: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} (SHA-256 {self.sha256[:12]}…)"


@dataclass(frozen=True)
class Embeddings:
    """`objects` are ids, sorted; `vectors` float32 (n, d) of length 1 and `probabilities` float32 (n, classes), memory-mapped."""

    model: Model
    objects: list[str]
    vectors: np.ndarray
    probabilities: np.ndarray

    def row(self, object_id: str) -> int:
        """Where an object stands. Raises SenguError if it does not."""
        row = bisect_left(self.objects, object_id)
        if row == len(self.objects) or self.objects[row] != object_id:
            what = "is a video: name one of its frames" if ObjectId.parse(object_id).is_video else "has no embedding: " + RERUN
            raise SenguError(f"object {object_id} {what}")
        return row


def write(
    folder: Path, model: Model, objects: Sequence[str], pairs: Iterable[tuple[np.ndarray, np.ndarray]], shape: tuple[int, int]
) -> None:
    """Writes the probabilities (c,) and embedding (d,) of each of the objects as they come; `shape` is (c, d)."""
    tables.write(folder / OBJECTS, tables.frame(map(Row, objects), Row), Row)
    with (folder / PROBABILITIES).open("wb") as probabilities, (folder / EMBEDDINGS).open("wb") as vectors:
        streams = (probabilities, vectors)
        for stream, width in zip(streams, shape, strict=True):
            described = {"descr": TYPE.str, "fortran_order": False, "shape": (len(objects), width)}
            np.lib.format.write_array_header_1_0(stream, described)
        for _, each in zip(objects, pairs, strict=True):
            for stream, values in zip(streams, each, strict=True):
                stream.write(values.astype(TYPE, copy=False).tobytes())
    (folder / META).write_text(json.dumps(asdict(model), indent=2) + "\n", encoding="utf-8")


def read(folder: Path) -> Embeddings:
    """Raises SenguError if something is missing or damaged."""
    objects = tables.read(folder / OBJECTS, Row)["objectId"].tolist()
    both = [arrays.mapped(folder / name, TYPE.str, 2, len(objects), folder / OBJECTS) for name in (EMBEDDINGS, PROBABILITIES)]
    path = folder / META
    try:
        return Embeddings(Model(**json.loads(path.read_text(encoding="utf-8"))), objects, *both)
    except FileNotFoundError:
        raise SenguError(f"{path} is missing: {CURE}") from None
    except (ValueError, TypeError) as error:
        raise SenguError(f"{path} is damaged ({error}): `sengu heal {folder}` restores it") from error


def nearest(query: np.ndarray, vectors: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """The most similar of `vectors` (n, d) to one query (d,): cosine nearness, falling, and rows, as many each.

    Exact: faiss compares the query with every vector where it lies, which may be in a memory-mapped file; an IndexFlatIP, which
    does the same, would first copy all of them, and look at them with one core.
    """
    number = min(number, len(vectors))
    if not number:
        return np.empty(0, np.float32), np.empty(0, np.int64)
    query = np.ascontiguousarray(query[np.newaxis], np.float32)
    merged = faiss.ResultHeap(1, number, keep_max=True)
    parts = [part for part in np.array_split(np.arange(len(vectors)), cpu_count()) if len(part)]

    def look(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        within = vectors[part[0] : part[-1] + 1]
        return faiss.knn(query, within, min(number, len(within)), metric=faiss.METRIC_INNER_PRODUCT)

    with ThreadPoolExecutor(len(parts)) as pool:
        for part, (nearness, rows) in zip(parts, pool.map(look, parts), strict=True):
            merged.add_result(nearness, rows + part[0])
    merged.finalize()
    order = np.lexsort((merged.I[0], -merged.D[0]))  # equal ones in the order of their rows
    return merged.D[0][order], merged.I[0][order]


def distances(rows: np.ndarray, others: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """The cosine distance from each of the `rows` of `vectors` to the nearest of the rows `others`: float32 (len(rows),).

    If there are no others, it is 1.
    """
    if not len(others):
        return np.ones(len(rows), np.float32)
    near = np.ascontiguousarray(vectors[others])

    def batches() -> Iterator[np.ndarray]:
        for start in tqdm(range(0, len(rows), BATCH), desc="distances", unit="batch", disable=None):
            nearness, _ = faiss.knn(
                np.ascontiguousarray(vectors[rows[start : start + BATCH]]), near, 1, faiss.METRIC_INNER_PRODUCT
            )
            yield np.maximum(1 - nearness[:, 0], 0)  # of equal vectors it can fall below

    return np.concatenate([np.empty(0, np.float32), *batches()])
