"""Pages that describe their pictures in JSON-LD (schema.org ImageObject): the full-size file and its keywords.

An example of a special site: `spider: json_ld` in params.yaml names it, and its test reads a saved page offline.
"""

import json
from collections.abc import Iterator
from typing import Any

from scrapy.http import HtmlResponse

from crawlers.spiders.generic import GenericSpider


class JsonLdSpider(GenericSpider):
    """Takes `contentUrl` of every ImageObject, and its `keywords` as tags; the thumbnails in the page are left alone."""

    name = "json_ld"

    def media(self, response: HtmlResponse) -> Iterator[str]:
        for item in _objects(response):
            address = item.get("contentUrl") or item.get("url")
            if item.get("@type") == "ImageObject" and isinstance(address, str):
                yield address

    def tags(self, response: HtmlResponse) -> Iterator[str]:
        yield from super().tags(response)
        for item in _objects(response):
            keywords = item.get("keywords", [])
            for text in [keywords] if isinstance(keywords, str) else keywords:
                yield from str(text).split(",")


def _objects(response: HtmlResponse) -> Iterator[dict[str, Any]]:
    """Every JSON object in the JSON-LD of a page, however deep."""
    for text in response.css("script[type='application/ld+json']::text").getall():
        try:
            waiting = [json.loads(text)]
        except ValueError:  # one broken block must not cost the others
            continue
        while waiting:
            value = waiting.pop()
            if isinstance(value, dict):
                yield value
            waiting += list(value.values()) if isinstance(value, dict) else value[::-1] if isinstance(value, list) else []
