"""Hash the captures of one site into its object tree, and list what became an object and what was rejected."""

import hashlib
import importlib.metadata
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed
from tqdm import tqdm

from sengu.parallel import engine
from sengu.base import ids
from sengu.pictures import images
from sengu.caches import outcomes
from sengu.base import params
from sengu.base import tables
from sengu.base.tables import tombstones
from sengu.pictures import videos
from sengu import warc
from sengu.base.errors import run_program
from sengu.base.ids import ObjectId
from sengu.caches.outcomes import Outcomes
from sengu.objects.store import ObjectTree

ERASED = "erased for good (tombstones.csv)"
BATCH = 32  # payloads of one task: joblib takes as long to hand out a task as a worker to store a small picture
LIBRARIES = ("pillow", "opencv-python-headless", "brotli")

logger = logging.getLogger("objects")


def objects(
    urls: Mapping[str, str],
    archive: warc.Archive,
    tree: ObjectTree,
    settings: params.Objects,
    journal: Outcomes | None = None,
    erased: frozenset[str] = frozenset(),
) -> Iterator[list[tables.IndexRow] | tables.Rejected]:
    """For every URL id in `urls` (URL id -> URL as archived) what became of it: a reject, or an object with its frames.

    In no order. Good payloads go into `tree`, which is then pruned; not those whose SHA-1 is among the `erased`. A record
    that `journal` knows is not read again if its leaves are there.
    """
    kept: list[ObjectId] = []
    unread: list[tuple[str, warc.Entry]] = []
    for url_id, url in sorted(urls.items()):
        entry = archive.resolve(url)
        if entry is None or entry.status != 200:
            yield _row(url_id, _unusable(entry))
        elif (outcome := _remembered(entry, tree, journal, erased)) is not None:
            kept += _ids(outcome)
            yield _row(url_id, outcome)
        else:
            unread.append((url_id, entry))
    unread.sort(key=lambda one: (one[1].file, one[1].offset))  # a disk reads on faster than it jumps
    size = max(1, min(BATCH, len(unread) // 16))
    batches = [unread[i : i + size] for i in range(0, len(unread), size)]
    # plain values: the types of the parameters would have each worker import what only this process needs
    options = (settings.max_pixels, settings.checks, settings.video.frames, erased)
    work = (delayed(_work)([entry for _, entry in batch], tree, *options) for batch in batches)
    # joblib's own batches grow until one of them is all that a worker still does at the end
    found = Parallel(n_jobs=-1, return_as="generator", batch_size=1)(work) if batches else iter(())
    for batch, results in zip(batches, found, strict=True):
        if journal is not None:
            pairs = ((_name(entry), result) for (_, entry), result in zip(batch, results, strict=True))
            journal.append((name, result) for name, result in pairs if name and result != ERASED)
        for (url_id, _), result in zip(batch, results, strict=True):
            kept += _ids(result)
            yield _row(url_id, result)
    tree.prune(kept)


def store(
    url_id: str, entry: warc.Entry | None, tree: ObjectTree, settings: params.Objects, erased: frozenset[str] = frozenset()
) -> list[tables.IndexRow] | tables.Rejected:
    """Checks, names and stores one payload, and the frames of a video."""
    if entry is None or entry.status != 200:
        return _row(url_id, _unusable(entry))
    return _row(url_id, *_work([entry], tree, settings.max_pixels, settings.checks, settings.video.frames, erased))


def _work(
    entries: Sequence[warc.Entry], tree: ObjectTree, max_pixels: int, checks: bool, frames: int, erased: frozenset[str]
) -> list[Any]:
    """Stores payloads. For each either the reason of its reject, or its rows without the URL id. Runs in a worker."""
    found: list[Any] = []
    for entry in entries:
        try:
            payload = warc.payload(entry)
            if erased and hashlib.sha1(payload, usedforsecurity=False).hexdigest() in erased:
                found.append(ERASED)
            elif videos.sniff(payload):
                found.append(_video(payload, tree, max_pixels, checks, frames, erased))
            else:
                found.append([_picture(payload, tree, max_pixels, checks)])
        except (warc.UnreadableCapture, images.NotAPicture, videos.NotAVideo) as reason:
            found.append(str(reason))
    return found


def _picture(payload: bytes, tree: ObjectTree, max_pixels: int, checks: bool, time: int = 0, video: str = "") -> list[Any]:
    picture = images.examine(payload, max_pixels, checks)
    object_id = ObjectId.of(payload, picture.extension)
    tree.put(object_id, payload)
    return [str(object_id), picture.extension, picture.width, picture.height, len(payload), time, video]


def _video(payload: bytes, tree: ObjectTree, max_pixels: int, checks: bool, frames: int, erased: frozenset[str]) -> list[Any]:
    """A video is always played through: how long it is, its header only estimates."""
    video = videos.examine(payload, max_pixels)
    object_id = ObjectId.of(payload, video.extension)
    chosen = videos.evenly(len(video.times), frames)
    rows = [
        _picture(frame.payload, tree, max_pixels, checks, frame.milliseconds, str(object_id))
        for frame in videos.frames(payload, video, chosen)
        if hashlib.sha1(frame.payload, usedforsecurity=False).hexdigest() not in erased
    ]
    tree.put(object_id, payload)
    return [[str(object_id), video.extension, video.width, video.height, len(payload), video.milliseconds, ""], *rows]


def _unusable(entry: warc.Entry | None) -> str:
    return "not archived" if entry is None else f"status {entry.status}"


def _row(url_id: str, outcome: Any) -> list[tables.IndexRow] | tables.Rejected:
    if isinstance(outcome, str):
        return tables.Rejected(url_id, outcome)
    return [tables.IndexRow(object_id, url_id, *rest) for object_id, *rest in outcome]


def _ids(outcome: Any) -> list[ObjectId]:
    return [] if isinstance(outcome, str) else [ObjectId.parse(row[0]) for row in outcome]


def _name(entry: warc.Entry) -> str:
    """What names a record in the journal: its bytes, and what of a resource's headers decides how they are read; or nothing."""
    if not entry.digest.startswith("sha"):
        return ""
    encoding = entry.header("Content-Encoding").strip().lower()
    name = f"{entry.digest} {'response' if entry.url.startswith('http') else 'resource'} {encoding}"
    return name if name.isascii() and name.isprintable() else ""


def _remembered(entry: warc.Entry, tree: ObjectTree, journal: Outcomes | None, erased: frozenset[str]) -> Any:
    """What the journal says of a record whose leaves are all there; None if the record must be read."""
    outcome = journal.find(name) if journal is not None and (name := _name(entry)) else None
    if outcome is None or isinstance(outcome, str):
        return outcome
    leaves = [(ObjectId.parse(row[0]), row[4]) for row in outcome]
    return outcome if all(leaf.sha1 not in erased and tree.size(leaf) == size for leaf, size in leaves) else None


def _key(settings: params.Objects) -> str:
    """What an outcome depends on besides the record."""
    digest = hashlib.sha256(repr((settings, [importlib.metadata.version(name) for name in LIBRARIES])).encode())
    for source in (images.__file__, videos.__file__, ids.__file__, warc.reading.__file__, outcomes.__file__, __file__):
        digest.update(Path(source).read_bytes())
    return digest.hexdigest()


def main(arguments: list[str]) -> None:
    folder, captures, erased_path, tree, index, rejected = map(Path, arguments)
    found = tables.read(captures, tables.Capture)
    settings = params.section("objects", params.Objects)
    site = params.section(f"sites.{captures.stem}", params.Site)
    urls = dict(zip(found["urlId"], found["url"], strict=True))
    # absolute: a worker of a cluster stands in a directory of its own
    archive, leaves = warc.read(folder.absolute(), captures.stem, site.read.tracking), ObjectTree(tree.absolute())
    tree.mkdir(parents=True, exist_ok=True)
    journal = Outcomes(outcomes.FOLDER / f"{captures.stem}.journal", _key(settings))
    with engine.running(params.engine()), closing(journal):
        results = list(
            tqdm(
                objects(urls, archive, leaves, settings, journal, tombstones.erased(erased_path)),
                total=len(urls), desc=f"objects {captures.stem}", unit="object", disable=None,
            )
        )  # fmt: skip
    rows = [row for outcome in results if isinstance(outcome, list) for row in outcome]
    rejects = [outcome for outcome in results if isinstance(outcome, tables.Rejected)]
    tables.write(index, tables.frame(rows, tables.IndexRow), tables.IndexRow)
    tables.write(rejected, tables.frame(rejects, tables.Rejected), tables.Rejected)
    logger.info("%s: %d URLs, %d rejected", captures.stem, len(results), len(rejects))


if __name__ == "__main__":
    run_program(main, "ARCHIVE CAPTURES TOMBSTONES TREE INDEX REJECTED")
