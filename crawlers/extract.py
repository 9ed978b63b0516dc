"""Replay the archived pages of one site offline, and list every picture and video they show."""

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from scrapy import signals
from w3lib.url import canonicalize_url

from crawlers import settings
from crawlers.spiders import Found
from crawlers.spiders.generic import GenericSpider
from sengu import ids, params, tables, warc
from sengu.errors import SenguError, run_program

logger = logging.getLogger("extract")


def extract(found: Iterable[Found], archive: Mapping[str, warc.Entry]) -> Iterator[tables.Capture]:
    """One capture per URL and page; `archive` is what warc.latest gives."""
    merged: dict[tuple[str, str], Found] = {}
    for item in found:
        canonical = canonicalize_url(item.url)
        known = merged.get((canonical, item.page))
        tags = sorted({*item.tags, *(known.tags if known else ())})
        spelled = archive[canonical].url if canonical in archive else item.url
        merged[canonical, item.page] = Found(spelled, item.page, tuple(tags))
    for (canonical, page), item in merged.items():
        yield _capture(canonical, item.url, page, item.tags, warc.resolve(archive, item.url))


def replay(site: str, fetch: params.GenericFetch, read: params.Read, folder: Path) -> list[Found]:
    """Runs the site's spider on its archive, sockets forbidden. Raises SenguError if the archive cannot be read."""
    forbid_connections()
    process = settings.quiet_process(settings.for_extract(site, folder))
    crawler = process.create_crawler(GenericSpider)
    found: list[Found] = []
    crawler.signals.connect(lambda item: found.append(item), signal=signals.item_scraped, weak=False)
    process.crawl(crawler, fetch=fetch, read=read, replay=True)
    process.start()
    unread = crawler.stats.get_value("httpcache/retrieve_error", 0) if crawler.stats else 1
    broken = crawler.stats.get_value("spider_exceptions/count", 0) if crawler.stats else 1
    if crawler.spider is None or unread or broken:
        raise SenguError(
            f"site {site}: the replay of {folder} failed: {unread} unreadable records, {broken} pages; see the log above"
        )
    return found


def from_files(archive: Iterable[warc.Entry]) -> list[Found]:
    """The files of a folder source; their tags are the names of the folders above them."""
    return [Found(e.url, "", tuple(sorted(unquote(urlsplit(e.url).path).strip("/").split("/")[:-1]))) for e in archive]


def forbid_connections() -> None:
    """From here on any attempt of this process to look up a host or to connect is an error."""

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
            raise RuntimeError(f"extract is offline, but something called {event} with {arguments[-2:]}")

    sys.addaudithook(refuse)


def _capture(canonical: str, url: str, page: str, tags: tuple[str, ...], entry: warc.Entry | None) -> tables.Capture:
    modified = entry.header("Last-Modified") if entry else ""
    if modified:
        try:
            modified = parsedate_to_datetime(modified).strftime("%Y-%m-%dT%H:%M:%SZ")
        except ValueError:
            modified = ""  # servers send nonsense here; the archive keeps it
    return tables.Capture(
        urlId=ids.url_id(canonical),
        url=url,
        page=page,
        tags="|".join(tags),
        device=entry.header("File-Device") if entry else "",
        filename=unquote(urlsplit(url).path).lstrip("/") if url.startswith("file:") else "",
        fetched=entry.fetched if entry else "",
        modified=(entry.header("File-Modified") if entry else "") or modified,
        status=entry.status if entry else 0,
    )


def main(arguments: list[str]) -> None:
    site, folder, output = arguments[0], Path(arguments[1]), Path(arguments[2])
    source = params.section(f"sites.{site}", params.Site)
    archive = warc.latest(folder, site)
    if isinstance(source.fetch, params.GenericFetch):
        found = replay(site, source.fetch, source.read, folder)
    else:
        found = from_files(archive.values())
    captures = list(extract(found, archive))
    tables.write(output, tables.frame(captures, tables.Capture), tables.Capture)
    logger.info("%s: %d captures", site, len(captures))


if __name__ == "__main__":
    run_program(main, "SITE ARCHIVE CAPTURES")
