"""Random embeddings -> the time of one query among them, against the obvious alternatives, which must find the same.

    python benchmarks/similar.py [--rows 100000] [--dimensions 1280]

`load` is what each needs before the first query; the files are in the page cache, since they were just written.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

start = time.perf_counter()
import numpy as np  # noqa: E402

from sengu import embeddings  # noqa: E402

IMPORTS = time.perf_counter() - start
NUMBER, QUERIES = 20, 25
Query = Callable[[np.ndarray], np.ndarray]  # a vector -> the rows of the most similar, the best first


def written(folder: Path, rows: int, dimensions: int) -> None:
    chance = np.random.default_rng(0)
    vectors = chance.standard_normal((rows, dimensions), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = [f"{row:040x}.jpg" for row in range(rows)]
    pairs = ((np.array([0.5, 0.5]), vector) for vector in vectors)
    embeddings.write(folder, embeddings.Model("random", "0.0.0", "0" * 64), names, pairs, (2, dimensions))


def ours(folder: Path) -> Query:
    vectors = embeddings.read(folder).vectors
    return lambda query: embeddings.nearest(query, vectors, NUMBER)[1]


def scikit_learn(folder: Path) -> Query:
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=NUMBER, metric="cosine", algorithm="brute", n_jobs=-1)
    index.fit(np.load(folder / embeddings.EMBEDDINGS))
    return lambda query: index.kneighbors(query[np.newaxis])[1][0]


def flat_index(folder: Path) -> Query:
    import faiss

    vectors = np.load(folder / embeddings.EMBEDDINGS)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return lambda query: index.search(query[np.newaxis], NUMBER)[1][0]


def product(folder: Path) -> Query:
    vectors = np.load(folder / embeddings.EMBEDDINGS)

    def query(vector: np.ndarray) -> np.ndarray:
        similarities = vectors @ vector
        best = np.argpartition(-similarities, NUMBER)[:NUMBER]
        return np.asarray(best[np.argsort(-similarities[best])])

    return query


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=1280)
    options = parser.parse_args()
    ways = {
        "sengu (faiss.knn on the mapped file)": ours,
        "scikit-learn NearestNeighbors, brute": scikit_learn,
        "faiss.IndexFlatIP, copied": flat_index,
        "numpy product, copied": product,
    }
    print(f"imports: {IMPORTS:.2f} s")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written(folder, options.rows, options.dimensions)
        stored = np.load(folder / embeddings.EMBEDDINGS, mmap_mode="r")
        queries = [np.array(stored[row]) for row in range(0, options.rows, max(1, options.rows // QUERIES))]
        expected = None
        for title, way in ways.items():
            loading, query = timed(lambda way=way: way(folder))
            runs = [timed(lambda one=one, query=query: query(one)) for one in queries]
            seconds = [run[0] for run in runs]
            found = [run[1].tolist() for run in runs]
            expected = expected or found
            same = sum(a == b for a, b in zip(found, expected, strict=True))
            print(
                f"{title:38} load {loading:6.2f} s, first query {seconds[0] * 1000:6.1f} ms, then median "
                f"{median(seconds[1:]) * 1000:6.1f} ms, most {max(seconds[1:]) * 1000:6.1f} ms; {same} of {len(queries)} agree"
            )


if __name__ == "__main__":
    main()
