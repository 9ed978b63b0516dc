"""Objects -> erased for good: from the trees, from the archives, and listed so that nothing brings them back."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from dvc.repo import Repo
from tqdm import tqdm

from sengu import embeddings, warc
from sengu.base import digests, locks, params, tables, working
from sengu.base.atomic import replaced_file
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.base.names import counted
from sengu.base.tables import csvfile, tombstones
from sengu.commands import places
from sengu.commands.completion import ObjectPrefix
from sengu.commands.objects.find import named
from sengu.labels import sheets
from sengu.objects.store import ObjectStore
from sengu.repository import dvc_lock

# stages whose outputs show or describe pictures, with the table that says which
DERIVED = {
    "prepare": (places.PIXELS, places.SPLIT),
    "features": (places.FEATURES, places.SPLIT),
    "embed": (places.EMBEDDINGS, places.EMBEDDINGS / embeddings.OBJECTS),
}

# the remaining work, beside what stages keep: a file that DVC, Git and every command leave alone
COMMANDS = working.ERASE_COMMANDS
FIRST = ("dvc repro", "git add --update", "git commit --message 'Erased objects'", "dvc push")
LAST = (f"rm --force {COMMANDS}",)


def erase(objects: Sequence[ObjectId], reason: str, store: ObjectStore) -> list[str]:
    """Erases objects, and the frames of videos among them, from trees and archives; returns what was done.

    The remaining work is written to COMMANDS before anything is touched, since nothing else knows the MD5s of old archive
    files. The table comes next, so that the objects never come back. Raises SenguError if dvc.lock cannot be updated; the
    same call again then does the rest.
    """
    doomed = sorted({*objects, *_frames(objects)})
    sha1s = {object_id.sha1 for object_id in doomed}
    holders = {site: _holders(site, sha1s) for site in params.site_names()}
    interrupted = COMMANDS.is_file()
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    files = [*_derived(doomed), *(digests.md5(path) for paths in holders.values() for path in paths)]
    _keep(_removals(files))
    tombstones.add_files(files, today)
    tombstones.add(doomed, reason, today)
    done = [f"{tombstones.TOMBSTONES}: {counted(len(doomed), 'object')} listed"]
    for site, held in holders.items():
        if held or (interrupted and not _is_pinned(site)):
            _without(site, held)
            done += [f"{path}: {entry.url}" for path, unwanted in held.items() for entry in unwanted]
    for object_id in doomed:
        for path in store.paths(object_id):
            path.unlink()
            done.append(f"{path}: deleted")
    for folder in filter(
        Path.is_dir, working.OF_PICTURES
    ):  # no stage need run to clean it: DVC may have kept a run without the object
        shutil.rmtree(folder)
        done.append(f"{folder}: deleted, the next run fills it again")
    return done


def _holders(site: str, sha1s: Collection[str]) -> dict[Path, list[warc.Entry]]:
    """The archive files of a site that hold such payloads, with their records."""
    paths = tqdm(warc.files(places.RAW / site, site), desc=f"look through {site}", unit="file", disable=None)
    return {path: unwanted for path in paths if (unwanted := warc.holding(path, sha1s))}


def _is_pinned(site: str) -> bool:
    """True if the archive of a site is what dvc.lock says. It is not if an earlier erasure was stopped between the two."""
    folder = places.RAW / site
    pinned = dvc_lock.pinned_output(f"crawl@{site}", folder)
    return pinned is not None and pinned["md5"] == dvc_lock.dvc_hash(folder)


def _without(site: str, holders: Mapping[Path, Sequence[warc.Entry]]) -> None:
    """Removes records from archive files, and updates dvc.lock."""
    fetch = params.section(f"sites.{site}", params.Site).fetch
    if isinstance(fetch, params.GenericFetch) and fetch.reproducible:
        # the archive must equal what any clone makes: the crawl leaves out what is in tombstones.csv
        dvc_lock.forget([f"crawl@{site}"])
        _dvc("repro", "--single-item", f"crawl@{site}")
        return
    with locks.held(f"crawl-{site}", f"the archive of site {site} is in use"):
        for path, unwanted in holders.items():
            warc.erase(path, unwanted)
        _dvc("commit", "--force", f"crawl@{site}")


def _dvc(*arguments: str) -> None:
    # the stages say `python`, which must be this one even if its environment is not activated
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    command = [sys.executable, "-m", "dvc", *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path})
    if answer.returncode:
        raise SenguError(
            f"`dvc {' '.join(arguments)}` failed: {answer.stderr.strip()}: correct that, and run `sengu objects erase` again; "
            f"the remaining commands are kept in {COMMANDS}"
        )


def sheet_lines(objects: Sequence[ObjectId]) -> list[str]:
    """The lines of annotation sheets that name these objects by a file name alone.

    When the file is gone from the archive, nothing knows this name, so `label` would stop there. A line with the object's id
    may stay: the tombstone explains it.
    """
    names = {str(object_id) for object_id in objects}
    files = set()
    for site in params.site_names():
        index = tables.read(places.INDEX / f"{site}.csv", tables.IndexRow)
        captures = tables.read(places.CAPTURES / f"{site}.csv", tables.Capture)
        urls = index.loc[index["objectId"].isin(names), "urlId"]
        files |= set(captures.loc[captures["urlId"].isin(urls), "filename"]) - {""}
    places_named = []
    for path in sheets.sheets(places.LABELS) if places.LABELS.is_dir() else []:
        sheet = sheets.read(path)
        rows = sheet.cells["filename"].isin({unicodedata.normalize("NFC", name) for name in files}) & (
            sheet.cells["objectId"] == ""
        )
        places_named += [f"{path}:{line}" for line in sheet.lines[rows.to_numpy()]]
    return places_named


def _frames(objects: Sequence[ObjectId]) -> Iterator[ObjectId]:
    names = {str(object_id) for object_id in objects if object_id.is_video}
    for site in params.site_names() if names else []:
        index = tables.read(places.INDEX / f"{site}.csv", tables.IndexRow)
        yield from (ObjectId.parse(name) for name in index.loc[index["video"].isin(names), "objectId"].unique())


def _derived(objects: Sequence[ObjectId]) -> Iterator[str]:
    """The MD5s of the files made from these objects and others: their pixels, features and embeddings."""
    names = [str(object_id) for object_id in objects]
    with Repo() as repo:
        for stage, (folder, table) in DERIVED.items():
            if not table.is_file() or not csvfile.read(table)["objectId"].isin(names).any():
                continue
            pinned = dvc_lock.pinned_output(stage, folder)
            listing = Path(repo.cache.local.oid_to_path(pinned["md5"])) if pinned else None
            if listing is not None and listing.is_file():
                # which model made embeddings is the same without the objects
                yield from (file["md5"] for file in json.loads(listing.read_text()) if file["relpath"] != embeddings.META)


def commands() -> list[str]:
    """Shell commands that remain after this erasure, and after earlier ones whose commands were not all run."""
    return COMMANDS.read_text(encoding="utf-8").splitlines() if COMMANDS.is_file() else []


def _keep(removals: Sequence[str]) -> None:
    """Adds the commands that remove old copies to COMMANDS."""
    between = [line for line in [*commands(), *removals] if line not in (*FIRST, *LAST)]
    with replaced_file(COMMANDS, durable=True) as partial:
        partial.write_text("\n".join([*FIRST, *dict.fromkeys(between), *LAST, ""]), encoding="utf-8")


def _removals(md5s: Sequence[str]) -> list[str]:
    """Shell commands that remove files from DVC's cache and from every remote, in all their versions."""
    if not md5s:
        return []
    with Repo() as repo:
        lines = [f"rm --force {shlex.quote(str(repo.cache.local.oid_to_path(md5)))}" for md5 in md5s]
    return [*lines, f"sengu remote forget {' '.join(dict.fromkeys(md5s))}"]


@click.command("erase")
@click.argument("object_ids", metavar="ID…", nargs=-1, required=True, type=ObjectPrefix())
@click.option("--reason", required=True, help="The reason, kept in tombstones.csv.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase_command(object_ids: tuple[str, ...], reason: str, yes: bool) -> None:
    """Erase objects for good, from the trees and the archives; nothing brings them back.

    This prints the commands that then remove the old copies from DVC's cache and from every remote, with older versions, the
    catalogue and its contact sheets.
    """
    store = ObjectStore.below(places.TREES)
    doomed = [named(text, store) for text in object_ids]
    if not yes:
        click.confirm(f"Erase {', '.join(map(str, doomed))} from trees and archives for good?", abort=True)
    lines = sheet_lines(doomed)
    for line in erase(doomed, reason, store):
        click.echo(line, err=True)
    for line in lines:
        click.echo(f"delete {line}: it names the picture by its file name alone, and `dvc repro` would stop there", err=True)
    click.echo(f"commands that remain, in this order; {COMMANDS} keeps them until they are done:", err=True)
    click.echo("\n".join(commands()))
