"""The repository -> README.html, catalog.json, a Git bundle and pages of contact sheets, beside DVC's files in the remote."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import pandas as pd
import yaml

from sengu.base import params, tables
from sengu.base.names import counted
from sengu.commands import places
from sengu.objects.store import ObjectStore
from sengu.remote import browsing, catalog, pins
from sengu.remote.checking import Store
from sengu.remote.project import Project
from sengu.repository.git import ask
from sengu.repository.pipeline import PIPELINE

RULES = Path("labels/RULES.md")


@click.command("catalog")
@click.option("--remote", "name", default="", help="One remote; by default the default one and those of remote.further.")
def command(name: str) -> None:
    """Publish a catalogue that explains the remote to a person who sees nothing else, and pages to browse it."""
    publish(Project.here(name))


def publish(project: Project) -> None:
    """Writes the catalogue into every remote that counts, and removes files that only an earlier catalogue had."""
    pinned, _ = project.pins()
    sheets = dict(_sheets(project))
    bundle = _bundle()
    for store in project.stores:
        files = dict(_documents(project, store, pinned, bool(sheets)))
        if bundle:
            files[catalog.BUNDLE] = bundle
        files |= {f"{catalog.PAGES}{page}": data for page, data in sheets.items()}
        before = catalog.published(store)
        for file, data in files.items():
            store.publish(file, data, catalog.content_type(file))
        store.withdraw([file for file in before if file not in files])
        click.echo(
            f"{store.remote.name}: {catalog.base_url(store.remote)}/{catalog.README} and {counted(len(files) - 1, 'other file')}",
            err=True,
        )


def _documents(project: Project, store: Store, pinned: dict[str, pins.Pin], has_sheets: bool) -> Iterator[tuple[str, bytes]]:
    present = {stored.oid: stored for stored in store.objects()}
    artifacts = yaml.safe_load(PIPELINE.read_text(encoding="utf-8")).get("artifacts", {}) if PIPELINE.is_file() else {}
    facts = params.project() if params.PARAMS.is_file() else params.Project()
    about = catalog.About(
        facts.purpose,
        facts.contact,
        facts.repository or ask("remote", "get-url", "origin"),
        ask("rev-parse", "HEAD"),
        RULES.read_text(encoding="utf-8") if RULES.is_file() else "",
        {name: str(artifact.get("desc", artifact.get("path", ""))) for name, artifact in artifacts.items()},
    )
    document = catalog.document(about, project.pins_of(store, pinned), present, sorted(project.erased))
    data = catalog.serialized(document)
    yield catalog.CATALOG, data
    yield catalog.DIGEST, catalog.digest(data)
    yield catalog.README, catalog.readme(document, store.remote, ["all"] if has_sheets else [])


def _sheets(project: Project) -> Iterator[tuple[str, bytes]]:
    """The pages of contact sheets; none where the pictures are not here."""
    frames = []
    for site in params.site_names() if params.PARAMS.is_file() else []:
        index, captures = places.INDEX / f"{site}.csv", places.CAPTURES / f"{site}.csv"
        if index.is_file() and captures.is_file() and (places.TREES / site).is_dir():
            rows = tables.read(index, tables.IndexRow)[["objectId", "urlId"]]
            seen = tables.read(captures, tables.Capture)[["urlId", "device", "fetched"]]
            frames.append(rows.merge(seen, on="urlId").assign(site=site))
    if not frames:
        return
    labels = {}
    if places.LABEL.is_file():
        table = tables.read(places.LABEL, tables.Label)
        labels = dict(zip(table["objectId"], table["value"].astype(int), strict=True))
    classes = params.section("label", params.LabelParams).classes
    groups = browsing.groups(pd.concat(frames, ignore_index=True), labels, classes, pins.erased_objects(project.refs))
    max_pixels = params.section("objects", params.Objects).max_pixels
    yield from browsing.pages(groups, ObjectStore.below(places.TREES), max_pixels)


def _bundle() -> bytes:
    """All branches and tags as one file for `git clone`; empty if this clone is shallow, and therefore incomplete."""
    if pins.is_shallow():
        click.echo("this clone is shallow, so the catalogue goes without the repository: `git fetch --unshallow`", err=True)
        return b""
    with TemporaryDirectory(prefix="sengu-") as folder:
        path = Path(folder) / catalog.BUNDLE
        command = ["git", "bundle", "create", "--quiet", str(path), "HEAD", "--branches", "--tags"]
        done = subprocess.run(command, capture_output=True, check=False)
        return b"" if done.returncode else path.read_bytes()
