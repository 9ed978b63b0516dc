"""`sengu site`: adds sites to params.yaml, removes them with their outputs, and lists them."""

import shutil
from pathlib import Path
from typing import Any

import click
import pandas as pd

from sengu import warc
from sengu.base import params, working
from sengu.base.errors import SenguError
from sengu.base.names import counted
from sengu.commands import places
from sengu.commands.completion import SiteName
from sengu.commands.site import editing
from sengu.repository import dvc_lock, pipeline
from sengu.warc import last_crawl


def remove(name: str, force: bool, path: Path = params.PARAMS) -> list[Path]:
    """Removes a site from params.yaml and dvc.lock, and deletes its outputs; returns the deleted ones.

    Raises SenguError if that would lose an archive that dvc.lock does not pin, unless `force`.
    """
    if name not in params.site_names(path):
        raise SenguError(f"{path}: there is no site {name}: the sites are {', '.join(params.site_names(path))}")
    folder = places.RAW / name
    pinned = dvc_lock.pinned_output(f"crawl@{name}", folder)
    if not force and folder.is_dir() and any(folder.iterdir()) and (pinned is None or pinned["md5"] != dvc_lock.dvc_hash(folder)):
        raise SenguError(
            f"{folder} is not what dvc.lock pins, so it would be lost: run `dvc repro crawl@{name}` and `dvc push` first, "
            "or add --force to lose it"
        )
    editing.remove_site(path, name)
    dvc_lock.forget([f"{stage}@{name}" for stage in pipeline.PER_SITE])
    gone = [output for output in pipeline.outputs(name) if output.exists()]
    for output in gone:
        if output.is_dir():
            shutil.rmtree(output)
        else:
            output.unlink()
    warc.forget(name)
    (working.OBJECTS / f"{name}.journal").unlink(missing_ok=True)
    return gone


def overview() -> pd.DataFrame:
    """The sites with source, spider, number and size of archive files, and the end of the last crawl on this machine.

    If none ran here, it is the date of the newest archive file.
    """
    rows = []
    for name in params.site_names():
        fetch = params.section(f"sites.{name}", params.Site).fetch
        files = warc.files(places.RAW / name, name)
        size = sum(path.stat().st_size for path in files)
        last = last_crawl.last_crawl(name) or (warc.info(files[-1]).get("date", "") if files else "")
        rows.append((name, fetch.source, getattr(fetch, "spider", "-"), len(files), f"{size / 1e6:.1f}", last or "never"))
    return pd.DataFrame(rows, columns=["site", "source", "spider", "files", "MB", "last crawl"])


@click.group("site")
def group() -> None:
    """The sites in params.yaml."""


@group.command("add")
@click.argument("name")
@click.option("--start", multiple=True, help="URL at which the crawl of a web site starts; may be given several times.")
@click.option("--domain", "domains", multiple=True, help="Domain within which links are followed; by default those of --start.")
@click.option("--depth", type=int, help="How many links from the start to follow.")
@click.option("--delay", type=float, help="Seconds between two requests to one host.")
@click.option("--contact", help="E-mail address or URL by which the site's owner can reach you.")
@click.option("--spider", help="Module of crawlers/spiders, for a site that needs its own.")
@click.option("--folder", help="Instead of --start: a local or NFS folder of files.")
@click.option("--s3", help="Instead of --start: s3://bucket/prefix.")
@click.option("--endpoint", help="Address of an S3 that is not Amazon's.")
@click.option("--warc", "files", multiple=True, help="Instead of --start: WARC files made by others, or a pattern of them.")
@click.option("--device", help="The device that took the files of a folder or bucket.")
@click.option("--tags", help="CSS selector of a page's tags.")
@click.option("--path", help="Regular expression that finds tags and device in the path of a file.")
def add_command(name: str, **given: Any) -> None:
    """Write the site NAME into params.yaml; `dvc repro` then fetches it."""
    sources = {"start": "generic", "folder": "folder", "s3": "s3", "files": "warc"}
    chosen = [key for key in sources if given[key]]
    if len(chosen) != 1:
        raise click.UsageError("say where the site is, with one of --start, --folder, --s3 and --warc")
    options = {key: list(value) if isinstance(value, tuple) else value for key, value in given.items() if value not in (None, ())}
    read: dict[str, Any] = {key: options.pop(key) for key in ("tags", "path") if key in options}
    if "s3" in options:
        options["url"] = options.pop("s3")
    site = {"fetch": {"source": sources[chosen[0]], **options}} | ({"read": read} if read else {})
    editing.add_site(params.PARAMS, name, site)
    click.echo(f"params.yaml: site {name} added; `dvc repro` fetches it")


@group.command("remove")
@click.argument("name", type=SiteName())
@click.option("--force", is_flag=True, help="Delete even an archive that dvc.lock does not pin.")
def remove_command(name: str, force: bool) -> None:
    """Remove the site NAME from params.yaml, and delete its outputs."""
    for path in remove(name, force):
        click.echo(f"deleted {path}")
    click.echo(
        f"site {name} is gone from params.yaml and dvc.lock; what was pinned stays in DVC's cache and remote: "
        "`git checkout params.yaml dvc.lock && dvc checkout --allow-missing` brings it back until you commit"
    )


@group.command("list")
def list_command() -> None:
    """List the sites: source, spider, archive files and their size, last crawl."""
    click.echo(overview().to_string(index=False))


@group.command("check")
@click.option("--quiet", is_flag=True, help="Print nothing unless a name is wrong.")
def check_command(quiet: bool) -> None:
    """Check the names of the sites, which DVC puts into shell commands."""
    names = params.site_names()
    if not quiet:
        click.echo(f"{counted(len(names), 'site')}, all with names that are safe in a command: {', '.join(names)}")
