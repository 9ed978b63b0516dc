"""Random embeddings -> the time of one query among them, against the obvious alternatives, which must find the same.

    python benchmarks/similar.py [--rows 100000] [--dimensions 1280] [--like FEATURES.npy] [--only WAY...]

With `--like` the embeddings lie as the features in that file do (`benchmarks/twins.py --save` writes one); random ones have no
directions in which they differ more than in others, which a sketch needs. Recall is the share of the exact result that is found.

`load` is what each needs before the first query; the files are in the page cache, since they were just written.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

start = time.perf_counter()
import numpy as np  # noqa: E402

from sengu import embeddings  # noqa: E402

IMPORTS = time.perf_counter() - start
NUMBER, QUERIES, BATCH = 10, 25, 4096
Query = Callable[[np.ndarray], np.ndarray]  # a vector -> the rows of the most similar, the best first


def vectors(rows: int, dimensions: int, like: Path | None) -> Iterator[np.ndarray]:
    """Batches of vectors of length 1: random ones, or each between two of the features in a file, and a little off."""
    chance = np.random.default_rng(0)
    known = None if like is None else np.load(like)
    for start in range(0, rows, BATCH):
        count = min(BATCH, rows - start)
        if known is None:
            made = chance.standard_normal((count, dimensions), np.float32)
        else:
            ends = known[chance.integers(0, len(known), (2, count))]
            share = chance.random((count, 1), np.float32)
            made = ends[0] * share + ends[1] * (1 - share)
            made += 0.3 * known.std(axis=0) * chance.standard_normal(made.shape, np.float32)
        yield made / np.linalg.norm(made, axis=1, keepdims=True)


def written(folder: Path, rows: int, dimensions: int, like: Path | None) -> None:
    names = [f"{row:040x}.jpg" for row in range(rows)]
    probability = np.ones(1, np.float32)
    triples = ((probability, probability, vector) for batch in vectors(rows, dimensions, like) for vector in batch)
    embeddings.write(folder, embeddings.Model("random", "0.0.0", "0" * 64, "0" * 64), names, triples, (1, 1, dimensions))


def ours(folder: Path) -> Query:
    stored = embeddings.read(folder)
    return lambda query: embeddings.nearest(query, stored.features, NUMBER, stored.sketch)[1]


def exact(folder: Path) -> Query:
    stored = embeddings.read(folder)
    return lambda query: embeddings.nearest(query, stored.features, NUMBER)[1]


def in_parts(folder: Path) -> Query:
    """What Sengu did before: faiss compares the vectors in as many parts as there are cores, and copies none."""
    import faiss
    from joblib import cpu_count

    vectors = embeddings.read(folder).features
    parts = [part for part in np.array_split(np.arange(len(vectors)), cpu_count()) if len(part)]

    def query(vector: np.ndarray) -> np.ndarray:
        merged = faiss.ResultHeap(1, NUMBER, keep_max=True)

        def look(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return faiss.knn(vector[np.newaxis], vectors[part[0] : part[-1] + 1], NUMBER, metric=faiss.METRIC_INNER_PRODUCT)

        with ThreadPoolExecutor(len(parts)) as pool:
            for part, (nearness, rows) in zip(parts, pool.map(look, parts), strict=True):
                merged.add_result(nearness, rows + part[0])
        merged.finalize()
        return np.asarray(merged.I[0])

    return query


def scikit_learn(folder: Path) -> Query:
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=NUMBER, metric="cosine", algorithm="brute", n_jobs=-1)
    index.fit(np.load(folder / embeddings.FEATURES))
    return lambda query: index.kneighbors(query[np.newaxis])[1][0]


def flat_index(folder: Path) -> Query:
    import faiss

    vectors = np.load(folder / embeddings.FEATURES)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return lambda query: index.search(query[np.newaxis], NUMBER)[1][0]


def product(folder: Path) -> Query:
    vectors = np.load(folder / embeddings.FEATURES)

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
    parser.add_argument("--like", type=Path)
    parser.add_argument("--only", nargs="*")
    options = parser.parse_args()
    ways = {
        "sengu": ours,
        "sengu without a sketch": exact,
        "faiss.knn on the mapped file, in parts": in_parts,
        "scikit-learn NearestNeighbors, brute": scikit_learn,
        "faiss.IndexFlatIP, copied": flat_index,
        "numpy product, copied": product,
    }
    ways = {title: way for title, way in ways.items() if not options.only or title in options.only}
    print(f"imports: {IMPORTS:.2f} s")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written(folder, options.rows, options.dimensions, options.like)
        stored = np.load(folder / embeddings.FEATURES, mmap_mode="r")
        queries = [np.array(stored[row]) for row in range(0, options.rows, max(1, options.rows // QUERIES))]
        truth = exact(folder)
        expected = [truth(query) for query in queries]
        for title, way in ways.items():
            loading, query = timed(lambda way=way: way(folder))
            runs = [timed(lambda one=one, query=query: query(one)) for one in queries]
            seconds = [run[0] for run in runs]
            recall = np.mean([np.isin(a, b).mean() for a, (_, b) in zip(expected, runs, strict=True)])
            print(
                f"{title:38} load {loading:6.2f} s, first query {seconds[0] * 1000:6.1f} ms, then median "
                f"{median(seconds[1:]) * 1000:6.1f} ms, most {max(seconds[1:]) * 1000:6.1f} ms; recall {recall:.3f}"
            )


if __name__ == "__main__":
    main()
