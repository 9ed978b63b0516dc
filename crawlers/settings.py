"""A site's params -> Scrapy settings: politeness and archiving, in one place."""

import ipaddress
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scrapy.crawler import CrawlerProcess

from crawlers.archive import ArchivePolicy, WarcStorage
from crawlers.spiders.folder import FolderHandler
from sengu.errors import SenguError
from sengu.params import Fetch, GenericFetch

DEMO_DOMAIN = ".example"  # RFC 2606: no such host exists
POLITE: Mapping[str, Any] = {
    "ROBOTSTXT_OBEY": True,
    "CONCURRENT_REQUESTS_PER_DOMAIN": 1,
    "COOKIES_ENABLED": False,
    "RETRY_TIMES": 2,
    "DOWNLOAD_TIMEOUT": 60,
    "DOWNLOAD_MAXSIZE": 256 << 20,
    "REFERRER_POLICY": "no-referrer",
    # what sengu.warc can decode; Scrapy would ask for zstd too
    "DEFAULT_REQUEST_HEADERS": {"Accept": "*/*", "Accept-Encoding": "gzip, deflate, br"},
}
QUIET: Mapping[str, Any] = {
    "LOG_INSTALL_ROOT_HANDLER": False,
    "TELNETCONSOLE_ENABLED": False,
    "REMOTE_CONTROL_ENABLED": False,
    "EXTENSIONS": {"scrapy.extensions.logstats.LogStats": None},
}
ARCHIVE: Mapping[str, Any] = {
    "HTTPCACHE_ENABLED": True,
    "HTTPCACHE_STORAGE": WarcStorage,
    "HTTPCACHE_POLICY": ArchivePolicy,
    "HTTPCACHE_IGNORE_SCHEMES": [],  # files of folders are archived like pages
}
# breadth first, so that a page is met on its shortest way; last come, first served is Scrapy's own order
BREADTH_FIRST: Mapping[str, Any] = {
    "SCHEDULER_DISK_QUEUE": "scrapy.squeues.PickleFifoDiskQueue",
    "SCHEDULER_MEMORY_QUEUE": "scrapy.squeues.FifoMemoryQueue",
}
# one request at a time: what is written, or replayed, has the order in which links were found
IN_ORDER: Mapping[str, Any] = {"CONCURRENT_REQUESTS": 1}


def for_crawl(site: str, fetch: Fetch, folder: Path) -> dict[str, Any]:
    """Settings of a crawl that appends to the archive in `folder`. Raises SenguError for a public site without a contact."""
    settings = {**POLITE, **QUIET, **ARCHIVE, **BREADTH_FIRST, "SENGU_SITE": site, "SENGU_ARCHIVE": str(folder)}
    if isinstance(fetch, GenericFetch):
        _check(site, fetch)
        settings |= IN_ORDER if fetch.reproducible else {}
        settings |= {
            "SENGU_REPRODUCIBLE": fetch.reproducible,
            "DOWNLOAD_DELAY": fetch.delay,
            "AUTOTHROTTLE_ENABLED": fetch.delay > 0,
            "USER_AGENT": f"Sengu (+{fetch.contact})" if fetch.contact else "Sengu",
        }
    else:
        settings |= {
            "DOWNLOAD_HANDLERS": {"file": FolderHandler},
            "SENGU_FOLDER": fetch.folder,
            "SENGU_DEVICE": fetch.device,
            "ROBOTSTXT_OBEY": False,  # a folder has none
        }
    return settings


def for_extract(site: str, folder: Path) -> dict[str, Any]:
    """Settings of an offline replay: whatever the archive does not hold is left out."""
    return {
        **QUIET,
        **ARCHIVE,
        **BREADTH_FIRST,
        **IN_ORDER,
        "SENGU_SITE": site,
        "SENGU_ARCHIVE": str(folder),
        "HTTPCACHE_IGNORE_MISSING": True,
        "RETRY_ENABLED": False,
        "COOKIES_ENABLED": False,
        "ROBOTSTXT_OBEY": False,  # it was obeyed when the archive was made
    }


def quiet_process(settings: dict[str, Any]) -> CrawlerProcess:
    """A Scrapy process that reports warnings only; the stages report the rest in a line of their own."""
    logging.disable(logging.INFO)
    process = CrawlerProcess(settings)  # sets the level of its loggers itself, so ours comes after
    logging.getLogger("scrapy").setLevel(logging.WARNING)
    logging.disable(logging.NOTSET)
    return process


def _check(site: str, fetch: GenericFetch) -> None:
    if fetch.reproducible and not fetch.demo:
        raise SenguError(
            f"params.yaml: sites.{site}.fetch.reproducible: only a demo site can be regenerated; the archive of any other is kept"
        )
    hosts = [urlsplit(url).hostname or "" for url in fetch.start]
    if fetch.demo and not all(host.endswith(DEMO_DOMAIN) for host in hosts):
        raise SenguError(f"params.yaml: sites.{site}.fetch.demo: a demo starts at hosts in {DEMO_DOMAIN}, not at {hosts}")
    public = [host for host in hosts if not _is_local(host) and not host.endswith(DEMO_DOMAIN)]
    if public and not fetch.contact:
        raise SenguError(
            f"params.yaml: sites.{site}.fetch.contact is empty, and {public[0]} is public: "
            "give an e-mail address or URL under which its owner can reach you"
        )


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost"
