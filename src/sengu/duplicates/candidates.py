"""64-bit hashes of pictures -> pairs that may show the same, by hash tables, in less than quadratic time.

Two hashes that differ in few bits are likely to agree, but for one bit at most, in one of several samples of their bits. So each
sample has a table, in which the hashes of all pictures are looked up with each of its bits flipped in turn. The samples grow with
the number of pictures, so that the tables' buckets do not (Norouzi, Punjani and Fleet, https://arxiv.org/abs/1307.2982).
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

RADIUS = 12  # bits of 64 in which a candidate may differ; measured by benchmarks/duplicates.py
BITS = (16, 22)  # of a sample, at least and at most
TABLES = 16  # of photographs cropped by a tenth of each side, the highest number of bits finds 99 %, the lowest all
QUERIES = 4096  # pictures looked up at a time, which bounds the memory
HANDED_ON = 16 * QUERIES  # queries whose pairs are handed on at a time
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


class Index:
    """Hash tables of the `hashes` uint8 (n, k, 8) of n pictures, each of which has k."""

    def __init__(self, hashes: np.ndarray, bits: int = 0):
        self._each = hashes.shape[1]
        self._codes = codes(hashes)
        self.bits = bits or int(np.clip(np.ceil(np.log2(max(len(self._codes), 2))), *BITS))
        self._tables = _tables(self._codes, self.bits)

    def of(self, pictures: np.ndarray) -> np.ndarray:
        """The codes of some pictures, uint64 (len(pictures), k)."""
        codes_of: np.ndarray = self._codes.reshape(-1, self._each)[pictures]
        return codes_of

    @property
    def fullest(self) -> int:
        """The number of entries of the fullest bucket."""
        return max(int(np.diff(table.starts).max()) for table in self._tables)

    def near(self, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows of the codes `wanted`, pictures near them and in how many bits they differ; a pair may come more than once."""
        parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for table in self._tables:
            keys = table.keys(wanted)
            for flip in (0, *(1 << place for place in range(self.bits))):
                probes = keys ^ flip
                firsts = table.starts[probes]
                lengths = np.minimum(table.starts[probes + 1] - firsts, BUCKET)
                rows = np.repeat(np.arange(len(wanted)), lengths)
                places = np.arange(len(rows)) + np.repeat(firsts - (np.cumsum(lengths) - lengths), lengths)
                entries = table.order[places]
                distances = np.bitwise_count(self._codes[entries] ^ wanted[rows])
                near = distances <= RADIUS
                parts.append((rows[near], entries[near], distances[near]))
        rows, entries, distances = (np.concatenate(column) for column in zip(*parts, strict=True))
        return rows, entries // self._each, distances

    def crowded(self, wanted: np.ndarray) -> np.ndarray:
        """Marks the codes with a bucket of more than BUCKET entries, of which some are not looked at: bool (len(wanted),)."""
        is_crowded = np.zeros(len(wanted), bool)
        for table in self._tables:
            full = np.flatnonzero(np.diff(table.starts) > BUCKET)
            if len(full):
                is_near = np.zeros(2**self.bits, bool)
                for flip in (0, *(1 << place for place in range(self.bits))):
                    is_near[full ^ flip] = True
                is_crowded |= is_near[table.keys(wanted)]
        return is_crowded


def codes(hashes: np.ndarray) -> np.ndarray:
    """Hashes uint8 (…, 8) as uint64, in one row."""
    return np.ascontiguousarray(hashes).reshape(-1, 8).view(np.uint64).ravel()


@dataclass(frozen=True)
class Near:
    """Pairs of a query and a picture near it, in columns of one length, in the order of query, distance and picture.

    Of each of n queries, `counts` int (n,) says how many it had at most before those that their looks rule out were left out,
    and `is_partial` bool (n,) whether others may be near, too.
    """

    queries: np.ndarray
    others: np.ndarray
    distances: np.ndarray
    counts: np.ndarray
    is_partial: np.ndarray

    @classmethod
    def none(cls, number: int) -> "Near":
        ends, distances = np.empty(0, np.int32), np.empty(0, np.uint8)
        return cls(ends, ends, distances, np.zeros(number, np.int32), np.zeros(number, bool))

    def __add__(self, other: "Near") -> "Near":
        """The pairs of both, each once, at its least distance."""
        columns = (np.concatenate(each) for each in zip(self.columns, other.columns, strict=True))
        queries, others, distances = _once(*columns)
        return Near(queries, others, distances, self.counts + other.counts, self.is_partial | other.is_partial)

    @property
    def columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.queries, self.others, self.distances

    def where(self, stays: np.ndarray) -> "Near":
        """Only the pairs that are marked, bool (m,)."""
        queries, others, distances = (column[stays] for column in self.columns)
        return Near(queries, others, distances, self.counts, self.is_partial)

    def of(self, stays: np.ndarray) -> "Near":
        """Only the queries that are marked, bool (n,)."""
        near = self.where(stays[self.queries])
        return Near(*near.columns, np.where(stays, self.counts, 0), self.is_partial & stays)

    def batches(self, is_mirror: bool) -> Iterator[np.ndarray]:
        """Pairs of pictures, int (m, 2), nearest first, in batches.

        If `is_mirror`, the queries are mirrored, and the first of a pair is the one that was; else the smaller comes first.
        """
        for start in range(0, len(self.counts), HANDED_ON):
            part = slice(*np.searchsorted(self.queries, (start, start + HANDED_ON)))
            pairs = np.stack([self.queries[part], self.others[part]], axis=1)
            yield (pairs if is_mirror else np.sort(pairs, axis=1))[np.argsort(self.distances[part], kind="stable")]
        if capped := int((self.counts > CAP).sum()):
            logger.info("%d pictures have more than %d candidates, of which the nearest were looked at", capped, CAP)


