"""A folder of WARC files -> the archive of a site: each closed file is scanned once, and its index kept in .sengu/warc/.

A closed archive file is immutable, and a site of half a million pictures is 30 GB: scanning it takes minutes, loading the
index seconds. An index that is damaged, or of another file or version of the code, is ignored; that of a deleted file is
deleted when the site is read.
"""

import gc
import json
import os
import re
import sys
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from sengu.base import digests, urls, working
from sengu.base.atomic import replaced_file
from sengu.base.errors import SenguError
from sengu.warc import exif, payloads, reading
from sengu.warc.archive import Archive, Entry
from sengu.warc.reading import entries, files, named_entries
from sengu.warc.revisits import Originals

CLOSED = ".warc.gz"
LEVEL = 1  # of zlib: a tenth of the size for a tenth of a second


def read(folder: Path, site: str, tracking: Sequence[str] = ()) -> Archive:
    """The archive of a site. Raises SenguError if there is none."""
    paths = files(folder, site)
    if not paths:
        raise SenguError(
            f"{folder} has no archive of site {site}: run `dvc repro crawl@{site}`, or `sengu heal {folder}` if dvc.lock pins it"
        )
    forget(site, {path.name for path in paths})
    return gather(paths, tracking)


def gather(paths: Iterable[Path], tracking: Sequence[str] = ()) -> Archive:
    """The entries of some archive files, in the order of their records. Raises SenguError if one is damaged.

    Revisit records count as the answers that they refer to; those whose answers are in no file are `missing`.
    """
    archive = Archive(tracking)
    paths = list(paths)
    rows = [(path, list(indexed(path, tracking))) for path in paths]
    originals: Originals | None = None
    for path, known in rows:
        archive.offsets[path] = [entry.offset for entry, _ in known]
        for entry, canonical in known:
            if not entry.refers:
                archive.add(entry, canonical)
                continue
            # only few archives have revisits, and resolving them needs another pass over every file
            originals = originals or Originals(pair for path in paths for pair in named_entries(path))
            answer = originals.answer(entry)
            if answer is not None:
                archive.add(answer, canonical)
            else:
                archive.missing.append(entry)
    return archive


def indexed(path: Path, tracking: Sequence[str] = (), folder: Path = working.WARC) -> Iterator[tuple[Entry, str]]:
    """The entries of an archive file, each with its canonical URL; those of a closed file are kept in `folder`.

    Raises SenguError if the file is damaged.
    """
    index = folder / f"{path.name}.index"
    if not path.name.endswith(CLOSED):  # the file that a crawl is writing
        for entry in entries(path):
            yield entry, urls.canonical_url(entry.url, tracking)
        return
    key = _key(path, tracking)
    try:
        columns = json.loads(zlib.decompress(index.read_bytes()))  # whose checksum sees all damage
        known = columns.pop("key") == key
    except (OSError, zlib.error, ValueError, LookupError, AttributeError, TypeError):
        known = False
    if known:
        yield from _rows(path, columns)
        return
    pairs = [(entry, urls.canonical_url(entry.url, tracking)) for entry in entries(path)]
    with suppress(OSError), replaced_file(index, writer=f".{os.getpid()}") as partial:  # a full disk costs time only
        partial.write_bytes(zlib.compress(json.dumps({"key": key} | _columns(pairs), separators=(",", ":")).encode(), LEVEL))
    yield from pairs


def forget(site: str, kept: Collection[str] = (), folder: Path = working.WARC) -> None:
    """Deletes the indexes of a site's archive files, except those `kept`, by name."""
    of_site = re.compile(rf"({re.escape(site)}-\d+{re.escape(CLOSED)})\.index")  # not of site a-b, where it is a
    for index in folder.glob("*.index"):
        match = of_site.fullmatch(index.name)
        if match and match[1] not in kept:
            index.unlink(missing_ok=True)


def _key(path: Path, tracking: Sequence[str]) -> list[Any]:
    """The key of an index: this file, and this code."""
    state = path.stat()
    code = digests.key((), (reading, payloads, exif, urls, sys.modules[__name__]), ("fastwarc", "w3lib", "pillow"))
    return [path.name, state.st_size, state.st_mtime_ns, code, list(tracking)]


def _columns(pairs: Sequence[tuple[Entry, str]]) -> dict[str, list[Any]]:
    """Flat lists of texts and numbers: JSON reads them several times faster than as many small objects."""
    return {
        "url": [entry.url for entry, _ in pairs],
        "offset": [entry.offset for entry, _ in pairs],
        "fetched": [entry.fetched for entry, _ in pairs],
        "status": [entry.status for entry, _ in pairs],
        "digest": [entry.digest for entry, _ in pairs],
        "taken": [entry.taken for entry, _ in pairs],
        "camera": [entry.camera for entry, _ in pairs],
        "whole": [entry.whole for entry, _ in pairs],
        "shows": [entry.shows for entry, _ in pairs],
        "canonical": ["" if canonical == entry.url else canonical for entry, canonical in pairs],
        "count": [len(entry.headers) for entry, _ in pairs],
        "name": [name for entry, _ in pairs for name, _ in entry.headers],
        "value": [value for entry, _ in pairs for _, value in entry.headers],
    }


def _rows(path: Path, columns: dict[str, list[Any]]) -> list[tuple[Entry, str]]:
    pairs = zip(columns.pop("name"), columns.pop("value"), strict=True)
    rows = []
    collects = gc.isenabled()
    gc.disable()  # it would scan everything again and again, and free nothing
    try:
        for url, offset, fetched, status, digest, *rest, canonical, count in zip(*columns.values(), strict=True):
            headers = tuple(islice(pairs, count))
            rows.append((Entry(url, path, offset, fetched, status, headers, digest, *rest), canonical or url))
    finally:
        if collects:
            gc.enable()
    return rows
