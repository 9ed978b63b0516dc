"""Pages of a web site -> links to follow and media to take; the spider of every site that needs no special one."""

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from scrapy import Request, Spider
from scrapy.exceptions import DownloadCancelledError, IgnoreRequest
from scrapy.http import HtmlResponse, Response
from scrapy.linkextractors.lxmlhtml import LxmlLinkExtractor
from scrapy.spidermiddlewares.httperror import HttpError

from crawlers.media import EXTENSIONS, linked, shown
from crawlers.optouts import opted_out
from crawlers.spiders import AGE, MEDIA, PAGE, STEPS, Found
from sengu.base.params import GenericFetch, Read, WarcFetch
from sengu.base.tables import Failed
from sengu.base.texts import nfc
from sengu.base.urls import archived_url
from sengu.warc import Archive

# lxml takes nothing behind them, browsers do (HTML Standard, "the 'after body' insertion mode")
ENDS = re.compile(rb"</(?:body|html)\s*>", re.IGNORECASE)


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
        self.extractor = LxmlLinkExtractor()
        self.failures: dict[str, Failed] = {}
        self.pages = self.media_count = 0

    # what a special site may override

    def links(self, response: HtmlResponse) -> Iterator[str]:
        """Addresses of the pages that this page leads to, absolute."""
        yield from (link.url for link in self.extractor.extract_links(response))

    def media(self, response: HtmlResponse) -> Iterator[str]:
        """Addresses of the pictures and videos of a page, as written there."""
        yield from shown(response, self.fetch.srcset)
        for address in linked(response):
            if address.partition("?")[0].partition("#")[0].lower().rpartition(".")[2].strip() in EXTENSIONS:
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
                yield self._request(row.url, row.page, row.steps)
            except ValueError:  # what is no address is listed again by the page that shows it
                continue

    def parse(self, response: Response, **kwargs: Any) -> list[Any]:
        # a list, not a generator: what one page yields is queued in one piece, so the order of requests is always the same
        if response.meta[STEPS] == MEDIA:
            self.media_count += 1
            return []
        if not isinstance(response, HtmlResponse) or response.status != 200:
            return []
        if not self.within(response.url):
            self.fail(response.request, f"redirected to {response.url}, which is outside the site's domains")
            return []
        self.pages += 1
        response = response.replace(body=ENDS.sub(b"", response.body))
        page = self.identity(response)
        reason = opted_out(response) if self.fetch.opt_outs == "honour" else ""
        if reason and self.replayed is None:
            self.note(response.url, page, response.meta[STEPS], f"page opted out: {reason}")
        found = {} if reason else dict.fromkeys(self._absolute(response, self.media(response), self.fetch.take))
        if self.replayed is not None:
            tags = {nfc(" ".join(tag.replace("|", " ").split())) for tag in self.tags(response)} - {""}
            return [Found(url, page, tuple(sorted(tags)), response.meta[AGE]) for url in found]
        # first the media of a page, then the next page: a crawl that is cut short has whole pages, and the queue stays short
        taken = [self._request(url, page, MEDIA) for url in found]
        return taken + [self._request(url, page, response.meta[STEPS] + 1) for url in self._followed(response)]

    def within(self, url: str) -> bool:
        """Is the host one of the site's domains, or below one? By name, without the port. Archives of others have no limit."""
        host = urlsplit(url).hostname or ""
        return not self.domains or any(host == domain or host.endswith(f".{domain}") for domain in self.domains)

    def identity(self, response: HtmlResponse) -> str:
        """The address by which the page wants to be known (RFC 6596), if it is one of the site's; else its own."""
        for href in response.css("link[rel~=canonical]::attr(href)").getall()[:1]:
            try:
                url = archived_url(response.urljoin(href.strip()), response.encoding)
                if urlsplit(url).scheme in ("http", "https") and self.within(url):
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
        self.note(url, request.meta.get(PAGE, ""), request.meta.get(STEPS, MEDIA), reason)

    def note(self, url: str, page: str, steps: int, reason: str) -> None:
        self.failures.setdefault(url, Failed(url, page, steps, " ".join(reason.split())))

    def _request(self, url: str, page: str, steps: int) -> Request:
        return Request(url, errback=self.failed, priority=int(steps == MEDIA), meta={STEPS: steps, PAGE: page})

    def _followed(self, response: HtmlResponse) -> Iterator[str]:
        assert isinstance(self.fetch, GenericFetch)
        if response.meta[STEPS] < self.fetch.depth:
            followed = self._absolute(response, self.links(response), self.fetch.follow)
            yield from (url for url in dict.fromkeys(followed) if self.within(url))

    def _absolute(self, response: HtmlResponse, addresses: Iterable[str], patterns: list[str]) -> Iterator[str]:
        for text in addresses:
            try:
                url = archived_url(response.urljoin(text.strip()), response.encoding)
                scheme = urlsplit(url).scheme
            except ValueError as error:  # one broken address must not cost the rest of the page
                self.note(text, response.url, MEDIA, f"not an address: {error}")
                continue
            wanted = not patterns or any(re.search(pattern, url) for pattern in patterns)
            if scheme in ("http", "https") and wanted:
                yield url
