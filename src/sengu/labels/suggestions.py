"""Embeddings and probabilities of unlabelled pictures -> those to label next."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heapreplace

import numpy as np
from scipy.stats import entropy, rankdata


@dataclass(frozen=True)
class Candidates:
    """Pictures that could be labelled next, an entry each: `rows` int (m,) are their rows among the vectors of all pictures,
    `uncertain` (m,) the uncertainty of each, `far` (m,) its distance to the nearest labelled picture, `groups` (m,) its group of
    near-duplicates.
    """

    rows: np.ndarray
    uncertain: np.ndarray
    far: np.ndarray
    groups: Sequence[Hashable]


def uncertainty(probabilities: np.ndarray) -> np.ndarray:
    """The entropy of each row of probabilities (n, classes), from 0 (certain) to 1 (all classes equal): float64 (n,)."""
    return np.asarray(entropy(probabilities, axis=1) / np.log(probabilities.shape[1]))


def suggest(candidates: Candidates, vectors: np.ndarray, number: int) -> list[int]:
    """Positions among the candidates of at most `number` pictures, the most useful first.

    `vectors` (n, d) are of length 1. Of a group of near-duplicates only one picture is taken. Each picture taken is the one with
    the highest

        (rank by uncertainty + rank by distance) / 2 * cosine distance to the nearest picture taken before it

    Ranks are shares of the candidates, from near 0 to 1, equal ones averaged: neither entropies nor distances are spread evenly,
    and a network that is wrong about something new can be certain. Of equals the first is taken.
    """
    rows, groups = candidates.rows, candidates.groups
    scores = (rankdata(candidates.uncertain) + rankdata(candidates.far)) / 2 / max(len(rows), 1)
    # a score can only fall, so an old score is a bound, and most are never computed again
    heap = [(-score, position, 0) for position, score in enumerate(scores.tolist())]
    heapify(heap)
    distances = np.ones(len(rows))
    taken: list[int] = []
    theirs = np.empty((min(number, len(rows)), vectors.shape[1]), vectors.dtype)  # the vectors of those taken
    seen: set[Hashable] = set()
    while heap and len(taken) < number:
        _, position, known = heap[0]
        if groups[position] in seen:
            heappop(heap)
        elif known == len(taken):
            heappop(heap)
            theirs[len(taken)] = vectors[rows[position]]
            taken.append(position)
            seen.add(groups[position])
        else:
            nearest = float(np.max(theirs[known : len(taken)] @ vectors[rows[position]]))
            distances[position] = min(distances[position], max(1 - nearest, 0))
            heapreplace(heap, (-scores[position] * distances[position], position, len(taken)))
    return taken
