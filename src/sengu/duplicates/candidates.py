"""64-bit hashes of pictures -> pairs that may show the same, by hash tables, in less than quadratic time.

Two hashes that differ in few bits are likely to agree, but for one bit at most, in one of several samples of their bits. So each
sample has a table, in which the hashes of all pictures are looked up with each of its bits flipped in turn. The samples grow with
the number of pictures, so that the tables' buckets do not (Norouzi, Punjani and Fleet, https://arxiv.org/abs/1307.2982).
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

BITS = (16, 22)  # of a sample, at least and at most
TABLES = 16  # of photographs cropped by a tenth of each side, the highest number of bits finds 99 %, the lowest all
QUERIES = 4096  # pictures looked up at a time, which bounds the memory
BUCKET = 1024  # entries of a bucket that are looked at; of a thousand copies of one picture, each is joined to the first
CAP = 256  # candidates of a picture, the nearest first

logger = logging.getLogger("duplicates")


@dataclass(frozen=True)
class Table:
    """The entries in the order of their keys: those of key k are order[starts[k] : starts[k + 1]].

    int32 is enough for 700 million pictures, and half the memory is quicker to search.
    """

    bits: np.ndarray  # which bits of a hash make the key, the lowest first
    order: np.ndarray
    starts: np.ndarray

    def keys(self, codes: np.ndarray) -> np.ndarray:
        return _keys(codes, self.bits)


def pairs(hashes: np.ndarray, queries: np.ndarray, radius: int, is_mirror: bool = False) -> Iterator[np.ndarray]:
    """Pairs of a query and one of the pictures whose hashes are near it: int (m, 2), nearest first, no pair twice in one batch.

    `hashes` uint8 (n, k, 8) are those of the whole of each picture and of its crops; `queries` uint8 (n, 8) are looked up among
    them, and a pair may differ in at most `radius` bits. A picture is no pair with itself. If `is_mirror`, the queries are
    hashes of mirror images, and the first of a pair is the one that was mirrored; else the smaller comes first.
    """
    count, crops = hashes.shape[:2]
    if not count:
        return
    codes = np.ascontiguousarray(hashes).reshape(-1, 8).view(np.uint64).ravel()
    wanted = np.ascontiguousarray(queries).reshape(-1, 8).view(np.uint64).ravel()
    tables = _tables(codes)
    capped = 0
    for start in tqdm(range(0, count, QUERIES), desc="candidates", disable=None):
        ones, others, distances = _near(wanted[start : start + QUERIES], codes, tables, radius)
        ones, others = ones + start, others // crops
        differ = ones != others
        near = np.stack([ones[differ], others[differ]], axis=1)
        near, distances, more = _capped(near, distances[differ])
        capped += more
        if not is_mirror:
            near = np.sort(near, axis=1)
        yield near[np.argsort(distances, kind="stable")]
    if capped:
        logger.info("%d pictures have more than %d candidates, of which the nearest were looked at", capped, CAP)


def _tables(codes: np.ndarray) -> list[Table]:
    bits = int(np.clip(np.ceil(np.log2(max(len(codes), 2))), *BITS))
    chance = np.random.default_rng(0)
    hash_tables, left = [], np.empty(0, np.int64)
    for _ in range(TABLES):
        if len(left) < bits:
            left = np.concatenate([left, np.setdiff1d(chance.permutation(64), left, assume_unique=True)])
        sample, left = left[:bits], left[bits:]
        keys = _keys(codes, sample)
        starts = np.zeros(2**bits + 1, np.int32)
        np.cumsum(np.bincount(keys, minlength=2**bits), out=starts[1:])
        hash_tables.append(Table(sample, np.argsort(keys, kind="stable").astype(np.int32), starts))
    return hash_tables


def _keys(codes: np.ndarray, bits: np.ndarray) -> np.ndarray:
    keys = np.zeros(len(codes), np.int64)
    for place, bit in enumerate(bits.tolist()):
        keys |= ((codes >> np.uint64(bit)) & np.uint64(1)).astype(np.int64) << place
    return keys


def _near(wanted: np.ndarray, codes: np.ndarray, tables: list[Table], radius: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of `wanted`, entries of `codes` and how many bits they differ in; an entry may come more than once."""
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for table in tables:
        keys = table.keys(wanted)
        for flip in (0, *(1 << place for place in range(len(table.bits)))):
            probes = keys ^ flip
            firsts = table.starts[probes]
            lengths = np.minimum(table.starts[probes + 1] - firsts, BUCKET)
            rows = np.repeat(np.arange(len(wanted)), lengths)
            places = np.arange(len(rows)) + np.repeat(firsts - (np.cumsum(lengths) - lengths), lengths)
            entries = table.order[places]
            distances = np.bitwise_count(codes[entries] ^ wanted[rows])
            near = distances <= radius
            parts.append((rows[near], entries[near], distances[near]))
    rows, entries, distances = (np.concatenate(column) for column in zip(*parts, strict=True))
    return rows, entries, distances


def _capped(pairs: np.ndarray, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Each pair once, at its least distance; of each query the CAP nearest; and of how many queries some were left out."""
    order = np.lexsort((distances, pairs[:, 1], pairs[:, 0]))
    pairs, distances = pairs[order], distances[order]
    is_new = np.append(True, (pairs[1:] != pairs[:-1]).any(axis=1)) if len(pairs) else np.empty(0, bool)
    pairs, distances = pairs[is_new], distances[is_new]
    order = np.lexsort((pairs[:, 1], distances, pairs[:, 0]))
    pairs, distances = pairs[order], distances[order]
    starts = np.flatnonzero(np.append(True, pairs[1:, 0] != pairs[:-1, 0])) if len(pairs) else np.empty(0, np.int64)
    lengths = np.diff(np.append(starts, len(pairs)))
    places = np.arange(len(pairs)) - np.repeat(starts, lengths)
    return pairs[places < CAP], distances[places < CAP], int((lengths > CAP).sum())
