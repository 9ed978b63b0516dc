"""Two small made-up sites for the demo and the tests: drawn deterministically, served over HTTP by the crawl itself."""

from crawlers.demo.server import served

__all__ = ["served"]
