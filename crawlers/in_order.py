"""A crawl that keeps its order: everything that a page yields is queued in one piece, before the next request is chosen.

Scrapy hands on a page's requests by `CONCURRENT_ITEMS` tasks, which it starts anew for every answer. With few of them, the next
answer may come between two requests of a page; with enough for the longest page, they are two thirds of what a crawl costs.
"""

from collections.abc import AsyncIterator, Iterable
from typing import Any

from scrapy import Request, signals
from scrapy.core.scraper import Scraper
from scrapy.http import Response
from scrapy.utils.asyncgen import as_async_generator
from scrapy.utils.defer import aiter_errback, iter_errback
from twisted.python.failure import Failure


class OrderedScraper(Scraper):
    """Scrapy's scraper, with the output of a page handled one after another and without a pause."""

    async def handle_spider_output_async(
        self, result: Iterable[Any] | AsyncIterator[Any], request: Request, response: Response | Failure
    ) -> None:
        """Handles a page's output as Scrapy does, but lets nothing else run in between unless it has to wait."""
        if isinstance(result, AsyncIterator):
            guarded = aiter_errback(result, self.handle_spider_error, request, response)
        else:
            guarded = as_async_generator(iter_errback(result, self.handle_spider_error, request, response))
        async for item in guarded:
            await self._process_spidermw_output_async(item, response)


class InOrder:
    """A Scrapy extension that has the engine's scraper keep the order."""

    def __init__(self, crawler: Any):
        self.crawler = crawler
        crawler.signals.connect(self.engine_started, signals.engine_started)

    @classmethod
    def from_crawler(cls, crawler: Any) -> "InOrder":
        return cls(crawler)

    def engine_started(self) -> None:
        self.crawler.engine.scraper.__class__ = OrderedScraper
