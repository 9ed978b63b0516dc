"""Pages of a web site -> links to follow and media to take; the spider of every site that needs no special one."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

from scrapy import Request, Spider
from scrapy.http import HtmlResponse, Response
from scrapy.link import Link
from scrapy.linkextractors.lxmlhtml import LxmlLinkExtractor

from crawlers.spiders import Found
from sengu.params import GenericFetch, Read
from sengu.warc import archived_url

# how many links a page is away from the start; not Scrapy's own depth, which counts a picture as a step beyond its page
STEPS = "steps"
MEDIA_EXTENSIONS = ("jpg", "jpeg", "png", "gif", "webp", "avif", "bmp", "tif", "tiff", "svg", "mp4", "webm", "mov")


class GenericSpider(Spider):
    """Follows links within the site's domains. A crawl requests the media it finds; a replay reports them as `Found`."""

    name = "generic"

    def __init__(self, fetch: GenericFetch, read: Read, replay: bool, **kwargs: Any):
        super().__init__(**kwargs)
        self.fetch, self.read, self.replay = fetch, read, replay
        self.links = LxmlLinkExtractor()
        self.failures: list[str] = []
        self.pages = self.media = 0

    async def start(self) -> AsyncIterator[Any]:
        for url in self.fetch.start:
            yield Request(url, errback=self.failed, meta={STEPS: 0})

    def parse(self, response: Response, **kwargs: Any) -> list[Any]:
        # a list, not a generator: what one page yields is queued in one piece, so the order of requests is always the same
        if not isinstance(response, HtmlResponse) or response.status != 200:
            return []
        self.pages += 1
        tags = self._tags(response)
        media = dict.fromkeys(self._media(response))
        if self.replay:
            taken: list[Any] = [Found(url, archived_url(response.url), tags) for url in media]
        else:
            taken = [Request(url, callback=self.archived, errback=self.failed) for url in media]
        steps = response.meta[STEPS] + 1
        if steps > self.fetch.depth:
            return taken
        return taken + [Request(link.url, errback=self.failed, meta={STEPS: steps}) for link in self._links(response)]

    def archived(self, response: Response, **kwargs: Any) -> list[Any]:
        self.media += 1
        return []

    def failed(self, failure: Any) -> None:
        self.failures.append(f"{failure.request.url}: {failure.getErrorMessage() or failure.type.__name__}")

    def _tags(self, response: HtmlResponse) -> tuple[str, ...]:
        if not self.read.tags:
            return ()
        texts = response.css(self.read.tags).getall()
        # keywords come as one comma-separated text, links one by one; "|" joins tags in the table
        tags = (tag.replace("|", " ").strip() for text in texts for tag in text.split(","))
        return tuple(sorted({" ".join(tag.split()) for tag in tags} - {""}))

    def _links(self, response: HtmlResponse) -> Iterator[Link]:
        # by host name without the port, which the link extractor's own allow_domains takes for a part of the domain
        for link in self.links.extract_links(response):
            host = urlsplit(link.url).hostname or ""
            if any(host == domain or host.endswith(f".{domain}") for domain in self.fetch.domains):
                yield link

    def _media(self, response: HtmlResponse) -> Iterator[str]:
        shown = [(True, url) for url in response.css("img::attr(src)").getall()]
        linked = [(False, url) for url in response.css("a::attr(href)").getall()]
        for is_shown, text in shown + linked:
            try:
                url = archived_url(response.urljoin(text.strip()))
                parts = urlsplit(url)
            except ValueError as error:  # one broken address must not cost the rest of the page
                self.failures.append(f"{text!r} on {response.url}: {error}")
                continue
            if parts.scheme in ("http", "https") and (is_shown or parts.path.lower().rpartition(".")[2] in MEDIA_EXTENSIONS):
                yield url
