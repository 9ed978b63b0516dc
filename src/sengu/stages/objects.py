"""Name one site's pictures by their SHA-1, and list which are taken or rejected."""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed
from tqdm import tqdm

import sengu.objects
from sengu import pictures, warc
from sengu.base import digests, ids, locks, params, tables, working
from sengu.base.errors import run_program
from sengu.base.ids import ObjectId
from sengu.base.tables import tombstones
from sengu.caches import outcomes
from sengu.caches.outcomes import Outcomes
from sengu.objects import archives, records
from sengu.objects.filing import ERASED, Filed, Filing, Outcome
from sengu.objects.store import ObjectTree
from sengu.parallel import engine

BATCH = 32  # payloads of one task: joblib takes as long to hand out a task as a worker to store a small picture
LIBRARIES = (*pictures.LIBRARIES, "brotli")

logger = logging.getLogger("objects")


def objects(
    urls: Mapping[str, str],
    archive: warc.Archive,
    filing: Filing,
    journal: Outcomes | None = None,
    locate: archives.Locate | None = None,
) -> Iterator[list[tables.IndexRow] | tables.Rejected]:
    """The outcome of every URL id in `urls` (URL id -> URL as archived): a reject, or an object with its frames.

    The outcomes come in no order. Good payloads go into the tree of `filing`, which is then pruned. A record that `journal`
    knows is not read again if its leaves are there. Workers read records where `locate` says, or in the files of `archive`.
    """
    kept: list[ObjectId] = []
    unread: list[tuple[str, warc.Entry]] = []
    for url_id, url in sorted(urls.items()):
        entry = archive.resolve(url)
        if entry is None or not entry.is_good:
            yield _row(url_id, url, _unusable(entry))
        elif (outcome := _remembered(entry, filing, journal)) is not None:
            kept += _leaves(outcome, filing)
            yield _row(url_id, url, outcome)
        else:
            unread.append((url_id, entry))
    unread.sort(key=lambda pair: (pair[1].file, pair[1].offset))  # sequential reading is faster
    size = max(1, min(BATCH, len(unread) // 16))
    batches = [unread[i : i + size] for i in range(0, len(unread), size)]
    work = (delayed(filing.file_all)([_record(entry, archive, locate) for _, entry in batch]) for batch in batches)
    # joblib's own batches grow until a single one keeps one worker busy at the end
    filed_batches = Parallel(n_jobs=-1, return_as="generator", batch_size=1)(work) if batches else iter(())
    for batch, filed in zip(batches, filed_batches, strict=True):
        filing.store(filed)
        results = filed.outcomes
        if journal is not None:
            pairs = ((_name(entry), result) for (_, entry), result in zip(batch, results, strict=True))
            journal.append((name, _plain(result)) for name, result in pairs if name and result != ERASED)
        for (url_id, _), result in zip(batch, results, strict=True):
            kept += _leaves(result, filing)
            yield _row(url_id, urls[url_id], result)
    filing.tree.prune(kept)


def file_capture(entry: warc.Entry | None, filing: Filing) -> Outcome:
    """Checks, names and stores one payload, and the frames of a video."""
    return _unusable(entry) if entry is None or not entry.is_good else filing.file(entry)


def _unusable(entry: warc.Entry | None) -> str:
    if entry is None:
        return "not archived"
    return f"status {entry.status}" + (", a part of the whole" if entry.status == 206 else "")


def _row(url_id: str, url: str, outcome: Outcome) -> list[tables.IndexRow] | tables.Rejected:
    if isinstance(outcome, str):
        return tables.Rejected(url_id, url, "", outcome)
    return [tables.IndexRow(urlId=url_id, **vars(filed)) for filed in outcome]


def _record(entry: warc.Entry, archive: warc.Archive, locate: archives.Locate | None) -> warc.Entry | warc.Place:
    """The data with which a worker reads a record."""
    return entry if locate is None else locate(archive.place(entry))


def _leaves(outcome: Outcome, filing: Filing) -> list[ObjectId]:
    """The leaves that the tree must hold for an outcome."""
    return [] if isinstance(outcome, str) else [ObjectId.parse(filed.objectId) for filed in outcome if filing.needs_leaf(filed)]


def _plain(outcome: Outcome) -> Any:
    """An outcome in the journal's form, as JSON takes it."""
    return outcome if isinstance(outcome, str) else [list(astuple(filed)) for filed in outcome]


def _name(entry: warc.Entry) -> str:
    """The name of a record in the journal: its bytes, and the headers of a resource that decide how they are read; or nothing."""
    if not entry.digest.startswith("sha"):
        return ""
    encoding = entry.header("Content-Encoding").strip().lower()
    name = f"{entry.digest} {'response' if entry.url.startswith('http') else 'resource'} {encoding}"
    return name if name.isascii() and name.isprintable() else ""


def _remembered(entry: warc.Entry, filing: Filing, journal: Outcomes | None) -> Outcome | None:
    """The journal's outcome of a record whose leaves are all there; None if the record must be read."""
    outcome = journal.find(name) if journal is not None and (name := _name(entry)) else None
    if outcome is None or isinstance(outcome, str):
        return outcome
    filed = [Filed(*row) for row in outcome]
    erased = any(ObjectId.parse(row.objectId).sha1 in filing.erased for row in filed)
    leaves = [(ObjectId.parse(row.objectId), row.bytes) for row in filed if filing.needs_leaf(row)]
    return filed if not erased and all(filing.tree.size(leaf) == size for leaf, size in leaves) else None


def _key(settings: params.Objects) -> str:
    """The key of everything that decides an outcome besides the record; where the object lies is not a part of it."""
    return digests.key(
        replace(settings, tree=True), (pictures, sengu.objects, warc, ids, outcomes, sys.modules[__name__]), LIBRARIES
    )


def main(arguments: list[str]) -> None:
    folder, captures, erased_path, tree, index, rejected = map(Path, arguments)
    rows_of_captures = tables.read(captures, tables.Capture)
    settings = params.section("objects", params.Objects)
    site = params.section(f"sites.{captures.stem}", params.Site)
    urls = dict(zip(rows_of_captures["urlId"], rows_of_captures["url"], strict=True))
    # absolute: a worker of a cluster stands in a directory of its own
    archive, leaves = warc.read(folder.absolute(), captures.stem, site.read.tracking), ObjectTree(tree.absolute())
    tree.mkdir(parents=True, exist_ok=True)
    journal = Outcomes(working.OBJECTS / f"{captures.stem}.journal", _key(settings))
    erased = tombstones.erased(erased_path)
    filing = Filing(leaves, settings.max_pixels, settings.checks, settings.video.frames, erased, settings.tree)
    locate = archives.locate(params.archives())
    alone = locks.held(f"objects-{captures.stem}", f"the tree of site {captures.stem} is being filled")
    with alone, engine.running(params.engine()), closing(journal):
        results = list(
            tqdm(
                objects(urls, archive, filing, journal, locate),
                total=len(urls), desc=f"objects {captures.stem}", unit="object", disable=None,
            )
        )  # fmt: skip
    rows = [row for outcome in results if isinstance(outcome, list) for row in outcome]
    filenames = dict(zip(rows_of_captures["urlId"], rows_of_captures["filename"], strict=True))
    rejects = [replace(outcome, filename=filenames[outcome.urlId]) for outcome in results if isinstance(outcome, tables.Rejected)]
    table = tables.frame(rows, tables.IndexRow)
    if not settings.tree:
        records.write(leaves.root, table, urls, archive)
    tables.write(index, table, tables.IndexRow)
    tables.write(rejected, tables.frame(rejects, tables.Rejected), tables.Rejected)
    logger.info("%s: %d URLs, %d rejected", captures.stem, len(results), len(rejects))


if __name__ == "__main__":
    run_program(main, "ARCHIVE CAPTURES TOMBSTONES TREE INDEX REJECTED")
