"""A site's params -> Scrapy settings: politeness and archiving, in one place."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scrapy.crawler import CrawlerProcess

from crawlers import polite
from crawlers.archive import ArchiveCache, ArchivePolicy, Fingerprints, WarcStorage
from crawlers.in_order import InOrder
from crawlers.progress import Progress
from crawlers.redirects import Redirects
from crawlers.spiders.files import FileHandler
from sengu.base.errors import SenguError
from sengu.base.params import GenericFetch, S3Fetch, Site
from sengu.base.tables import tombstones

DEMO_DOMAIN = ".example"  # RFC 2606: no such host exists
QUIET: Mapping[str, Any] = {
    "LOG_INSTALL_ROOT_HANDLER": False,
    "TELNETCONSOLE_ENABLED": False,
    "REMOTE_CONTROL_ENABLED": False,
    "EXTENSIONS": {"scrapy.extensions.logstats.LogStats": None},
    "URLLENGTH_LIMIT": 0,  # Scrapy drops longer ones silently
    "CONCURRENT_ITEMS": 1,  # Scrapy starts this many tasks for each answer, even if it yields no items
}
ARCHIVE: Mapping[str, Any] = {
    "HTTPCACHE_ENABLED": True,
    "HTTPCACHE_STORAGE": WarcStorage,
    "HTTPCACHE_POLICY": ArchivePolicy,
    "HTTPCACHE_IGNORE_SCHEMES": [],  # also files of folders and buckets
    "REQUEST_FINGERPRINTER_CLASS": Fingerprints,
    "DOWNLOADER_MIDDLEWARES": {"scrapy.downloadermiddlewares.httpcache.HttpCacheMiddleware": None, ArchiveCache: 900},
}
POLITE: Mapping[str, Any] = {
    "ROBOTSTXT_OBEY": True,
    "COOKIES_ENABLED": False,
    "REFERRER_POLICY": "no-referrer",  # the spider names the page of a picture itself
    "METAREFRESH_ENABLED": False,  # such a page may show pictures; the spider follows it as well
    # what sengu.warc can decode; Scrapy would ask for zstd too
    "DEFAULT_REQUEST_HEADERS": {"Accept": "*/*", "Accept-Encoding": "gzip, deflate, br"},
    "DOWNLOAD_HANDLERS": {"http": polite.PatientHandler, "https": polite.PatientHandler},
    "DOWNLOADER_MIDDLEWARES": {
        **ARCHIVE["DOWNLOADER_MIDDLEWARES"],
        "scrapy.downloadermiddlewares.robotstxt.RobotsTxtMiddleware": None,
        "scrapy.downloadermiddlewares.redirect.RedirectMiddleware": None,
        Redirects: 600,
        polite.Robots: 100,
        polite.Courtesy: 950,  # behind the cache: what it answers need not wait
    },
}
# loggers of errors that the table of failures lists, each under its reason
LISTED = ("scrapy.downloadermiddlewares.robotstxt", "scrapy.downloadermiddlewares.retry")
# breadth first, so that a page is met on its shortest path; Scrapy's own order is last in, first out
BREADTH_FIRST: Mapping[str, Any] = {
    "SCHEDULER_DISK_QUEUE": "scrapy.squeues.PickleFifoDiskQueue",
    "SCHEDULER_MEMORY_QUEUE": "scrapy.squeues.FifoMemoryQueue",
}
# one request at a time: records are in the order in which links were found
IN_ORDER: Mapping[str, Any] = {"CONCURRENT_REQUESTS": 1, "EXTENSIONS": {**QUIET["EXTENSIONS"], Progress: 0, InOrder: 0}}


def for_crawl(name: str, site: Site, folder: Path) -> dict[str, Any]:
    """Settings of a crawl that appends to the archive in `folder`."""
    fetch = site.fetch
    settings = {**QUIET, **ARCHIVE, **BREADTH_FIRST, **_site(name, site, folder), "SENGU_ROLL_OVER": fetch.roll_over}
    settings["SENGU_ERASED"] = tombstones.erased()
    settings["EXTENSIONS"] = {**QUIET["EXTENSIONS"], Progress: 0}
    if not isinstance(fetch, GenericFetch):
        concurrent = fetch.concurrent if isinstance(fetch, S3Fetch) else 1
        return settings | {
            "DOWNLOAD_HANDLERS": {"file": FileHandler, "s3": FileHandler},
            "ROBOTSTXT_OBEY": False,  # neither folder nor bucket has one
            "CONCURRENT_REQUESTS_PER_DOMAIN": concurrent,
            "CONCURRENT_REQUESTS": concurrent,
        }
    private = polite.local(_hosts(fetch)) if fetch.private is None else fetch.private
    return {
        **settings,
        **POLITE,
        **(IN_ORDER if fetch.reproducible else {"CONCURRENT_REQUESTS": max(16, fetch.concurrent)}),
        "TWISTED_DNS_RESOLVER": polite.Resolver if private else polite.PublicResolver,
        "SENGU_REPRODUCIBLE": fetch.reproducible,
        "SENGU_PRIVATE": private,
        "SENGU_OPT_OUTS": fetch.opt_outs == "honour",
        "SENGU_PATIENCE": fetch.patience,
        "SENGU_MAX_PAGES": fetch.max_pages,
        "DOWNLOAD_DELAY": fetch.delay,
        "AUTOTHROTTLE_ENABLED": fetch.delay > 0,
        "AUTOTHROTTLE_START_DELAY": fetch.delay,
        "CONCURRENT_REQUESTS_PER_DOMAIN": fetch.concurrent,
        "DOWNLOAD_TIMEOUT": fetch.timeout,
        "DOWNLOAD_MAXSIZE": int(fetch.max_size * 1e6),
        "DOWNLOAD_WARNSIZE": 0,
        "RETRY_TIMES": fetch.retries,
        "REDIRECT_MAX_TIMES": fetch.redirects,
        "CLOSESPIDER_TIMEOUT": fetch.max_hours * 3600,
        "USER_AGENT": f"Sengu (+{fetch.contact})" if fetch.contact else "Sengu",
    }


def for_extract(name: str, site: Site, folder: Path) -> dict[str, Any]:
    """Settings of an offline replay: anything that the archive does not hold is left out."""
    return {
        **QUIET,
        **ARCHIVE,
        **BREADTH_FIRST,
        "CONCURRENT_REQUESTS": 1,
        **_site(name, site, folder),
        "HTTPCACHE_IGNORE_MISSING": True,
        "RETRY_ENABLED": False,
        "REDIRECT_ENABLED": False,  # where a redirect leads is archived, and read, by itself
        "METAREFRESH_ENABLED": False,
        "COOKIES_ENABLED": False,
        "ROBOTSTXT_OBEY": False,  # it was obeyed when the archive was made
    }


def quiet_process(settings: dict[str, Any]) -> CrawlerProcess:
    """A Scrapy process that reports warnings only; the stages log the rest in a line of their own."""
    logging.disable(logging.INFO)
    process = CrawlerProcess(settings)  # sets the level of its loggers itself, so this comes after it
    logging.getLogger("scrapy").setLevel(logging.WARNING)
    for name in LISTED:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.disable(logging.NOTSET)
    return process


def _site(name: str, site: Site, folder: Path) -> dict[str, Any]:
    return {"SENGU_SITE": name, "SENGU_ARCHIVE": str(folder), "SENGU_TRACKING": site.read.tracking}


def _hosts(fetch: GenericFetch) -> list[str]:
    return [urlsplit(url).hostname or "" for url in fetch.start]


def check(name: str, fetch: GenericFetch) -> None:
    """Raises SenguError for an impossible demo, and for a public site without a contact."""
    if fetch.reproducible and not fetch.demo:
        raise SenguError(
            f"params.yaml: sites.{name}.fetch.reproducible: only a demo site can be regenerated; the archive of any other is kept"
        )
    hosts = _hosts(fetch)
    if fetch.demo and not all(host.endswith(DEMO_DOMAIN) for host in hosts):
        raise SenguError(f"params.yaml: sites.{name}.fetch.demo: a demo starts at hosts in {DEMO_DOMAIN}, not at {hosts}")
    public = [host for host in hosts if not polite.is_private_name(host) and not host.endswith(DEMO_DOMAIN)]
    if public and not fetch.contact:
        raise SenguError(
            f"params.yaml: sites.{name}.fetch.contact is empty, and {public[0]} is public: "
            "give an e-mail address or URL under which its owner can reach you"
        )
