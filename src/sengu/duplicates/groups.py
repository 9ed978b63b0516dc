"""Hashes and thumbnails of pictures -> groups of near-duplicates: candidates from an index, each verified by its pixels."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from joblib import Parallel, delayed
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from sengu.duplicates import candidates
from sengu.duplicates.candidates import Index, Near

# Limits measured by benchmarks/duplicates.py: between what 98 % of the variations of a photograph need and what distinct
# photographs, or different pictures of one scene, reach.
ROUGHLY = 0.7  # correlation of thumbnails of 16 x 16, which throws out most candidates at little cost
ALIKE = 0.94  # correlation of the aligned thumbnails
DETAIL = 0.85  # the same without a smooth surface: two skies are not one picture because both get lighter upwards
# Grey levels by which the fourth most different pixel may lie beyond all its neighbours in the other picture. A mark put on a
# picture makes it lighter or darker; what was changed for something else, such as the digits of a sign, does both.
CHANGED = 90.0
CHANGED_BOTH_WAYS = 32.0
# The same for a pair that alone may join groups; a pair beyond is a weak link, see `_with_weak`.
STRONG = 0.96
CHANGED_LITTLE = 60.0
CHANGED_LITTLE_BOTH_WAYS = 25.0
COLOURS = 15.0  # levels of red or blue against green, on average over the picture
COLOURS_SOMEWHERE = 60.0  # the same, in the fourth most different of 64 places
GREY = 4.0  # the same, below which a picture has no colours to compare
FLAT = 2.0  # grey levels of standard deviation; below, a picture shows nothing to compare
BLUR = 0.7  # pixels; without it the noise of small pictures hides what they share
SIDES = (64, 62, 60, 58, 56, 54, 52, 50)  # of the part that a crop of up to 11 % off each side leaves of 64 pixels
MARGINS = (0, 3, 5)  # pixels cut off each side of 64 for the rough look
ROUGH_SIDE = 16
BATCH = 256  # pairs that a worker verifies at a time
ROUNDS = 3  # of verifying; more would save little where most pairs hold
NEIGHBOURS = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class Looks:
    """Fingerprints of n pictures, row for row, see `fingerprints.Fingerprint`.

    `hashes` uint8 (n, k, 8): of the whole picture first, then of crops of it; `mirrored` uint8 (n, 8): of its mirror image;
    `thumbnails` uint8 (n, 64, 64); `colours` int8 (n, 8, 8, 2).
    """

    hashes: np.ndarray
    mirrored: np.ndarray
    thumbnails: np.ndarray
    colours: np.ndarray

    @classmethod
    def of(cls, prints: np.ndarray) -> "Looks":
        """The looks in records (fingerprints.RECORD)."""
        return cls(prints["hashes"], prints["mirrored"], prints["thumbnail"], prints["colours"])


Measure = Callable[[np.ndarray, Looks, bool], np.ndarray]
Search = Callable[[np.ndarray, Index, np.ndarray, bool, candidates.Looks], Near]


@dataclass(frozen=True)
class Groups:
    """The number of the group of each of n pictures, int (n,); the numbers only say which are equal.

    `mirrored` are those of groups that are together with their mirror images.
    """

    labels: np.ndarray
    mirrored: np.ndarray


def groups(looks: Looks, links: np.ndarray, measure: Measure | None = None, search: Search | None = None) -> Groups:
    """The groups of near-duplicates: pictures are together if a chain of pairs joins them, of which at most the last is weak.

    `links` int (m, 2) are pairs known beforehand. `measure` gives what `likenesses` does, and `search` what `candidates.search`
    does, perhaps quicker. Which pictures are together does not depend on their order, unless there are so many alike that some
    are left out (see `candidates`).
    """
    measure, search = measure or likenesses, search or _search
    labels = _joined(np.arange(len(looks.hashes)), links)
    seen = np.flatnonzero(~_flat(looks.thumbnails))
    if not len(seen):
        return Groups(labels, labels)
    index = Index(looks.hashes[seen])
    weak, scores = [np.empty((0, 2), np.int64)], [np.empty(0)]
    for pairs in _candidates(seen, index, looks, search).batches(is_mirror=False):
        labels, more, how = _verified(seen[pairs], labels, looks, measure)
        weak.append(more)
        scores.append(how)
    labels = _with_weak(labels, np.concatenate(weak), np.concatenate(scores))
    mirrored = labels
    for pairs in _candidates(seen, index, looks, search, is_mirror=True).batches(is_mirror=True):
        mirrored, more, _ = _verified(seen[pairs], mirrored, looks, measure, is_mirror=True)
        mirrored = _joined(mirrored, more)
    return Groups(labels, mirrored)


def _candidates(seen: np.ndarray, index: Index, looks: Looks, search: Search, is_mirror: bool = False) -> Near:
    """Pairs of pictures, or of a mirrored picture and another, that may show the same; both are numbered within `seen`."""
    wanted = candidates.codes(looks.mirrored[seen] if is_mirror else looks.hashes[seen, 0])
    return search(seen, index, wanted, is_mirror, lambda pairs: _roughly_alike(seen[pairs], looks.thumbnails, is_mirror))


def _search(rows: np.ndarray, index: Index, wanted: np.ndarray, is_mirror: bool, looks: candidates.Looks) -> Near:
    return candidates.search(index, wanted, np.arange(len(rows)), looks)


def _joined(labels: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """The labels after those of each pair have become one."""
    ends = labels[pairs.reshape(-1, 2).astype(np.int64)]
    size = int(labels.max(initial=-1)) + 1
    graph = coo_array((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1][labels] if size else labels)


def _flat(thumbnails: np.ndarray) -> np.ndarray:
    """Marks the thumbnails (n, side, side) that show nothing but a smooth surface, bool (n,)."""
    side = thumbnails.shape[1]
    basis, coarse_basis = _smooth(side), _smooth(side // 2).astype(np.float32)
    flat = np.zeros(len(thumbnails), bool)
    for start in range(0, len(thumbnails), BATCH):
        batch = thumbnails[start : start + BATCH]
        # a quarter of the pixels is off the surface that fits them best by less than all pixels are off theirs
        coarse = batch[:, ::2, ::2].reshape(len(batch), len(coarse_basis)).astype(np.float32) - np.float32(128)
        parts = coarse @ coarse_basis
        off = np.einsum("ij,ij->i", coarse, coarse) - np.einsum("ij,ij->i", parts, parts)
        near = np.flatnonzero(off < 2 * len(basis) * FLAT**2)  # twice, for the rounding
        exact = batch[near].reshape(len(near), len(basis)).astype(np.float64)
        flat[start + near] = (exact - exact @ basis @ basis.T).std(axis=1) < FLAT
    return flat


def _verified(
    pairs: np.ndarray, labels: np.ndarray, looks: Looks, measure: Measure, is_mirror: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The labels after the pairs that hold have joined them; the pairs that are weak links, int (m, 2), and how alike they are.

    Among a hundred copies of one picture, each pair is a candidate, but 99 pairs join them. So the first rounds verify only
    pairs that make a tree, and skip those already joined. The last round takes the rest, so that the result is that of
    verifying every pair.
    """
    weak, scores = [np.empty((0, 2), np.int64)], [np.empty(0)]
    for number in range(ROUNDS):
        pairs = pairs[labels[pairs[:, 0]] != labels[pairs[:, 1]]]
        if number == 0:
            pairs = pairs[np.sort(np.unique(pairs, axis=0, return_index=True)[1])]
        if not len(pairs):
            break
        chosen = np.arange(len(pairs)) if number == ROUNDS - 1 else _tree(labels[pairs])
        likeness = measure(pairs[chosen], looks, is_mirror)
        strong, faint = likeness > 1, (likeness > 0) & (likeness <= 1)
        labels = _joined(labels, pairs[chosen][strong])
        weak.append(pairs[chosen][faint])
        scores.append(likeness[faint])
        pairs = np.delete(pairs, chosen, axis=0)
    return labels, np.concatenate(weak), np.concatenate(scores)


