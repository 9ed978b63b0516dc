"""Object trees and their index -> files that are missing, damaged or foreign."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click
import pandas as pd
from tqdm import tqdm

from sengu import warc
from sengu.base import params, tables
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.base.names import counted
from sengu.base.tables import tombstones
from sengu.commands import places
from sengu.commands.completion import SiteName
from sengu.objects import records
from sengu.objects.filing import Filing
from sengu.objects.store import ObjectTree
from sengu.stages import objects as stage


@dataclass(frozen=True, order=True)
class Finding:
    """A file of a tree that disagrees with the index; `state` is missing, damaged or foreign."""

    state: str
    site: str
    path: str  # below the tree


def verify(site: str, root: Path, indexed: Iterable[ObjectId]) -> list[Finding]:
    """Hashes every object of one site again, in its leaf or in the archive; sorted."""
    expected = {object_id.path.as_posix(): object_id for object_id in indexed}
    findings = [Finding("foreign", site, name) for name in set(_files(root)) - expected.keys() - {records.NAME}]
    tree = ObjectTree(root)
    # threads: hashing and reading release Python's lock
    with ThreadPoolExecutor() as pool:
        states = pool.map(tree.state, expected.values())
        for name, state in tqdm(zip(expected, states, strict=True), total=len(expected), desc=f"verify {site}", disable=None):
            if state:
                findings.append(Finding(state, site, name))
    return sorted(findings)


def _files(root: Path) -> Iterator[str]:
    return (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file() or path.is_symlink())


def verify_sites(sites: Sequence[str]) -> list[Finding]:
    """Every file in the trees of some sites that disagrees with their index; erased objects do not count as missing."""
    findings, erased = [], tombstones.erased()
    for site in sites:
        index = tables.read(places.INDEX / f"{site}.csv", tables.IndexRow)
        indexed = (ObjectId.parse(name) for name in index["objectId"].unique())
        findings += verify(site, places.TREES / site, (leaf for leaf in indexed if leaf.sha1 not in erased))
    return findings


def heal_trees(findings: Sequence[Finding]) -> list[Finding]:
    """Restores missing and damaged objects from the archives; returns what is still wrong."""
    settings = params.section("objects", params.Objects)
    wanted = [finding for finding in findings if finding.state != "foreign"]
    for site in sorted({finding.site for finding in wanted}):
        bad = {finding.path.rpartition("/")[2] for finding in wanted if finding.site == site}
        index = tables.read(places.INDEX / f"{site}.csv", tables.IndexRow)
        captures = tables.read(places.CAPTURES / f"{site}.csv", tables.Capture).drop_duplicates("urlId").set_index("urlId")
        archive = warc.read(places.RAW / site, site, params.section(f"sites.{site}", params.Site).read.tracking)
        urls = index.loc[index["objectId"].isin(bad), "urlId"].unique()
        tree = ObjectTree(places.TREES / site)
        erased = tombstones.erased()
        filing = Filing(tree, settings.max_pixels, settings.checks, settings.video.frames, erased, settings.tree)
        if not settings.tree:  # the table of an archive that has changed since is as good as none
            records.write(tree.root, index[~index["objectId"].str.partition(".")[0].isin(erased)], dict(captures["url"]), archive)
            urls = index.loc[index["objectId"].isin(bad) & (index["video"] != ""), "urlId"].unique()
        for url_id in tqdm(urls, desc=f"heal {site}", disable=None):
            entry = archive.resolve(str(captures.loc[url_id, "url"]))
            stage.file_capture(entry, filing)
    trees = {finding.site: ObjectTree(places.TREES / finding.site) for finding in wanted}
    return [finding for finding in wanted if trees[finding.site].state(_object(finding))]


def _object(finding: Finding) -> ObjectId:
    return ObjectId.parse(finding.path.rpartition("/")[2])


def _table(findings: Sequence[Finding]) -> str:
    return pd.DataFrame([(f.state, f.site, f.path) for f in findings], columns=["state", "site", "path"]).to_string(index=False)


@click.command("verify")
@click.argument("sites", nargs=-1, type=SiteName())
def verify_command(sites: tuple[str, ...]) -> None:
    """Hash every object again, of some SITES or of all; exit with 1 if a file is missing, damaged or foreign."""
    unknown = sorted(set(sites) - set(params.site_names()))
    if unknown:
        raise SenguError(f"there is no site {unknown[0]}: the sites are {', '.join(params.site_names())}")
    findings = verify_sites(sites or params.site_names())
    if not findings:
        click.echo("every object is present and intact")
        return
    click.echo(_table(findings))
    removing = "`dvc repro --force --single-item objects@SITE` removes what is foreign"
    click.echo(f"`sengu objects heal` restores what is missing or damaged; {removing}", err=True)
    sys.exit(1)


@click.command("heal")
def heal_command() -> None:
    """Restore missing and damaged objects from the archives."""
    findings = [finding for finding in verify_sites(params.site_names()) if finding.state != "foreign"]
    left = heal_trees(findings) if findings else []
    click.echo(f"{counted(len(findings) - len(left), 'object')} restored")
    if left:
        click.echo(_table(left))
        raise SenguError(
            "these objects cannot be restored, because their archive is damaged or missing: run `sengu heal`, which restores the "
            "archive first"
        )
