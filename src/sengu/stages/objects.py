"""Hash the captures of one site into its object tree, and list what became an object and what was rejected."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from joblib import Parallel, delayed
from tqdm import tqdm

from sengu import images, params, tables, warc
from sengu.errors import run_program
from sengu.ids import ObjectId
from sengu.store import ObjectTree

logger = logging.getLogger("objects")


def objects(
    urls: Mapping[str, str], archive: Mapping[str, warc.Entry], tree: ObjectTree, max_pixels: int
) -> Iterator[tables.IndexRow | tables.Rejected]:
    """One row for every URL id in `urls` (URL id -> URL as archived); good payloads go into `tree`, which is then pruned."""
    kept: list[ObjectId] = []
    with Parallel(n_jobs=-1, return_as="generator") as workers:
        work = (delayed(store)(url_id, warc.resolve(archive, url), tree, max_pixels) for url_id, url in sorted(urls.items()))
        for row in workers(work):
            if isinstance(row, tables.IndexRow):
                kept.append(ObjectId.parse(row.objectId))
            yield row
    tree.prune(kept)


def store(url_id: str, entry: warc.Entry | None, tree: ObjectTree, max_pixels: int) -> tables.IndexRow | tables.Rejected:
    """Checks, names and stores one payload. Runs in a worker."""
    if entry is None:
        return tables.Rejected(url_id, "not archived")
    if entry.status != 200:
        return tables.Rejected(url_id, f"status {entry.status}")
    try:
        payload = warc.payload(entry)
        picture = images.examine(payload, max_pixels)
    except (warc.UnreadableCapture, images.NotAPicture) as reason:
        return tables.Rejected(url_id, str(reason))
    object_id = ObjectId.of(payload, picture.extension)
    tree.put(object_id, payload)
    return tables.IndexRow(str(object_id), url_id, picture.extension, picture.width, picture.height, len(payload))


def _of_type(rows: Iterable[object], row_type: type) -> list[object]:
    return [row for row in rows if isinstance(row, row_type)]


def main(arguments: list[str]) -> None:
    folder, captures, tree, index, rejected = map(Path, arguments)
    found = tables.read(captures, tables.Capture)
    settings = params.section("objects", params.Objects)
    urls = dict(zip(found["urlId"], found["url"], strict=True))
    tree.mkdir(parents=True, exist_ok=True)
    rows = list(
        tqdm(
            objects(urls, warc.latest(folder, captures.stem), ObjectTree(tree), settings.max_pixels),
            total=len(urls), desc=f"objects {captures.stem}", unit="object", disable=None,
        )
    )  # fmt: skip
    for path, row_type in ((index, tables.IndexRow), (rejected, tables.Rejected)):
        tables.write(path, tables.frame(_of_type(rows, row_type), row_type), row_type)
    logger.info("%s: %d URLs, %d rejected", captures.stem, len(rows), len(_of_type(rows, tables.Rejected)))


if __name__ == "__main__":
    run_program(main, "ARCHIVE CAPTURES TREE INDEX REJECTED")