def likenesses(pairs: np.ndarray, looks: Looks, is_mirror: bool) -> np.ndarray:
    """The `likeness` of each pair, int (m, 2), as float64 (m,); if `is_mirror`, the first of each is mirrored."""
    if not len(pairs):
        return np.empty(0)
    turned = slice(None, None, -1 if is_mirror else 1)

    def part(rows: np.ndarray, turned: slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        return looks.thumbnails[rows][:, :, turned], looks.colours[rows][:, :, turned]

    batches = [pairs[start : start + BATCH] for start in range(0, len(pairs), BATCH)]
    workers = Parallel(n_jobs=-1 if len(batches) > 1 else 1, max_nbytes=None)
    work = ((part(batch[:, 0], turned), part(batch[:, 1])) for batch in batches)
    return np.concatenate(workers(delayed(_all_likenesses)(*each) for each in work))


def _with_weak(labels: np.ndarray, pairs: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The labels after the weak links, the best first, have joined each group to one other at most.

    A group that strong links made takes in any number of others, and two single pictures may be together; but pictures of one
    scene, each of which is a little like all others, make no group through weak links alone.
    """
    sizes = np.bincount(labels, minlength=int(labels.max(initial=-1)) + 1)
    joined: dict[int, int] = {}  # a group -> the one that it was joined to
    hubs: set[int] = set()
    links = []
    for place in np.lexsort((pairs[:, 1], pairs[:, 0], -scores)).tolist():
        small, large = sorted(labels[pairs[place]].tolist(), key=lambda group: (sizes[group], group in hubs))
        if small == large or small in joined or small in hubs or large in joined or (large in hubs and sizes[large] == 1):
            continue
        joined[small] = large
        hubs.add(large)
        links.append(pairs[place])
    return _joined(labels, np.array(links, np.int64).reshape(-1, 2))


def _tree(ends: np.ndarray) -> np.ndarray:
    """Marks the pairs of labels that make a spanning tree of each connected part, the best pairs first."""
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


def _roughly_alike(pairs: np.ndarray, thumbnails: np.ndarray, is_mirror: bool) -> np.ndarray:
    involved, places = np.unique(pairs, return_inverse=True)
    rough, pairs = _rough(thumbnails[involved]), places.reshape(pairs.shape)
    firsts = rough.reshape(*rough.shape[:2], ROUGH_SIDE, ROUGH_SIDE)[..., ::-1].reshape(rough.shape) if is_mirror else rough
    alike = np.zeros(len(pairs), bool)
    for start in range(0, len(pairs), BATCH):
        a, b = firsts[pairs[start : start + BATCH, 0]], rough[pairs[start : start + BATCH, 1]]
        first_in_second = np.einsum("nk,nmk->nm", a[:, 0], b).max(axis=1)
        second_in_first = np.einsum("nk,nmk->nm", b[:, 0], a).max(axis=1)
        alike[start : start + BATCH] = np.maximum(first_in_second, second_in_first) >= ROUGHLY
    return alike


def _all_likenesses(ones: tuple[np.ndarray, np.ndarray], others: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Runs in a worker."""
    cv2.setNumThreads(1)
    return np.array([likeness(*pair) for pair in zip(*ones, *others, strict=True)], np.float64)


def likeness(first: np.ndarray, first_colours: np.ndarray, second: np.ndarray, second_colours: np.ndarray) -> float:
    """Similarity of two pictures, either of them cropped, in any light and contrast; more than 1 if they surely show the same.

    0 if they do not. Thumbnails are uint8 (64, 64), colours int8 (8, 8, 2).
    """
    first, second = (cv2.GaussianBlur(thumbnail, (0, 0), BLUR) for thumbnail in (first, second))
    ways = ((first, first_colours, second, second_colours), (second, second_colours, first, first_colours))
    places = [(*_place(whole, part, side), side, way) for side in SIDES for way, (whole, _, part, _) in enumerate(ways)]
    best, x, y, side, way = max(places, key=lambda place: place[0])
    if best < ALIKE:
        return 0.0
    whole, whole_colours, part, part_colours = ways[way]
    finer = [(*_place(whole, part, near), near) for near in (side, side - 1, side + 1) if near <= len(whole)]
    best, x, y, side = max(finer, key=lambda place: place[0])
    window = whole[y : y + side, x : x + side]
    part = cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA)
    if _correlation(*map(_detail, (window, part))) < DETAIL or not _same_colours(whole_colours, part_colours, x, y, side):
        return 0.0
    lighter, darker = _changes(window, part)
    most, least = max(lighter, darker), min(lighter, darker)
    if most > CHANGED or least > CHANGED_BOTH_WAYS:
        return 0.0
    is_strong = best >= STRONG and most <= CHANGED_LITTLE and least <= CHANGED_LITTLE_BOTH_WAYS
    return min(best, 1.0) + is_strong


def _place(whole: np.ndarray, part: np.ndarray, side: int) -> tuple[float, int, int]:
    """The best place of the part, resized to `side` pixels, in the whole: correlation, x and y."""
    part = cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA)
    _, best, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(whole, part, cv2.TM_CCOEFF_NORMED))
    if best < ALIKE:
        return -1.0, x, y
    # OpenCV gives any number for a window without variance, so its result is checked
    window = whole[y : y + side, x : x + side]
    exact = _correlation(window - window.mean(), part - part.mean())
    return (exact if exact >= ALIKE else -1.0), x, y


