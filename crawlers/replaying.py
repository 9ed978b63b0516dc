"""The archived pages of a site -> what they show, offline, and which of that cannot be requested anywhere."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scrapy import signals

from crawlers import settings
from crawlers.archive import is_media_type
from crawlers.optouts import header_opt_out
from crawlers.sources import spider_class
from crawlers.spiders import MEDIA, Found
from sengu import warc
from sengu.base import params
from sengu.base.errors import SenguError
from sengu.base.tables import Failed


def replay(name: str, site: params.Site, folder: Path, archive: warc.Archive) -> tuple[list[Found], list[Failed]]:
    """Runs the site's spider on every archived version of every page, sockets forbidden.

    Returns what the pages show, and the addresses on them that cannot be requested, or pages that cannot be read. Raises
    SenguError if the archive cannot be read.
    """
    assert isinstance(site.fetch, params.GenericFetch | params.WarcFetch)
    forbid_connections()
    process = settings.quiet_process(settings.for_extract(name, site, folder))
    crawler = process.create_crawler(spider_class(site.fetch.spider))
    items: list[Found] = []
    crawler.signals.connect(lambda item: items.extend(item.media), signal=signals.item_scraped, weak=False)
    process.crawl(crawler, fetch=site.fetch, read=site.read, replayed=pages(archive), archive=archive)
    process.start()
    unread = crawler.stats.get_value("httpcache/retrieve_error", 0) if crawler.stats else 1
    broken = crawler.stats.get_value("spider_exceptions/count", 0) if crawler.stats else 1
    spider: Any = crawler.spider
    if spider is None or unread or broken:
        raise SenguError(
            f"site {name}: the replay of {folder} failed: {unread} unreadable records, {broken} pages; see the log above"
        )
    return items, list(spider.failures.values())


def not_there(name: str, site: params.Site, folder: Path) -> list[Failed]:
    """Lists what the pages of a foreign archive show and no file holds, or nobody may use, each with its reason.

    Nobody requested it here, so no crawl has listed it.
    """
    assert isinstance(site.fetch, params.WarcFetch)
    archive = warc.gather(warc.files(folder, name), site.read.tracking)
    items, failures = replay(name, site, folder, archive)
    for item in items:
        entry = archive.resolve(item.url)
        if entry is None:
            failures.append(Failed(item.url, item.page, MEDIA, "none of the files holds it"))
        elif site.fetch.opt_outs == "honour" and (directive := opt_out(entry)):
            failures.append(Failed(item.url, item.page, MEDIA, f"opted out: {directive} in X-Robots-Tag"))
    return failures


def pages(archive: warc.Archive) -> Iterator[tuple[str, int]]:
    """URL and age of each version of every possible page; a picture that a page once showed stays a capture."""
    for entry in archive:
        if entry.url.startswith(("http:", "https:")):
            for age, version in enumerate(archive.versions(entry.url)):
                if version.is_good and not is_media_type(version.header("Content-Type")):
                    yield entry.url, age


def opt_out(entry: warc.Entry | None) -> str:
    """The opt-out from machine learning that the headers of an archived answer state; empty if there is none."""
    values = [value for name, value in (entry.headers if entry else ()) if name.lower() == "x-robots-tag"]
    return next(filter(None, map(header_opt_out, values)), "")


def forbid_connections() -> None:
    """Makes any attempt of this process to look up a host or to connect an error, from now on."""

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
            raise RuntimeError(f"extract is offline, but something called {event} with {arguments[-2:]}")

    sys.addaudithook(refuse)
