"""Scrapy parts that keep a crawl polite and safe: robots.txt, Retry-After, opt-outs, private addresses, limits."""

import asyncio
import ipaddress
import logging
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from scrapy import Request
from scrapy.core.downloader.handlers.http11 import HTTP11DownloadHandler
from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response
from scrapy.resolver import CachingThreadedResolver
from scrapy.utils.defer import maybe_deferred_to_future
from twisted.internet.abstract import isIPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import DNSLookupError

from crawlers.optouts import opted_out
from crawlers.spiders import MEDIA, STEPS

ASKS_TO_WAIT = (429, 503)

logger = logging.getLogger(__name__)


@dataclass
class Hosts:
    """The state of each host that a crawl asks, by name; http and https share it."""

    turns: dict[str, asyncio.Semaphore] = field(default_factory=dict)
    until: dict[str, float] = field(default_factory=dict)  # monotonic time before which a host is not asked
    pauses: dict[str, float] = field(default_factory=dict)  # Crawl-delay, seconds from one request to the next
    asked: dict[str, float] = field(default_factory=dict)  # monotonic time of the last request
    refused: set[str] = field(default_factory=set)  # names of addresses of private networks


def hosts_of(crawler: Any) -> Hosts:
    """The state of the hosts of a crawl. It hangs on the crawler, which is all that the parts of a crawl have in common."""
    if not hasattr(crawler, "hosts"):
        crawler.hosts = Hosts()
    hosts: Hosts = crawler.hosts
    return hosts


class PatientHandler(HTTP11DownloadHandler):
    """Sends a host at most `concurrent` requests at a time, and waits as long as the host asks.

    A host asks by Retry-After, or by the Crawl-delay of its robots.txt. If that is more than the site's patience, the host is
    left alone. This happens behind the queue of the host, so that nothing overtakes a waiting request: without a delay,
    Scrapy 2.19 empties that queue at once.
    """

    def __init__(self, crawler: Any):
        super().__init__(crawler)
        self.hosts = hosts_of(crawler)
        self.patience: float = crawler.settings.getfloat("SENGU_PATIENCE")
        self.concurrent: int = crawler.settings.getint("CONCURRENT_REQUESTS_PER_DOMAIN")

    async def download_request(self, request: Request) -> Response:
        host = urlsplit(request.url).hostname or ""
        async with self.hosts.turns.setdefault(host, asyncio.Semaphore(self.concurrent)):
            await self._turn(host)
            response = await super().download_request(request)
            if response.status in ASKS_TO_WAIT and (seconds := _retry_after(response)):
                logger.info("%s asks to wait %.0f s before the next request", host, seconds)
                self.hosts.until[host] = max(self.hosts.until.get(host, 0.0), time.monotonic() + seconds)
            return response

    async def _turn(self, host: str) -> None:
        """Waits until the host may be asked, and notes the time of that request."""
        while True:
            now = time.monotonic()
            wait = self.hosts.until.get(host, now) - now
            if wait > self.patience:
                raise IgnoreRequest(_impatient(f"the host asked to be left alone for {wait:.0f} s (Retry-After)", self.patience))
            wait = max(wait, self.hosts.asked.get(host, -math.inf) + self.hosts.pauses.get(host, 0.0) - now)
            if wait <= 0:
                self.hosts.asked[host] = now
                return
            await asyncio.sleep(wait)


class Courtesy:
    """Refuses pages above the site's number, private addresses, and media whose owner opted out of machine learning.

    A middleware between the cache and the network: it never sees what the cache answers.
    """

    def __init__(self, crawler: Any):
        self.crawler = crawler
        self.max_pages: int = crawler.settings.getint("SENGU_MAX_PAGES")
        self.private: bool = crawler.settings.getbool("SENGU_PRIVATE")
        self.honour: bool = crawler.settings.getbool("SENGU_OPT_OUTS")
        self.pages: set[str] = set()

    @classmethod
    def from_crawler(cls, crawler: Any) -> "Courtesy":
        return cls(crawler)

    def process_request(self, request: Request) -> None:
        host = urlsplit(request.url).hostname or ""
        if not self.private and is_private_name(host):
            raise IgnoreRequest(private(host))
        if request.meta.get(STEPS, MEDIA) != MEDIA:
            if len(self.pages) >= self.max_pages and request.url not in self.pages:
                self.crawler.stats.inc_value("sengu/pages_beyond_limit")
                raise IgnoreRequest(f"beyond the limit of {self.max_pages} pages (max_pages)")
            self.pages.add(request.url)

    def process_response(self, request: Request, response: Response) -> Response:
        if self.honour and request.meta.get(STEPS) == MEDIA and (reason := opted_out(response)):
            raise IgnoreRequest(f"opted out: {reason}")
        return response

    def process_exception(self, request: Request, exception: Exception) -> None:
        host = urlsplit(request.url).hostname or ""
        if host in hosts_of(self.crawler).refused:
            raise IgnoreRequest(private(host)) from exception


