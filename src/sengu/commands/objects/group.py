"""`sengu objects`: what is known of an object, the merged view, verification, healing and export."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pandas as pd
from tqdm import tqdm

from sengu.commands.objects import view
from sengu.base import params
from sengu.commands.objects import find
from sengu.base import tables
from sengu.base.tables import tombstones
from sengu.commands.objects import verify as verification
from sengu import warc
from sengu.base.errors import SenguError
from sengu.commands.objects import erase
from sengu.commands.objects import export
from sengu.base.ids import ObjectId
from sengu.stages import objects as stage
from sengu.objects.store import ObjectStore, ObjectTree
from sengu.commands.objects.verify import Finding

DATA = Path("data")
TREES = DATA / "object"
SHA1_DIGITS = 40
SHOWN = 5  # of the objects that the beginning of a hash may mean


def named(text: str, store: ObjectStore) -> ObjectId:
    """The object that an id, a SHA-1 or the beginning of one means. Raises SenguError if it is none or several."""
    prefix = text.strip().lower()
    if len(prefix) < 4 or not all(digit in "0123456789abcdef" for digit in prefix.partition(".")[0]):
        raise SenguError(f"{text!r} is not the beginning of an object id: give at least four hex digits of the SHA-1")
    found = store.beginning_with(prefix)
    if not found or len(prefix) < SHA1_DIGITS:  # a missing leaf is still known to the tables
        found = sorted({*found, *_indexed(prefix)})
    if not found:
        raise SenguError(f"no object begins with {text!r}: check the id, or run `dvc repro objects`")
    if len(found) > 1:
        shown = f"{', '.join(map(str, found[:SHOWN]))}{'…' if len(found) > SHOWN else ''}"
        raise SenguError(f"{text!r} begins {len(found)} object ids: {shown}: give more digits")
    return found[0]


def _indexed(prefix: str) -> Iterator[ObjectId]:
    for site in params.site_names():
        known = tables.read(DATA / "index" / f"{site}.csv", tables.IndexRow)["objectId"]
        yield from map(ObjectId.parse, known[known.str.startswith(prefix)].unique())


def verify(sites: Sequence[str]) -> list[Finding]:
    """Every file of the trees of some sites that is not as their index says; erased objects are not missed."""
    found, erased = [], tombstones.erased()
    for site in sites:
        index = tables.read(DATA / "index" / f"{site}.csv", tables.IndexRow)
        indexed = (ObjectId.parse(name) for name in index["objectId"].unique())
        found += verification.verify(site, TREES / site, (one for one in indexed if one.sha1 not in erased))
    return found


def heal(findings: Sequence[Finding]) -> list[Finding]:
    """Restores what is missing or damaged from the archives; returns what still is not as it should be."""
    settings, erased = params.section("objects", params.Objects), tombstones.erased()
    wanted = [finding for finding in findings if finding.state != "foreign"]
    for site in sorted({finding.site for finding in wanted}):
        bad = {finding.path.rpartition("/")[2] for finding in wanted if finding.site == site}
        index = tables.read(DATA / "index" / f"{site}.csv", tables.IndexRow)
        captures = tables.read(DATA / "captures" / f"{site}.csv", tables.Capture).drop_duplicates("urlId").set_index("urlId")
        archive = warc.read(DATA / "raw" / site, site, params.section(f"sites.{site}", params.Site).read.tracking)
        urls = index.loc[index["objectId"].isin(bad), "urlId"].unique()
        for url_id in tqdm(urls, desc=f"heal {site}", disable=None):
            entry = archive.resolve(str(captures.loc[url_id, "url"]))
            stage.store(url_id, entry, ObjectTree(TREES / site), settings, erased)
    return [finding for finding in wanted if not _is_whole(TREES / finding.site / finding.path)]


def _is_whole(path: Path) -> bool:
    return path.is_file() and verification.sha1(path) == ObjectId.parse(path.name).sha1


def _table(findings: Sequence[Finding]) -> str:
    return pd.DataFrame([(f.state, f.site, f.path) for f in findings], columns=["state", "site", "path"]).to_string(index=False)


def _store() -> ObjectStore:
    return ObjectStore.below(TREES)


def _roots() -> list[Path]:
    return [tree.root for tree in _store().trees]


@click.group("objects")
def group() -> None:
    """The objects of all sites, as one store."""


@group.command("path")
@click.argument("object_id", metavar="ID")
def path_command(object_id: str) -> None:
    """Print where the object ID lies; the beginning of its hash is enough."""
    store = _store()
    click.echo(store.path(named(object_id, store)))


@group.command("info")
@click.argument("object_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def info_command(object_id: str, as_json: bool) -> None:
    """Print everything that is known of the object ID."""
    store = _store()
    one = named(object_id, store)
    known = find.known(one, DATA)
    known.files = [str(path) for path in store.paths(one)]
    if as_json:
        click.echo(json.dumps(known.as_dict(), ensure_ascii=False, indent=2))
        return
    for key, value in known.as_dict().items():
        if key == "seen":
            for row in value:
                click.echo("seen")
                for name, cell in row.items():
                    if cell:
                        click.echo(f"  {name:10} {cell}")
        elif value:
            shown = ", ".join(f"{name}: {cell}" for name, cell in value.items()) if isinstance(value, dict) else value
            click.echo(f"{key:12} {', '.join(shown) if isinstance(shown, list) else shown}")


@group.command("where")
@click.argument("object_id", metavar="ID")
def where_command(object_id: str) -> None:
    """Print where the object ID was seen: site, date, URL and page, separated by tabs."""
    known = find.known(named(object_id, _store()), DATA)
    for row in known.seen:
        click.echo("\t".join(row[key] for key in ("site", "fetched", "url", "page")))


@group.command("verify")
@click.argument("sites", nargs=-1)
def verify_command(sites: tuple[str, ...]) -> None:
    """Hash every object again, of some SITES or of all; exit with 1 if a file is missing, damaged or foreign."""
    unknown = sorted(set(sites) - set(params.site_names()))
    if unknown:
        raise SenguError(f"there is no site {unknown[0]}: the sites are {', '.join(params.site_names())}")
    found = verify(sites or params.site_names())
    if not found:
        click.echo("every object is there, and whole")
        return
    click.echo(_table(found))
    removing = "`dvc repro --force --single-item objects@SITE` removes what is foreign"
    click.echo(f"`sengu objects heal` restores what is missing or damaged; {removing}", err=True)
    sys.exit(1)


@group.command("heal")
def heal_command() -> None:
    """Restore missing and damaged objects from the archives."""
    found = [finding for finding in verify(params.site_names()) if finding.state != "foreign"]
    left = heal(found) if found else []
    click.echo(f"{len(found) - len(left)} objects restored")
    if left:
        click.echo(_table(left))
        raise SenguError("the archive does not give these back: fetch it with `dvc pull`, and try again")


@group.command("mount")
@click.argument("folder", type=click.Path(path_type=Path))
def mount_command(folder: Path) -> None:
    """Show all trees as one in FOLDER, read-only, without copying anything."""
    click.echo(f"{folder}: mounted by {view.mount(_roots(), folder)}; `sengu objects umount {folder}` takes it away")


@group.command("umount")
@click.argument("folder", type=click.Path(path_type=Path))
def umount_command(folder: Path) -> None:
    """Take the mount at FOLDER away."""
    view.umount(folder)


@group.command("link")
@click.argument("folder", type=click.Path(path_type=Path))
def link_command(folder: Path) -> None:
    """Show all trees as one in FOLDER by links, where mounting is not allowed."""
    click.echo(f"{folder}: {view.link(_roots(), folder)} objects linked")


@group.command("export")
@click.option("--dataset", "version", required=True, help="Name of a dataset version; its rows that are split are exported.")
@click.option("--format", "kind", type=click.Choice(["imagefolder", "csv"]), default="imagefolder")
@click.option("--copy", is_flag=True, help="Copy the files instead of linking them.")
@click.argument("folder", type=click.Path(path_type=Path))
def export_command(version: str, kind: str, copy: bool, folder: Path) -> None:
    """Write a dataset to FOLDER as <type>/<class>/<object id>, which Keras, PyTorch and Hugging Face read."""
    click.echo(f"{folder}: {export.export(version, kind, copy, folder, _store())} examples")


@group.command("erase")
@click.argument("object_ids", metavar="ID…", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why: kept in tombstones.csv.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase_command(object_ids: tuple[str, ...], reason: str, yes: bool) -> None:
    """Erase objects for good, from the trees and the archives; nothing brings them back.

    Prints the commands that then remove the old copies from DVC's cache and remote.
    """
    store = _store()
    doomed = [named(text, store) for text in object_ids]
    if not yes:
        click.confirm(f"Erase {', '.join(map(str, doomed))} from trees and archives for good?", abort=True)
    lines = erase.sheet_lines(doomed)
    for line in erase.erase(doomed, reason, store):
        click.echo(line, err=True)
    for line in lines:
        click.echo(f"delete {line}: it names an erased file, and `dvc repro` would stop there", err=True)
    click.echo(f"what is left to do, in this order; it is kept in {erase.COMMANDS} until it is done:", err=True)
    click.echo("\n".join(erase.commands()))
