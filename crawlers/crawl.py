"""Fetch one site into its archive; only what is new or changed is added."""

import logging
import shutil
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from crawlers import archive, demo, foreign, mqtt, pinned, progress, replaying, settings
from crawlers.sources import spider_class
from crawlers.spiders.files import FilesSpider, Place
from crawlers.spiders.folder import Folder
from sengu import warc
from sengu.base import locks, params, tables
from sengu.base.errors import SenguError, run_program
from sengu.base.tables import tombstones
from sengu.repository import verified
from sengu.warc import last_crawl

LOGGED = 20  # failures; the table has all
KEPT = "what was fetched is kept in {}, and the next run continues from there"
WHOLE = ("finished", "closespider_timeout")  # the ends of a crawl that are as they should be

logger = logging.getLogger("crawl")


def crawl(name: str, site: params.Site, folder: Path, again: list[tables.Failed]) -> Any:
    """Runs the site's spider until it is done; `again` is what the crawl before could not fetch.

    Returns the Scrapy crawler, which knows how it ended, and whose spider knows what was fetched and what failed. Raises
    SenguError if the archive could not be read or written, or if something failed that Scrapy passes over.
    """
    fetch, chosen = site.fetch, settings.for_crawl(name, site, folder)
    with (
        demo.served(fetch.demo) if isinstance(fetch, params.GenericFetch) and fetch.demo else nullcontext(),
        archive.opened(chosen) as opened,
    ):
        process = settings.quiet_process(chosen | {"SENGU_OPEN_ARCHIVE": opened})
        if isinstance(fetch, params.GenericFetch):
            crawler = process.create_crawler(spider_class(fetch.spider))
            process.crawl(crawler, fetch=fetch, read=site.read, again=again)
        else:
            assert isinstance(fetch, params.FolderFetch | params.S3Fetch)
            crawler = process.create_crawler(FilesSpider)
            process.crawl(crawler, place=_place(name, fetch), device=fetch.device)
        with archive.noticing(opened.errors):
            process.start()
    if opened.errors:
        raise SenguError(f"site {name}: the crawl stopped early ({opened.errors[0]}); {KEPT.format(folder)}")
    return crawler


def adopt(name: str, fetch: params.WarcFetch, folder: Path) -> tuple[int, list[tables.Failed]]:
    """Copies into the archive the records of foreign WARC files that it lacks; see `foreign.adopt`."""
    paths = foreign.matching(name, fetch.files)
    writer = warc.Writer(folder, name, archive.description(name), roll_over=int(fetch.roll_over * 1e6))
    try:
        here = warc.files(folder, name) + writer.of_this_crawl()[-1:]
        return foreign.adopt(paths, writer, foreign.digests(here), tombstones.erased())
    finally:
        writer.close()


def _place(name: str, fetch: params.FolderFetch | params.S3Fetch) -> Place:
    if isinstance(fetch, params.S3Fetch):
        from crawlers.spiders.s3 import Bucket  # boto3 loads slowly, and most sites do not need it

        bucket = Bucket(fetch.url, fetch.endpoint)
        bucket.check()
        return bucket
    if not Path(fetch.folder).is_dir():
        raise SenguError(f"params.yaml: sites.{name}.fetch.folder: {fetch.folder} is not a folder: mount it, or correct the path")
    return Folder(name, Path(fetch.folder))


def _account(name: str, crawler: Any, folder: Path) -> None:
    """Logs what was fetched. Raises SenguError if the crawl broke off or fetched no picture or video."""
    spider, stats = crawler.spider, crawler.stats
    reason, broken = stats.get_value("finish_reason"), stats.get_value("spider_exceptions/count", 0)
    if reason not in WHOLE or broken:
        raise SenguError(f"site {name}: the crawl stopped early ({reason}, {broken} spider exceptions); {KEPT.format(folder)}")
    failures = list(spider.failures.values())
    for failure in failures[:LOGGED]:
        logger.warning("not fetched: %s: %s", failure.url, failure.reason)
    observed = next(extension for extension in crawler.extensions.middlewares if isinstance(extension, progress.Progress))
    logger.info("%s:\n%s", name, progress.table(observed.answers, Counter(failure.reason for failure in failures)))
    if reason != "finished":
        logger.warning("%s: stopped after max_hours, with work left; the next crawl continues", name)
    if stats.get_value("sengu/pages_beyond_limit"):
        logger.warning("%s: followed no more links after max_pages; raise it, or restrict `follow`", name)
    if not spider.media_count:
        why = f"the first failure was {failures[0].url}: {failures[0].reason}" if failures else spider.nothing
        raise SenguError(f"site {name}: no picture or video was fetched; {why}: check sites.{name}.fetch in params.yaml")
    logger.info("%s: %d pages, %d media, %d failures", name, spider.pages, spider.media_count, len(failures))


def main(arguments: list[str]) -> None:
    name, folder, failed = arguments[0], Path(arguments[1]), Path(arguments[2])
    site = params.section(f"sites.{name}", params.Site)
    mqtt.broker()  # a mistake in it is reported here, not from within Scrapy
    if isinstance(site.fetch, params.GenericFetch):
        settings.check(name, site.fetch)
    with locks.held(f"crawl-{name}", f"the archive of site {name} is in use"):
        _run(name, site, folder, failed)


def _run(name: str, site: params.Site, folder: Path, failed: Path) -> None:
    """Runs a whole crawl, while no other crawl of the site runs."""
    for output in (folder, failed.parent):  # the file itself may be DVC's link into a cache on another disk; it is replaced
        pinned.refuse_if_linked(output)
    reproducible = isinstance(site.fetch, params.GenericFetch) and site.fetch.reproducible
    if reproducible:
        shutil.rmtree(folder, ignore_errors=True)
        failed.unlink(missing_ok=True)
    else:
        pinned.refuse_if_missing(name, folder)
        with verified.opened() as memory:
            pinned.refuse_if_damaged(name, folder, memory)
    if isinstance(site.fetch, params.WarcFetch):
        copied, unread = adopt(name, site.fetch, folder)
        failures = foreign.account(name, folder, site.read.tracking, [*_not_there(name, site, folder), *unread])
        tables.write(failed, tables.frame(failures, tables.Failed), tables.Failed)
        logger.info(
            "%s: %d records copied; %d records or files are missing or cannot be read, listed in data/failed",
            name,
            copied,
            len(failures),
        )
        foreign.check(name, folder, site.read.tracking, failures)
    else:
        again = tables.rows(tables.read(failed, tables.Failed), tables.Failed) if failed.is_file() else []
        crawler = crawl(name, site, folder, again)
        if crawler.spider is None:
            raise SenguError(f"site {name}: the crawl did not begin; see the log above")
        tables.write(failed, tables.frame(crawler.spider.failures.values(), tables.Failed), tables.Failed, durable=True)
        _account(name, crawler, folder)
    if reproducible:
        pinned.refuse_if_different(name, folder, params.document()["sites"][name]["fetch"])
    last_crawl.crawled(name)


def _not_there(name: str, site: params.Site, folder: Path) -> list[tables.Failed]:
    """Lists what `replaying.not_there` finds; warns if the pages cannot be replayed: the copied records are still good."""
    try:
        return replaying.not_there(name, site, folder)
    except SenguError as error:
        logger.warning("%s; so pictures missing from the pages are not listed, and `dvc repro` may fail on these pages", error)
        return []


if __name__ == "__main__":
    run_program(main, "SITE ARCHIVE FAILED")
