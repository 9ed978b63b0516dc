"""A page as received -> a page as a browser reads it: its base, and the elements after its end."""

import re
from functools import cached_property
from urllib.parse import urljoin, urlsplit

from parsel import Selector
from scrapy.http import HtmlResponse

# lxml takes nothing behind them, browsers do (HTML Standard, "the 'after body' insertion mode")
ENDS = re.compile(rb"</(?:body|html)\s*+>", re.IGNORECASE)


class Page(HtmlResponse):
    """A page whose base element counts wherever it is, and does no harm if it is broken.

    Scrapy looks only at the first 4,096 characters, and reads nothing from a page whose base is not an address.
    """

    base: str

    @classmethod
    def of(cls, response: HtmlResponse) -> "Page":
        page: Page = response.replace(cls=cls, body=ENDS.sub(b"", response.body))
        page.base = page.url
        for href in page.css("base::attr(href)").getall()[:1]:
            try:
                base = urljoin(page.url, href.strip())
                parts = urlsplit(base)
                if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
                    page.base = base
            except ValueError:  # a broken base, or one with a port that is none, is none, as in browsers
                break
        return page

    @cached_property
    def selector(self) -> Selector:  # type: ignore[override] # Scrapy's own looks for the base, and fails at a broken one
        return Selector(text=self.text, type="html", base_url=self.url)

    def urljoin(self, url: str) -> str:
        return urljoin(self.base, url)


def is_cookie_wall(page: HtmlResponse) -> bool:
    """True if a page that shows nothing sets a cookie and loads again. A client that keeps no cookies sees no other page."""
    sets = "Set-Cookie" in page.headers or b"document.cookie" in page.body
    return sets and (b"location" in page.body or b"http-equiv" in page.body.lower())
