"""Pages of a web site -> links to follow and media to take; the spider of every site that needs no special one."""

import logging
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from scrapy import Request, Spider
from scrapy.exceptions import DownloadCancelledError, IgnoreRequest
from scrapy.http import HtmlResponse, Response
from scrapy.linkextractors import IGNORED_EXTENSIONS
from scrapy.spidermiddlewares.httperror import HttpError

from crawlers.media import EXTENSIONS, extension, linked, refreshed, shown_addresses
from crawlers.optouts import opted_out
from crawlers.pages import Page, is_cookie_wall
from crawlers.redirects import REFERER, circle
from crawlers.spiders import AGE, MEDIA, PAGE, STEPS, UNREAD, Found, FoundOnPage
from sengu.base.params import GenericFetch, Read, WarcFetch
from sengu.base.tables import Failed
from sengu.base.texts import nfc
from sengu.base.urls import archived_url, without_user
from sengu.warc import Archive, is_whole

WEB = ("http", "https")
SHORT = 200  # characters of a broken address, in the table of failures
EMBEDDED = 1000  # pictures embedded in pages that are listed; some sites have one for every picture
EMBEDDED_HERE, WITH_USER = "stands in the page itself", "holds a user name or password"  # reasons that no other request mends
NOT_LISTED = "data:,more"  # the address under which the others are listed

logger = logging.getLogger("crawl")


