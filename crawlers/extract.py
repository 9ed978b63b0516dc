"""Replay one site's archived pages offline, and list their pictures and videos."""

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from crawlers.archive import is_file
from crawlers.replaying import opt_out, replay
from crawlers.spiders import Found
from sengu import warc
from sengu.base import ids, params, tables
from sengu.base.errors import run_program
from sengu.base.texts import nfc

logger = logging.getLogger("extract")


def extract(items: Iterable[Found], archive: warc.Archive) -> Iterator[tables.Capture]:
    """One capture per URL and page, with the tags of the latest version of the page that shows it."""
    merged: dict[tuple[str, str], Found] = {}
    for item in items:
        key = archive.canonical(item.url), archive.canonical(item.page) if item.page else ""
        known = merged.get(key)
        if known is not None and known.age < item.age:
            continue
        tags = {*item.tags, *(known.tags if known and known.age == item.age else ())}
        entry = archive.find(item.url)
        merged[key] = replace(
            item,
            url=entry.url if entry else item.url,
            page=min(item.page, known.page) if known else item.page,
            tags=tuple(sorted(tags)),
        )
    for (canonical, _), item in merged.items():
        yield _capture(canonical, item, archive.resolve(item.url))


def from_files(archive: Iterable[warc.Entry], pattern: str) -> list[Found]:
    """The files of a folder or bucket. Their tags are the names of the folders above them, or the groups that `pattern` finds.

    A file whose path does not match has no tags.
    """
    items = []
    for entry in archive:
        path = file_name(entry.url)
        match = re.search(pattern, path) if pattern else None
        groups = {name: text or "" for name, text in match.groupdict().items()} if match else {}
        tags = [text for name, text in groups.items() if name.startswith("tag") and text] if pattern else path.split("/")[:-1]
        device, operator, subject = (groups.get(name, "") for name in ("device", "operator", "subject"))
        tags = sorted({tag.replace("|", " ") for tag in tags})
        items.append(Found(entry.url, "", tuple(tags), device=device, operator=operator, subject=subject))
    return items


def file_name(url: str) -> str:
    """The path of an archived file below its folder or in its bucket, in NFC."""
    return nfc(unquote(urlsplit(url).path).lstrip("/")) if is_file(url) else ""


def _capture(canonical: str, item: Found, entry: warc.Entry | None) -> tables.Capture:
    modified = entry.header("Last-Modified") if entry else ""
    if modified:
        try:
            time = parsedate_to_datetime(modified)
            modified = (time.astimezone(UTC) if time.tzinfo else time).strftime("%Y-%m-%dT%H:%M:%SZ")
        except (ValueError, OverflowError):
            modified = ""  # servers send nonsense here; the archive keeps it
    stated = {name: entry.header(f"File-{name}") if entry else "" for name in ("device", "operator", "subject", "modified")}
    return tables.Capture(
        urlId=ids.url_id(canonical),
        url=item.url,
        page=item.page,
        tags="|".join(item.tags),
        device=nfc(item.device or stated["device"]),
        filename=file_name(item.url),
        fetched=entry.fetched if entry else "",
        modified=stated["modified"] or modified,
        status=entry.status if entry else 0,
        taken=(entry.taken if entry else "") or stated["modified"],  # the server's date of a file is not the date of the picture
        camera=entry.camera if entry else "",
        operator=nfc(item.operator or stated["operator"]),
        subject=nfc(item.subject or stated["subject"]),
    )


def main(arguments: list[str]) -> None:
    name, folder, output = arguments[0], Path(arguments[1]), Path(arguments[2])
    site = params.section(f"sites.{name}", params.Site)
    archive = warc.read(folder, name, site.read.tracking)
    if isinstance(site.fetch, params.GenericFetch | params.WarcFetch):
        items, _ = replay(name, site, folder, archive)  # a broken address is listed in data/failed
        if site.fetch.opt_outs == "honour":  # other crawlers archive what opted out
            items = [item for item in items if not opt_out(archive.resolve(item.url))]
    else:
        items = from_files(archive, site.read.path)
    captures = list(extract(items, archive))
    tables.write(output, tables.frame(captures, tables.Capture), tables.Capture)
    logger.info("%s: %d captures", name, len(captures))


if __name__ == "__main__":
    run_program(main, "SITE ARCHIVE CAPTURES")