def _changes(picture: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Grey levels by which the fourth most changed pixel is lighter, and darker, than all pixels near it in the other picture.

    The other's light and contrast are first brought to those of the picture, by the nine tenths of pixels that fit best; what
    lies within the levels of a pixel's neighbours is no change, since edges never meet exactly.
    """
    levels = np.stack([other.ravel(), np.ones(other.size)], axis=1).astype(np.float64)
    wanted = picture.ravel().astype(np.float64)
    fit = np.linalg.lstsq(levels, wanted, rcond=None)[0]
    off = np.abs(levels @ fit - wanted)
    near = off <= np.quantile(off, 0.9)
    fit = np.linalg.lstsq(levels[near], wanted[near], rcond=None)[0]
    a, b = picture.astype(np.float32), (levels @ fit).reshape(picture.shape).astype(np.float32)
    lighter = np.maximum(a - cv2.dilate(b, NEIGHBOURS), cv2.erode(a, NEIGHBOURS) - b)
    darker = np.maximum(cv2.erode(b, NEIGHBOURS) - a, b - cv2.dilate(a, NEIGHBOURS))
    return (max(float(np.partition(lighter.ravel(), -4)[-4]), 0.0), max(float(np.partition(darker.ravel(), -4)[-4]), 0.0))


def _same_colours(whole: np.ndarray, part: np.ndarray, x: int, y: int, side: int) -> bool:
    """True if the part has the colours of the whole at the window of 64 pixels; a picture without colours matches any."""
    count = len(part)
    full = count * count

    def colours(table: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        wide = cv2.resize(table.astype(np.float32), (full, full), interpolation=cv2.INTER_LINEAR)
        return 2 * cv2.resize(wide[rows, columns], (count, count), interpolation=cv2.INTER_AREA)

    window = colours(whole, slice(y, y + side), slice(x, x + side))
    other = colours(part, slice(full), slice(full))  # made smooth in the same way
    if min(float(np.abs(window).mean()), float(np.abs(other).mean())) < GREY:
        return True
    differences = np.abs(window - other).max(axis=2).ravel()
    return bool(differences.mean() <= COLOURS and np.partition(differences, -4)[-4] <= COLOURS_SOMEWHERE)


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """The correlation of two surfaces of mean 0; 0 if one of them is flat."""
    spread = first.std() * second.std()
    return float((first * second).mean() / spread) if min(first.std(), second.std()) >= FLAT else 0.0


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