class GenericSpider(Spider):
    """Follows links within the site's domains. A crawl requests the media it finds; a replay reports them as `Found`.

    A special site needs a class of its own that overrides `links`, `media` or `tags`, in a module of crawlers/spiders.
    """

    name = "generic"

    def __init__(
        self,
        fetch: GenericFetch | WarcFetch,
        read: Read,
        again: Sequence[Failed] = (),
        replayed: Iterable[tuple[str, int]] | None = None,
        archive: Archive | None = None,
        **kwargs: Any,
    ):
        """`again` is what the crawl before could not fetch. A replay has an `archive`, and its pages `replayed`: URL and age."""
        super().__init__(**kwargs)
        self.fetch, self.read, self.again, self.replayed, self.archive = fetch, read, again, replayed, archive
        self.start_urls: list[str] = []
        self.domains: list[str] = []
        if isinstance(fetch, GenericFetch):
            self.start_urls = fetch.start
            self.domains = fetch.domains or [urlsplit(url).hostname or "" for url in fetch.start]
        self.failures: dict[str, Failed] = {}
        self.nothing = "no page shows any"
        self.pages = self.media_count = self.embedded = 0
        self.asked: set[bytes] = set()  # fingerprints of what was requested
        self.waiting: dict[bytes, Failed] = {}  # those without an answer yet: whatever happens to them, none is lost silently
        self.failed_at: dict[bytes, str] = {}  # fingerprint -> URL in the table of failures
        self.led: list[tuple[Failed, Request]] = []  # what was redirected to a URL that had been asked for, and to which

    # what a special site may override

    def links(self, response: HtmlResponse) -> Iterator[str]:
        """Addresses of the pages that this page leads to, absolute."""
        for address in linked(response):
            if extension(address) not in IGNORED_EXTENSIONS:
                try:
                    yield response.urljoin(address.strip())
                except ValueError:  # media() has the address too, if it is one of a picture
                    continue

    def media(self, response: HtmlResponse) -> Iterator[str]:
        """Addresses of the pictures and videos of a page, as written on it."""
        yield from shown_addresses(response, self.fetch.srcset)
        for address in linked(response):
            if extension(address) in EXTENSIONS:
                yield address

    def tags(self, response: HtmlResponse) -> Iterator[str]:
        """Tags of a page; the generic ones are the texts that the CSS selector `read.tags` finds."""
        if self.read.tags:
            # keywords come as one comma-separated text, links one by one
            yield from (tag for text in response.css(self.read.tags).getall() for tag in text.split(","))

    # what holds for every site

    async def start(self) -> AsyncIterator[Any]:
        if self.replayed is not None:
            for url, age in self.replayed:
                yield Request(url, dont_filter=True, meta={STEPS: 0, AGE: age})
            return
        for url in self.start_urls:
            yield self._request(url, "", 0)
        for row in self.again:
            try:
                # a broken address is listed again by the page that shows it
                if urlsplit(row.url).scheme in WEB and row.reason not in (EMBEDDED_HERE, WITH_USER):
                    yield self._request(row.url, row.page, row.steps, row.page)
            except ValueError:
                continue

    def parse(self, response: Response, **kwargs: Any) -> list[Any]:
        # a list, not a generator: what one page yields is queued in one piece, so the order of requests is always the same
        request = response.request
        assert request is not None
        self._settle(request)
        if self.replayed is not None:
            reason = next((flag.removeprefix(UNREAD) for flag in response.flags if flag.startswith(UNREAD)), "")
            if reason:
                self._broken(response, "the page", reason)
            media = self._found(Page.of(response)) if isinstance(response, HtmlResponse) else self._unread(response)
            return [FoundOnPage(media)] if media else []
        if not is_answer(response):
            self.fail(request, f"status {response.status}, {'a part of the whole' if response.status == 206 else 'no content'}")
            return []
        if response.meta[STEPS] == MEDIA:
            self.media_count += 1
            return []
        if not isinstance(response, HtmlResponse):
            return []
        if not self.within(response.url):
            wall = " (perhaps a cookie wall)" if re.search("cookie|consent", response.url, re.IGNORECASE) else ""
            self.fail(request, f"redirected to {without_user(response.url)}, which is outside the site's domains{wall}")
            return []
        return self._crawled(Page.of(response))

    def _crawled(self, response: HtmlResponse) -> list[Request]:
        """Requests for what a page shows, and for the pages to which it leads."""
        self.pages += 1
        page = self.identity(response)
        reason = opted_out(response) if self.fetch.opt_outs == "honour" else ""
        if reason:
            self.note(response.url, page, response.meta[STEPS], f"page opted out: {reason}")
        addresses = [] if reason else self._safely(response, self.media)
        urls = dict.fromkeys(self._absolute(response, addresses, self.fetch.take, listed=True))
        # first the media of a page, then the next page: an interrupted crawl has whole pages, and the queue stays short
        taken = [self._request(url, page, MEDIA, response.url) for url in urls]
        onward = dict.fromkeys(self._absolute(response, self._safely(response, refreshed), []))
        moved = [self._request(url, page, response.meta[STEPS]) for url in onward if self.within(url)]
        followed = [self._request(url, page, response.meta[STEPS] + 1) for url in self._followed(response)]
        if not taken and not followed and not reason and is_cookie_wall(response):
            self.note(response.url, page, response.meta[STEPS], "a cookie wall: the page shows nothing without a cookie")
        return [*taken, *moved, *followed]

    def _found(self, response: HtmlResponse) -> list[Found]:
        """The media that an archived page shows, and the page itself if it cannot be read."""
        page = self.identity(response)
        reason = opted_out(response) if self.fetch.opt_outs == "honour" else ""
        addresses = [] if reason else self._safely(response, self.media)
        urls = dict.fromkeys(self._absolute(response, addresses, self.fetch.take, listed=True))
        tags = {nfc(" ".join(tag.replace("|", " ").split())) for tag in self._safely(response, self.tags)} - {""}
        items = [Found(url, page, tuple(sorted(tags)), response.meta[AGE]) for url in urls]
        return items + self._unread(response)

    def _unread(self, response: Response) -> list[Found]:
        is_unread = any(failure.steps != MEDIA and failure.url == response.url for failure in self.failures.values())
        return [Found(response.url, response.url, (), response.meta[AGE])] if is_unread else []

    def _safely(self, response: HtmlResponse, read: Callable[[HtmlResponse], Iterable[str]]) -> list[str]:
        """The addresses that a function reads from a page. If it fails, the page is listed, and what was read before counts."""
        texts: list[str] = []
        try:
            for text in read(response):
                texts.append(text)  # one by one: addresses before an error count
        except Exception as error:  # noqa: BLE001 (a page that no code foresaw must not cost the site)
            self._broken(response, read.__name__, f"{type(error).__name__}: {error}")
        return texts

    def _broken(self, response: Response, what: str, reason: str) -> None:
        steps = response.meta.get(STEPS, 0)
        self.note(response.url, response.url, steps, f"{what} cannot be read: {reason}")
        logger.warning("%s: %s cannot be read: %s", response.url, what, reason)

    def within(self, url: str) -> bool:
        """True if the host is one of the site's domains, or below one, without the port. Foreign archives have no limit."""
        host = urlsplit(url).hostname or ""
        return not self.domains or any(host == domain or host.endswith(f".{domain}") for domain in self.domains)

    def identity(self, response: HtmlResponse) -> str:
        """The canonical address that the page states (RFC 6596), if it is one of the site's; else its own."""
        for href in response.css("link[rel~=canonical]::attr(href)").getall()[:1]:
            try:
                url = archived_url(response.urljoin(href.strip()), response.encoding)
                if urlsplit(url).scheme in WEB and self.within(url):
                    return url
            except ValueError:  # a broken address names no page
                break
        return archived_url(response.url)

    def failed(self, failure: Any) -> None:
        """Lists a request that gave no usable answer; the next crawl asks again."""
        error = failure.value
        if isinstance(error, HttpError):
            reason = f"status {error.response.status}"
        elif isinstance(error, DownloadCancelledError):
            reason = "larger than max_size"
        elif isinstance(error, IgnoreRequest):
            reason = str(error)
        else:
            reason = f"{failure.type.__name__}: {failure.getErrorMessage()}".rstrip(": ")
        self.fail(failure.request, reason)

    def fail(self, request: Any, reason: str) -> None:
        url = request.meta.get("redirect_urls", [request.url])[0]
        self.failed_at[self._settle(request)] = without_user(url)
        self.note(url, request.meta.get(PAGE, ""), request.meta.get(STEPS, MEDIA), reason)

    def note(self, url: str, page: str, steps: int, reason: str) -> None:
        url, page = without_user(url), without_user(page)
        self.failures.setdefault(url, Failed(url, page, steps, " ".join(reason.split())))

    def dropped(self, request: Request) -> None:
        """Notes a request that the scheduler has seen before. If it was redirected there, nothing else would report it."""
        asked = request.meta.get("redirect_urls", [])
        if request.url in asked:
            self.fail(request, circle(request))
        elif asked:
            self._settle(request)
            self.led.append((Failed(asked[0], request.meta.get(PAGE, ""), request.meta.get(STEPS, MEDIA), ""), request))

    def closed(self, reason: str) -> None:
        """Lists requests without an answer when the crawl ends, and those redirected to a URL without one."""
        for failed in self.waiting.values():
            self.note(failed.url, failed.page, failed.steps, f"not asked for before the crawl ended ({reason})")
        for _ in self.led:  # a redirect may lead to another
            for failed, request in self.led:
                there = self.failed_at.get(self._fingerprint(request))
                if there is not None and failed.url not in self.failures:
                    self.note(failed.url, failed.page, failed.steps, f"redirected to {there}: {self.failures[there].reason}")
                    self.failed_at[self._fingerprint(request.replace(url=failed.url))] = failed.url

    def _settle(self, request: Request) -> bytes:
        """Notes that a request, or the one from which it was redirected, waits no longer. Returns the fingerprint of that."""
        fingerprint = self._fingerprint(request.replace(url=request.meta.get("redirect_urls", [request.url])[0]))
        self.waiting.pop(fingerprint, None)
        return fingerprint

    def _fingerprint(self, request: Request) -> bytes:
        fingerprinter = self.crawler.request_fingerprinter
        assert fingerprinter is not None
        return fingerprinter.fingerprint(request)

    def _request(self, url: str, page: str, steps: int, referer: str = "") -> Request:
        """A request for a page, or for a picture or video that the page at `referer` shows."""
        sends = isinstance(self.fetch, GenericFetch) and self.fetch.referer and steps == MEDIA and urlsplit(referer).scheme in WEB
        # not from an encrypted page to an unencrypted server, as in browsers
        if sends and not (referer.startswith("https:") and not url.startswith("https:")):
            headers = {REFERER: without_user(referer).partition("#")[0]}
        else:
            headers = {}
        meta = {STEPS: steps, PAGE: page}
        request = Request(url, errback=self.failed, priority=int(steps == MEDIA), meta=meta, headers=headers)
        fingerprint = self._fingerprint(request)
        if fingerprint not in self.asked:
            self.asked.add(fingerprint)
            self.waiting[fingerprint] = Failed(url, page, steps, "")
        return request

    def _followed(self, response: HtmlResponse) -> Iterator[str]:
        assert isinstance(self.fetch, GenericFetch)
        if response.meta[STEPS] < self.fetch.depth:
            followed = self._absolute(response, self._safely(response, self.links), self.fetch.follow)
            yield from (url for url in dict.fromkeys(followed) if self.within(url))

    def _absolute(
        self, response: HtmlResponse, addresses: Iterable[str], patterns: list[str], listed: bool = False
    ) -> Iterator[str]:
        """Addresses that can be requested and that match a pattern; the others count as failures if `listed`."""
        for text in filter(None, map(str.strip, addresses)):
            try:
                url = archived_url(response.urljoin(text), response.encoding)
                parts = urlsplit(url)
            except (ValueError, LookupError) as error:  # one broken address must not cost the rest of the page
                self.note(_short(text), response.url, MEDIA, f"not an address: {error}")
                continue
            if patterns and not any(re.search(pattern, url) for pattern in patterns):
                continue
            if parts.scheme in WEB and parts.hostname and "@" not in parts.netloc:
                yield url
            elif listed:
                self._left_out(url, parts.scheme, response.url)

    def _left_out(self, url: str, scheme: str, page: str) -> None:
        if scheme == "data":
            if _short(url) in self.failures:
                return
            self.embedded += 1
            if self.embedded > EMBEDDED:
                self.note(NOT_LISTED, page, MEDIA, f"more than {EMBEDDED} pictures stand in pages themselves")
                return
            reason = EMBEDDED_HERE
        elif scheme in WEB:
            reason = WITH_USER if "@" in urlsplit(url).netloc else "not an address: it names no host"
        else:
            reason = f"an address of {scheme}:, which is not asked for"
        self.note(_short(url) if scheme not in WEB else url, page, MEDIA, reason)


def is_answer(response: Response) -> bool:
    """True if an answer gives what was asked for. See `sengu.warc.Entry.is_good`."""
    if response.status != 206:
        return response.status in (200, 203)
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, values in response.headers.items() for value in values]
    return is_whole(response.status, pairs, response.body)


def _short(text: str) -> str:
    """A broken address, made printable, and shortened if it is long."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text[:SHORT])
    return printable if len(text) <= SHORT else f"{printable}… ({len(text)} characters)"
