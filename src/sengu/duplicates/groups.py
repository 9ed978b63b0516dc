"""Hashes and thumbnails of pictures -> groups of near-duplicates: candidates from an index, each verified by its pixels."""

from collections.abc import Iterator
from functools import cache

import cv2
import faiss
import joblib
import numpy as np
from joblib import Parallel, delayed
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from tqdm import tqdm

# Limits measured by benchmarks/duplicates.py: between what 98 % of the variations of a photograph need and what distinct
# photographs reach.
RADIUS = 12  # bits of 64 in which a candidate may differ
ROUGHLY = 0.7  # correlation of thumbnails of 16 x 16, which throws out most candidates at little cost
ALIKE = 0.94  # correlation of the aligned thumbnails
DETAIL = 0.85  # the same without a smooth surface: two skies are not one picture because both get lighter upwards
FLAT = 2.0  # grey levels of standard deviation; below, a picture shows nothing to compare
BLUR = 0.7  # pixels; without it the noise of small pictures hides what they share
SIDES = (64, 62, 60, 58, 56, 54, 52, 50)  # of the part that a crop of up to 11 % off each side leaves of 64 pixels
MARGINS = (0, 3, 5)  # pixels cut off each side of 64 for the rough look
ROUGH_SIDE = 16
QUERIES = 16_384  # pictures looked up at a time, which bounds the memory for candidates
BATCH = 256  # pairs that a worker verifies at a time
ROUNDS = 3  # of verifying; more would save little where most pairs hold


def groups(hashes: np.ndarray, thumbnails: np.ndarray, links: np.ndarray) -> np.ndarray:
    """The number of the group of each of n pictures, int (n,): pictures are together if a chain of pairs joins them.

    `hashes` uint8 (n, k, 8): 64-bit perceptual hashes, first of the whole picture, then of crops of it; `thumbnails` uint8
    (n, 64, 64); `links` int (m, 2): pairs known beforehand. The numbers mean nothing but equality, and which pictures are
    together does not depend on the order of the pictures. Mirrored pictures are not duplicates.
    """
    labels = _joined(np.arange(len(hashes)), links)
    seen = np.flatnonzero(~_flat(thumbnails))
    if not len(seen):
        return labels
    for pairs in _candidates(hashes, seen):
        labels = _verified(pairs, labels, thumbnails)
    return labels


def _joined(labels: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """The labels after those of each pair have become one."""
    ends = labels[pairs.reshape(-1, 2).astype(np.int64)]
    size = int(labels.max(initial=-1)) + 1
    graph = coo_array((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1][labels] if size else labels)


def _flat(thumbnails: np.ndarray) -> np.ndarray:
    basis = _smooth(thumbnails.shape[1])
    flat = np.zeros(len(thumbnails), bool)
    for start in range(0, len(thumbnails), BATCH):
        values = thumbnails[start : start + BATCH].reshape(-1, len(basis)).astype(np.float64)
        flat[start : start + len(values)] = (values - values @ basis @ basis.T).std(axis=1) < FLAT
    return flat


def _candidates(hashes: np.ndarray, seen: np.ndarray) -> Iterator[np.ndarray]:
    """Pairs of `seen` in which the whole of one is near to the whole or a crop of the other: int (m, 2), nearest first."""
    faiss.omp_set_num_threads(joblib.cpu_count())
    index = faiss.IndexBinaryFlat(64)
    for crop in range(hashes.shape[1]):
        index.add(np.ascontiguousarray(hashes[seen, crop]))
    wholes = np.ascontiguousarray(hashes[seen, 0])
    for start in tqdm(range(0, len(seen), QUERIES), desc="candidates", disable=None):
        limits, distances, found = index.range_search(wholes[start : start + QUERIES], RADIUS + 1)  # which is exclusive
        ones = start + np.repeat(np.arange(len(limits) - 1), np.diff(limits.astype(np.int64)))
        pairs = np.sort(np.stack([seen[ones], seen[found % len(seen)]], axis=1), axis=1)
        order = np.argsort(distances, kind="stable")
        yield pairs[order][pairs[order, 0] != pairs[order, 1]]


def _verified(pairs: np.ndarray, labels: np.ndarray, thumbnails: np.ndarray) -> np.ndarray:
    """The labels after the pairs that hold have joined them.

    Of a hundred copies of one picture each pair is a candidate, but 99 pairs join them. So first only pairs are verified that
    would make a tree; what they join needs no look. The last round takes all that is left, so that the result is that of
    verifying every pair.
    """
    for number in range(ROUNDS):
        pairs = pairs[labels[pairs[:, 0]] != labels[pairs[:, 1]]]
        if number == 0:
            pairs = pairs[np.sort(np.unique(pairs, axis=0, return_index=True)[1])]
            pairs = pairs[_roughly_alike(pairs, thumbnails)]
        if not len(pairs):
            break
        chosen = np.arange(len(pairs)) if number == ROUNDS - 1 else _tree(labels[pairs])
        batches = [pairs[chosen[start : start + BATCH]] for start in range(0, len(chosen), BATCH)]
        work = ((thumbnails[batch[:, 0]], thumbnails[batch[:, 1]]) for batch in batches)
        workers = Parallel(n_jobs=-1 if len(batches) > 1 else 1, max_nbytes=None)
        verdicts = workers(delayed(_all_alike)(*each) for each in work)
        labels = _joined(labels, pairs[chosen][np.concatenate(verdicts)])
        pairs = np.delete(pairs, chosen, axis=0)
    return labels


def _tree(ends: np.ndarray) -> np.ndarray:
    """Which of these pairs of labels, the best first, make a spanning tree of each connected part."""
    ends = np.sort(ends, axis=1)
    _, first = np.unique(ends, axis=0, return_index=True)
    size = int(ends.max()) + 1
    weights = first + 1.0  # the place in the order is the cost, and tells which pair it was
    graph = coo_array((weights, (ends[first, 0], ends[first, 1])), shape=(size, size))
    return np.sort(minimum_spanning_tree(graph.tocsr()).data.astype(np.int64) - 1)


def _rough(thumbnails: np.ndarray) -> np.ndarray:
    """Each thumbnail without the MARGINS as a vector of length 1 and mean 0: float32 (n, 3, 256)."""
    vectors = np.zeros((len(thumbnails), len(MARGINS), ROUGH_SIDE**2), np.float32)
    for row, thumbnail in enumerate(thumbnails):
        for column, margin in enumerate(MARGINS):
            part = thumbnail[margin : len(thumbnail) - margin, margin : len(thumbnail) - margin]
            vectors[row, column] = cv2.resize(part, (ROUGH_SIDE, ROUGH_SIDE), interpolation=cv2.INTER_AREA).ravel()
    vectors -= vectors.mean(axis=2, keepdims=True)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=2, keepdims=True), 1e-6)
    return vectors


