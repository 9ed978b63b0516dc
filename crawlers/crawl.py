"""Fetch one site into its archive, politely; only what is new or changed is added."""

import logging
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from crawlers import demo, pinned, settings
from crawlers.spiders.folder import FolderSpider
from crawlers.spiders.generic import GenericSpider
from sengu import params
from sengu.errors import SenguError, run_program

logger = logging.getLogger("crawl")


def crawl(site: str, fetch: params.Fetch, folder: Path, wanted: dict[str, Any]) -> Any:
    """Runs the site's spider until it is done; returns the spider, which knows what it fetched and what failed."""
    process = settings.quiet_process(wanted)
    served = demo.served(fetch.demo) if isinstance(fetch, params.GenericFetch) and fetch.demo else nullcontext()
    with served:
        if isinstance(fetch, params.GenericFetch):
            crawler = process.create_crawler(GenericSpider)
            process.crawl(crawler, fetch=fetch, read=params.Read(), replay=False)
        else:
            crawler = process.create_crawler(FolderSpider)
            process.crawl(crawler, site=site, fetch=fetch)
        process.start()
    reason = crawler.stats.get_value("finish_reason")
    failed = crawler.stats.get_value("spider_exceptions/count", 0)
    if crawler.spider is None or reason != "finished" or failed:
        raise SenguError(
            f"site {site}: the crawl broke off ({reason}, {failed} spider exceptions); what was fetched is kept in {folder}, "
            "and the next run goes on from there"
        )
    return crawler.spider


def main(arguments: list[str]) -> None:
    site, folder = arguments[0], Path(arguments[1])
    fetch = params.section(f"sites.{site}", params.Site).fetch
    if isinstance(fetch, params.FolderFetch) and not Path(fetch.folder).is_dir():
        raise SenguError(f"params.yaml: sites.{site}.fetch.folder: {fetch.folder} is not a folder: mount it, or correct the path")
    reproducible = isinstance(fetch, params.GenericFetch) and fetch.reproducible
    wanted = settings.for_crawl(site, fetch, folder)
    if reproducible:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        pinned.refuse_if_missing(site, folder)
    spider = crawl(site, fetch, folder, wanted)
    for failure in spider.failures:
        logger.warning("not fetched: %s", failure)
    if not spider.media:
        reason = f"the first failure was {spider.failures[0]}" if spider.failures else "no page shows any"
        raise SenguError(f"site {site}: no picture or video was fetched; {reason}: check sites.{site}.fetch in params.yaml")
    if reproducible:
        pinned.refuse_if_different(site, folder, params.document()["sites"][site]["fetch"])
    logger.info("%s: %d pages, %d media, %d failures", site, spider.pages, spider.media, len(spider.failures))


if __name__ == "__main__":
    run_program(main, "SITE ARCHIVE")
