"""Hash the captures of one site into its object tree, and list what became an object and what was rejected."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

from joblib import Parallel, delayed
from tqdm import tqdm

from sengu import images, params, tables, videos, warc
from sengu.errors import run_program
from sengu.ids import ObjectId
from sengu.store import ObjectTree

logger = logging.getLogger("objects")


def objects(
    urls: Mapping[str, str], archive: warc.Archive, tree: ObjectTree, settings: params.Objects
) -> Iterator[list[tables.IndexRow] | tables.Rejected]:
    """For every URL id in `urls` (URL id -> URL as archived) what became of it: a reject, or an object with its frames.

    Good payloads go into `tree`, which is then pruned.
    """
    kept: list[ObjectId] = []
    with Parallel(n_jobs=-1, return_as="generator") as workers:
        work = (delayed(store)(url_id, archive.resolve(url), tree, settings) for url_id, url in sorted(urls.items()))
        for outcome in workers(work):
            if isinstance(outcome, list):
                kept += [ObjectId.parse(row.objectId) for row in outcome]
            yield outcome
    tree.prune(kept)


def store(
    url_id: str, entry: warc.Entry | None, tree: ObjectTree, settings: params.Objects
) -> list[tables.IndexRow] | tables.Rejected:
    """Checks, names and stores one payload, and the frames of a video. Runs in a worker."""
    if entry is None:
        return tables.Rejected(url_id, "not archived")
    if entry.status != 200:
        return tables.Rejected(url_id, f"status {entry.status}")
    try:
        payload = warc.payload(entry)
        if videos.sniff(payload):
            return _video(url_id, payload, tree, settings)
        return [_picture(url_id, payload, tree, settings)]
    except (warc.UnreadableCapture, images.NotAPicture, videos.NotAVideo) as reason:
        return tables.Rejected(url_id, str(reason))


def _picture(
    url_id: str, payload: bytes, tree: ObjectTree, settings: params.Objects, time: int = 0, video: str = ""
) -> tables.IndexRow:
    picture = images.examine(payload, settings.max_pixels)
    object_id = ObjectId.of(payload, picture.extension)
    tree.put(object_id, payload)
    size = (picture.width, picture.height, len(payload))
    return tables.IndexRow(str(object_id), url_id, picture.extension, *size, time, video)


def _video(url_id: str, payload: bytes, tree: ObjectTree, settings: params.Objects) -> list[tables.IndexRow]:
    video = videos.examine(payload, settings.max_pixels)
    object_id = ObjectId.of(payload, video.extension)
    chosen = videos.evenly(len(video.times), settings.video.frames)
    rows = [
        _picture(url_id, frame.payload, tree, settings, frame.milliseconds, str(object_id))
        for frame in videos.frames(payload, video, chosen)
    ]
    tree.put(object_id, payload)
    size = (video.width, video.height, len(payload))
    return [tables.IndexRow(str(object_id), url_id, video.extension, *size, video.milliseconds), *rows]


def main(arguments: list[str]) -> None:
    folder, captures, tree, index, rejected = map(Path, arguments)
    found = tables.read(captures, tables.Capture)
    settings = params.section("objects", params.Objects)
    site = params.section(f"sites.{captures.stem}", params.Site)
    urls = dict(zip(found["urlId"], found["url"], strict=True))
    tree.mkdir(parents=True, exist_ok=True)
    outcomes = list(
        tqdm(
            objects(urls, warc.read(folder, captures.stem, site.read.tracking), ObjectTree(tree), settings),
            total=len(urls), desc=f"objects {captures.stem}", unit="object", disable=None,
        )
    )  # fmt: skip
    rows = [row for outcome in outcomes if isinstance(outcome, list) for row in outcome]
    rejects = [outcome for outcome in outcomes if isinstance(outcome, tables.Rejected)]
    tables.write(index, tables.frame(rows, tables.IndexRow), tables.IndexRow)
    tables.write(rejected, tables.frame(rejects, tables.Rejected), tables.Rejected)
    logger.info("%s: %d URLs, %d rejected", captures.stem, len(outcomes), len(rejects))


if __name__ == "__main__":
    run_program(main, "ARCHIVE CAPTURES TREE INDEX REJECTED")