def _roughly_alike(pairs: np.ndarray, thumbnails: np.ndarray) -> np.ndarray:
    involved, places = np.unique(pairs, return_inverse=True)
    rough, pairs = _rough(thumbnails[involved]), places.reshape(pairs.shape)
    alike = np.zeros(len(pairs), bool)
    for start in range(0, len(pairs), BATCH):
        a, b = rough[pairs[start : start + BATCH, 0]], rough[pairs[start : start + BATCH, 1]]
        one = np.einsum("nk,nmk->nm", a[:, 0], b).max(axis=1)
        other = np.einsum("nk,nmk->nm", b[:, 0], a).max(axis=1)
        alike[start : start + BATCH] = np.maximum(one, other) >= ROUGHLY
    return alike


def _all_alike(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Runs in a worker."""
    cv2.setNumThreads(1)
    return np.array([alike(one, other) for one, other in zip(ones, others, strict=True)], bool)


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two thumbnails, uint8 (64, 64), show one picture, either of them cropped, in any light and contrast."""
    one, other = (cv2.GaussianBlur(thumbnail, (0, 0), BLUR) for thumbnail in (one, other))
    return any(_shows(whole, part, side) for side in SIDES for whole, part in ((one, other), (other, one)))


def _shows(whole: np.ndarray, part: np.ndarray, side: int) -> bool:
    part = cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA)
    found = cv2.matchTemplate(whole, part, cv2.TM_CCOEFF_NORMED)
    _, best, _, (x, y) = cv2.minMaxLoc(found)
    if best < ALIKE:
        return False
    # OpenCV gives any number for a window without variance, so what it found is looked at again
    window = whole[y : y + side, x : x + side]
    return (
        _correlation(window - window.mean(), part - part.mean()) >= ALIKE
        and _correlation(*map(_detail, (window, part))) >= DETAIL
    )


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Of two surfaces of mean 0; 0 if one of them is flat."""
    spread = one.std() * other.std()
    return float((one * other).mean() / spread) if min(one.std(), other.std()) >= FLAT else 0.0


def _detail(picture: np.ndarray) -> np.ndarray:
    """A square picture less the surface of second degree that fits it best."""
    basis = _smooth(len(picture))
    values = picture.ravel().astype(np.float64)
    return np.asarray(values - basis @ (basis.T @ values)).reshape(picture.shape)


@cache
def _smooth(side: int) -> np.ndarray:
    """An orthonormal basis of the surfaces of second degree on a square: (side * side, 6)."""
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j].reshape(2, -1)
    return np.asarray(np.linalg.qr(np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1))[0])
