"""Objects -> erased for good: from the trees, from the archives, and listed so that nothing brings them back."""

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from dvc.repo import Repo
from tqdm import tqdm

from sengu import csvfile, embeddings, locks, params, tables, tombstones, warc
from sengu.errors import SenguError
from sengu.ids import ObjectId
from sengu.store import ObjectStore

DATA = Path("data")
LABELS = Path("labels")
EMBEDDINGS = DATA / "embeddings"
SPLIT = DATA / "split_label.csv"
# stages whose outputs show or describe pictures, with the table that says which
DERIVED = {
    "prepare": (DATA / "pixels", SPLIT),
    "features": (DATA / "features", SPLIT),
    "embed": (EMBEDDINGS, EMBEDDINGS / embeddings.OBJECTS),
}

# what stages keep of pictures from run to run
WORKING = [Path(".sengu") / name for name in ("prepared", "features", "embeddings", "duplicates", "training")]


def erase(objects: Sequence[ObjectId], reason: str, store: ObjectStore) -> tuple[list[str], list[str]]:
    """Erases objects, and the frames of videos among them, from trees and archives.

    Returns what was done, and the shell commands that remove the old copies from DVC's cache and remote. The table comes
    first: whatever happens next, the objects do not come back. Raises SenguError if dvc.lock cannot be brought up to date.
    """
    doomed = sorted({*objects, *_frames(objects)})
    tombstones.add(doomed, reason, datetime.now(UTC).strftime("%Y-%m-%d"))
    done = [f"{tombstones.TOMBSTONES}: {len(doomed)} objects listed"]
    old: list[str] = list(_derived(doomed))
    sha1s = {object_id.sha1 for object_id in doomed}
    for site in params.site_names():
        paths = tqdm(warc.files(DATA / "raw" / site, site), desc=f"erase {site}", unit="file", disable=None)
        holders = {path: unwanted for path in paths if (unwanted := warc.holding(path, sha1s))}
        if holders:
            old += [locks.md5(path) for path in holders]
            done += [f"{path}: {entry.url}" for path, unwanted in holders.items() for entry in unwanted]
            _without(site, holders)
    for object_id in doomed:
        for path in store.paths(object_id):
            path.unlink()
            done.append(f"{path}: deleted")
    for folder in filter(Path.is_dir, WORKING):  # no stage need run to clean it: DVC may have kept a run without the object
        shutil.rmtree(folder)
        done.append(f"{folder}: deleted, the next run fills it again")
    return done, _commands(old)


def _without(site: str, holders: Mapping[Path, Sequence[warc.Entry]]) -> None:
    """Takes records out of archive files, and brings dvc.lock up to date."""
    fetch = params.section(f"sites.{site}", params.Site).fetch
    if isinstance(fetch, params.GenericFetch) and fetch.reproducible:
        # the archive must be what any clone makes anew: the crawl makes it without what is in tombstones.csv
        locks.forget([f"crawl@{site}"])
        _dvc("repro", "--single-item", f"crawl@{site}")
        return
    for path, unwanted in holders.items():
        warc.erase(path, unwanted)
    _dvc("commit", "--force", f"crawl@{site}")


def _dvc(*arguments: str) -> None:
    answer = subprocess.run([sys.executable, "-m", "dvc", *arguments], capture_output=True, text=True, check=False)
    if answer.returncode:
        raise SenguError(f"`dvc {' '.join(arguments)}` failed, run it by hand: {answer.stderr.strip()}")


def sheet_lines(objects: Sequence[ObjectId]) -> list[str]:
    """The lines of annotation sheets that name a file of these objects; `label` would stop at them."""
    names = {str(object_id) for object_id in objects}
    files = set()
    for site in params.site_names():
        index = tables.read(DATA / "index" / f"{site}.csv", tables.IndexRow)
        captures = tables.read(DATA / "captures" / f"{site}.csv", tables.Capture)
        urls = index.loc[index["objectId"].isin(names), "urlId"]
        files |= set(captures.loc[captures["urlId"].isin(urls), "filename"]) - {""}
    found = []
    for path in sorted(LABELS.glob("*.csv")):
        sheet = csvfile.read(path)
        if "filename" in sheet and "objectId" not in sheet:
            found += [f"{path}:{line}" for line, name in enumerate(sheet["filename"], start=2) if name in files]
    return found


def _frames(objects: Sequence[ObjectId]) -> Iterator[ObjectId]:
    names = {str(object_id) for object_id in objects if object_id.is_video}
    for site in params.site_names() if names else []:
        index = tables.read(DATA / "index" / f"{site}.csv", tables.IndexRow)
        yield from (ObjectId.parse(name) for name in index.loc[index["video"].isin(names), "objectId"].unique())


def _derived(objects: Sequence[ObjectId]) -> Iterator[str]:
    """The MD5s of the files that were made of these objects and others: their pixels, features and embeddings."""
    names = [str(object_id) for object_id in objects]
    with Repo() as repo:
        for stage, (folder, table) in DERIVED.items():
            if not table.is_file() or not csvfile.read(table)["objectId"].isin(names).any():
                continue
            pinned = locks.pinned_output(stage, folder)
            listing = Path(repo.cache.local.oid_to_path(pinned["md5"])) if pinned else None
            if listing is not None and listing.is_file():
                # which model made embeddings is the same without the objects
                yield from (file["md5"] for file in json.loads(listing.read_text()) if file["relpath"] != embeddings.META)


def _commands(md5s: Sequence[str]) -> list[str]:
    """What removes files from DVC's cache and from its default remote, as a shell takes it."""
    commands = ["dvc repro", "git add --all", "git commit --message 'Erased objects'", "dvc push"]
    with Repo() as repo:
        remote = repo.cloud.get_remote() if repo.config["core"].get("remote") else None
        for md5 in dict.fromkeys(md5s):
            commands.append(f"rm --force {shlex.quote(str(repo.cache.local.oid_to_path(md5)))}")
            if remote is None:
                continue
            place = remote.odb.oid_to_path(md5)
            if remote.fs.protocol == "local":
                commands.append(f"rm --force {shlex.quote(place)}")
            elif remote.fs.protocol == "s3":
                endpoint = remote.config.get("endpointurl")
                option = f" --endpoint-url {shlex.quote(endpoint)}" if endpoint else ""
                commands.append(f"aws{option} s3 rm {shlex.quote('s3://' + place)}")
            else:
                commands.append(f"# delete {remote.fs.unstrip_protocol(place)} with the tool of that storage")
    return commands