class Robots(RobotsTxtMiddleware):
    """Scrapy's middleware with three corrections.

    If several requests wait for the same robots.txt, Scrapy 2.19 applies it only to the first; the others go ahead. A
    robots.txt that cannot be fetched forbids everything (RFC 9309, 2.3.1.4). And Crawl-delay is kept: it is not part of that
    RFC, but many sites state it.
    """

    def __init__(self, crawler: Any):
        super().__init__(crawler)
        self.hosts = hosts_of(crawler)
        self.patience: float = crawler.settings.getfloat("SENGU_PATIENCE")
        self.unreachable: dict[str, str] = {}  # by host and port: why

    async def robot_parser(self, request: Request) -> Any:
        waited_for: Any = self._parsers.get(urlsplit(request.url).netloc)
        if not isinstance(waited_for, Deferred):
            return await super().robot_parser(request)
        answer: Deferred[Any] = Deferred()

        def tell(parser: Any) -> Any:
            answer.callback(parser)
            return parser

        waited_for.addCallback(tell)
        return await maybe_deferred_to_future(answer)

    def process_request_2(self, rp: Any, request: Request) -> None:
        reason = self.unreachable.get(urlsplit(request.url).netloc)
        if reason is not None:
            raise IgnoreRequest(f"robots.txt cannot be fetched: {reason}")
        super().process_request_2(rp, request)
        pause = (rp.crawl_delay(self._default_useragent) if rp is not None else None) or 0.0
        if pause > self.patience:
            asked = f"robots.txt asks for {pause:.0f} s from one request to the next (Crawl-delay)"
            raise IgnoreRequest(_impatient(asked, self.patience))
        host = urlsplit(request.url).hostname or ""
        self.hosts.pauses[host] = max(pause, self.hosts.pauses.get(host, 0.0))

    async def _parse_robots(self, response: Response, netloc: str, request: Request) -> None:
        if response.status >= 500 or response.status == 429:
            self.unreachable[netloc] = f"status {response.status}"
        await super()._parse_robots(response, netloc, request)

    def _robots_error(self, exc: Exception, netloc: str) -> None:
        self.unreachable[netloc] = " ".join(str(exc).split()) or type(exc).__name__
        super()._robots_error(exc, netloc)


class Resolver(CachingThreadedResolver):
    """Scrapy's resolver, which asks the system for IPv4 addresses only, but accepts a literal IPv6 address."""

    def getHostByName(self, name: str, timeout: Any = ()) -> "Deferred[str]":
        return succeed(name) if isIPv6Address(name) else super().getHostByName(name, timeout)


class PublicResolver(Resolver):
    """A resolver that refuses addresses of private networks, unless the site is in one, or the name is the proxy's."""

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self.exempt = {urlsplit(proxy).hostname for proxy in getproxies().values()}
        self.refused: set[str] = set()

    @classmethod
    def from_crawler(cls, crawler: Any, reactor: Any) -> "PublicResolver":
        resolver: PublicResolver = super().from_crawler(crawler, reactor)
        resolver.refused = hosts_of(crawler).refused
        return resolver

    def getHostByName(self, name: str, timeout: Any = ()) -> "Deferred[str]":
        return super().getHostByName(name, timeout).addCallback(self._checked, name)

    def _checked(self, address: str, name: str) -> str:
        if is_private(address) and name not in self.exempt:
            self.refused.add(name)
            raise DNSLookupError(private(name))
        return address


def _impatient(asked: str, patience: float) -> str:
    return f"{asked}, more than fetch.patience ({patience:.0f} s)"


def private(host: str) -> str:
    return f"{host} is an address of a private network, and the site is public (fetch.private)"


def is_private_name(host: str) -> bool:
    """True if the host of a URL is private as it is written. Names are left to the resolver."""
    return host == "localhost" or host.endswith(".localhost") or is_private(host)


def is_private(address: str) -> bool:
    """True for an address that is not on the public internet (IANA's special-purpose registries)."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return not (mapped or ip).is_global


def _retry_after(response: Response) -> float:
    """Seconds that a response asks to wait; the header holds a number or a date (RFC 9110), or nonsense."""
    text = (response.headers.get("Retry-After") or b"").decode("latin-1").strip()
    try:
        return float(text) if text.isdigit() else max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def local(hosts: Iterable[str]) -> bool:
    """True if all of these hosts, as written, belong to this machine or to a private network."""
    return all(is_private_name(host) for host in hosts)