Looks = Callable[[np.ndarray], np.ndarray]  # pairs of a query and a picture, int (m, 2) -> which of them stay, bool (m,)


def search(index: Index, wanted: np.ndarray, rows: np.ndarray, looks: Looks) -> Near:
    """The pictures near the queries `rows` of the codes `wanted`, at most CAP for each. A picture is not near itself."""
    result = Near.none(len(wanted))
    result.is_partial[rows] = index.crowded(wanted[rows])
    parts = [result.columns]
    for start in tqdm(range(0, len(rows), QUERIES), desc="candidates", disable=None):
        batch = rows[start : start + QUERIES]
        places, others, distances = index.near(wanted[batch])
        queries = batch[places]
        differ = queries != others
        queries, others, distances = _once(queries[differ], others[differ], distances[differ])
        counts = np.bincount(queries, minlength=len(wanted))
        result.counts[batch] = counts[batch]
        result.is_partial[batch] |= counts[batch] > CAP
        place = np.arange(len(queries)) - (np.cumsum(counts) - counts)[queries]  # among those of its query
        near = place < CAP
        near[near] = looks(np.stack([queries[near], others[near]], axis=1))
        parts.append((queries[near], others[near], distances[near]))
    queries, others, distances = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Near(queries, others, distances, result.counts, result.is_partial)


def new_ones(index: Index, wanted: np.ndarray, rows: np.ndarray, new: np.ndarray, looks: Looks) -> Near | None:
    """The `new` pictures near the queries `rows`, as `search` finds them; None if that would be no quicker.

    Keys agree both ways, so the new pictures are looked up among the queries, of which there are many more.
    """
    asking = Index(wanted[rows].view(np.uint8).reshape(-1, 1, 8), index.bits)
    if asking.fullest > BUCKET:
        return None
    parts = [Near.none(0).columns]
    each = index.of(new)
    for start in range(0, len(new), QUERIES):
        places, queries, distances = asking.near(each[start : start + QUERIES].ravel())
        parts.append((rows[queries], new[start + places // each.shape[1]], distances))
    queries, others, distances = _once(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    counts = np.bincount(queries, minlength=len(wanted)).astype(np.int32)
    stays = looks(np.stack([queries, others], axis=1))
    return Near(queries, others, distances, counts, np.zeros(len(wanted), bool)).where(stays)


def _once(queries: np.ndarray, others: np.ndarray, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each pair once, at its least distance; those of a query together, the nearest first."""
    order = np.lexsort((distances, others, queries))
    queries, others, distances = (column[order] for column in (queries, others, distances))
    is_new = np.ones(len(queries), bool)
    is_new[1:] = (queries[1:] != queries[:-1]) | (others[1:] != others[:-1])
    queries, others, distances = (column[is_new] for column in (queries, others, distances))
    order = np.lexsort((others, distances, queries))
    return queries[order].astype(np.int32), others[order].astype(np.int32), distances[order].astype(np.uint8)


def _tables(codes: np.ndarray, bits: int) -> list[Table]:
    chance = np.random.default_rng(0)
    hash_tables, left = [], np.empty(0, np.int64)
    for _ in range(TABLES):
        if len(left) < bits:
            left = np.concatenate([left, np.setdiff1d(chance.permutation(64), left, assume_unique=True)])
        sample, left = left[:bits], left[bits:]
        keys = _keys(codes, sample)
        starts = np.zeros(2**bits + 1, np.int32)
        np.cumsum(np.bincount(keys, minlength=2**bits), out=starts[1:])
        # the places that a stable sort by keys gives, from one of plain numbers, which is several times quicker
        order = np.sort(keys << 32 | np.arange(len(keys))).astype(np.uint32).astype(np.int32)
        hash_tables.append(Table(sample, order, starts))
    return hash_tables


def _keys(codes: np.ndarray, bits: np.ndarray) -> np.ndarray:
    keys = np.zeros(len(codes), np.int64)
    for place, bit in enumerate(bits.tolist()):
        keys |= ((codes >> np.uint64(bit)) & np.uint64(1)).astype(np.int64) << place
    return keys
