"""Scrapy's HTTP cache, kept as WARC: one storage and one policy for crawls, incremental recrawls and offline replays."""

from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from scrapy import Request, Spider
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.httpcache import HttpCacheMiddleware
from scrapy.http import Headers, Response
from scrapy.responsetypes import responsetypes
from scrapy.settings import BaseSettings
from scrapy.utils.defer import deferred_from_coro

from crawlers.spiders import AGE, MEDIA, PAGE
from sengu import warc
from sengu.base.ids import url_id
from sengu.base.urls import archived_url, canonical_url
from sengu.repository import git

CONDITIONS = {"Last-Modified": "If-Modified-Since", "ETag": "If-None-Match"}
# what may be a page; all else is media, also what S3 calls binary/octet-stream
PAGE_TYPES = (
    "text/",
    "application/xhtml",
    "application/xml",
    "application/json",
    "application/ld+json",
    "application/javascript",
)
THIS_CRAWL = "this crawl"  # flag of an answer that this crawl itself archived, before it was killed
PURPOSE = "pictures for training an image classifier, kept so that it can be rebuilt from them"


class ArchivePolicy:
    """Stores every response; revalidates pages by conditional GET; never asks again for media archived with 200."""

    def __init__(self, settings: BaseSettings):
        self.offline = settings.getbool("HTTPCACHE_IGNORE_MISSING")

    def should_cache_request(self, request: Request) -> bool:
        return request.method == "GET"

    def should_cache_response(self, response: Response, request: Request) -> bool:
        return bool(response.status != 304)  # which says nothing of its own

    def is_cached_response_fresh(self, cachedresponse: Response, request: Request) -> bool:
        if self.offline:
            return True
        if is_file(request.url):
            return all(cachedresponse.headers.get(name) == request.headers.get(name) for name in ("File-Modified", "File-Device"))
        if (cachedresponse.status == 200 and is_media(cachedresponse.headers)) or THIS_CRAWL in cachedresponse.flags:
            return True
        for validator, condition in CONDITIONS.items():
            if validator in cachedresponse.headers:
                request.headers[condition] = cachedresponse.headers[validator]
        return False

    def is_cached_response_valid(self, cachedresponse: Response, response: Response, request: Request) -> bool:
        return response.status == 304


class ArchiveCache(HttpCacheMiddleware):
    """Scrapy's, but a page that cannot be fetched now is a failure: the answer of an earlier crawl does not stand in for it."""

    def process_request(self, request: Request, spider: Spider | None = None) -> Request | Response | None:
        for condition in CONDITIONS.values():  # of another URL, from which this one was redirected
            request.headers.pop(condition, None)
        found: Request | Response | None = super().process_request(request)
        return found

    def process_exception(self, request: Request, exception: Exception, spider: Spider | None = None) -> None:
        request.meta.pop("cached_response", None)


class Fingerprints:
    """Requests of the same canonical URL are one request."""

    def __init__(self, crawler: Crawler):
        self.tracking: list[str] = crawler.settings.getlist("SENGU_TRACKING")

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> "Fingerprints":
        return cls(crawler)

    def fingerprint(self, request: Request) -> bytes:
        return bytes.fromhex(url_id(canonical_url(request.url, self.tracking)))


class WarcStorage:
    """The archive of one site, as Scrapy's HTTP cache reads and writes it; keyed by canonical URL."""

    def __init__(self, settings: BaseSettings):
        self.settings = settings
        self.site: str = settings["SENGU_SITE"]
        self.folder = Path(settings["SENGU_ARCHIVE"])
        self.offline = settings.getbool("HTTPCACHE_IGNORE_MISSING")
        self.reproducible = settings.getbool("SENGU_REPRODUCIBLE")
        self.archive = warc.Archive()
        self.of_this_crawl: set[Path] = set()
        self.erased: frozenset[str] = settings.get("SENGU_ERASED") or frozenset()
        self.writer: warc.Writer | None = None

    def open_spider(self, spider: Any) -> None:
        if self.offline:  # the stage has read it, and a big one takes its time
            assert spider.archive is not None
            self.archive = spider.archive
            return
        roll_over = int(self.settings.getfloat("SENGU_ROLL_OVER") * 1e6)
        robots = "obeyed" if self.settings.getbool("ROBOTSTXT_OBEY") else "not applicable"
        fields = description(self.site, self.settings["USER_AGENT"], robots, self.reproducible)
        self.writer = warc.Writer(self.folder, self.site, fields, not self.reproducible, roll_over)
        left_open = self.writer.of_this_crawl()
        self.of_this_crawl = set(left_open)
        self.archive = warc.gather(warc.files(self.folder, self.site) + left_open[-1:], self.settings.getlist("SENGU_TRACKING"))

    def close_spider(self, spider: Spider) -> None:
        if self.writer is not None:
            self.writer.close()

    def retrieve_response(self, spider: Spider, request: Request) -> Response | None:
        versions = self.archive.versions(request.url) if request.meta.get(AGE) else [self.archive.find(request.url)]
        entry = versions[request.meta.get(AGE, 0)]
        if entry is None:
            return None
        pairs, body = entry.headers, b""
        # neither a crawl nor a replay looks into a picture; reading them all would cost what the replay is to save
        if not is_file(entry.url) and not is_media(_headers(entry, pairs)):
            pairs, body = warc.headers_and_body(entry)
        headers = _headers(entry, pairs)
        kind = responsetypes.from_args(headers=headers, url=entry.url, body=body)
        flags = [THIS_CRAWL] if entry.file in self.of_this_crawl and entry.status < 400 else []
        return kind(url=request.url, headers=headers, status=entry.status, body=body, flags=flags)

    def store_response(self, spider: Any, request: Request, response: Response) -> None:
        if "cached" in response.flags:  # a page that the server says is unchanged
            return
        url, date = archived_url(request.url), self._date(response)
        known = self.archive.find(url)
        location = (response.headers.get("Location") or b"").decode("latin-1")
        device = (response.headers.get("File-Device") or b"").decode()
        seen = (response.status, location, device)
        unchanged = known is not None and (known.status, known.header("Location"), known.header("File-Device")) == seen
        if known is not None and unchanged and warc.body(known) == response.body:
            return
        encoding = (response.headers.get("Content-Encoding") or b"").decode("latin-1")
        if self.erased and warc.payload_sha1(response.body, encoding) in self.erased:
            spider.note(response.url, request.meta.get(PAGE, ""), MEDIA, "erased for good (tombstones.csv)")
            return
        try:
            self.archive.add(self._append(url, date, response))
        except OSError as error:
            # nothing that comes now can be kept; the server need not be asked for it
            engine = spider.crawler.engine
            assert engine is not None
            deferred_from_coro(engine.close_spider_async(reason=f"the archive cannot be written: {error}"))
            raise

    def _append(self, url: str, date: str, response: Response) -> warc.Entry:
        assert self.writer is not None
        if is_file(url):
            headers = {name.decode(): values[0].decode() for name, values in response.headers.items() if name != b"Date"}
            return self.writer.resource(url, date, headers, response.body)
        received = [(name, value) for name, values in response.headers.items() for value in values]
        deflate = not is_media(response.headers)
        return self.writer.response(url, date, response.status, received, response.body, deflate)

    def _date(self, response: Response) -> str:
        # a reproducible site states its own time, so that regenerating its archive gives the same bytes
        now = parsedate_to_datetime((response.headers["Date"] or b"").decode()) if self.reproducible else datetime.now(UTC)
        return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def description(site: str, operator: str = "", robots: str = "not applicable", reproducible: bool = False) -> dict[str, str]:
    """The fields of a warcinfo record, by which an orphaned file still explains itself."""
    fields = {"software": "Sengu", "format": "WARC File Format 1.1", "description": f"site {site}: {PURPOSE}"}
    fields |= {"operator": operator, "robots": robots}
    if not reproducible:  # where and at which commit differ between clones
        fields |= {"isPartOf": git.ask("config", "--get", "remote.origin.url"), "commit": git.ask("rev-parse", "HEAD")}
    return {key: value for key, value in fields.items() if value}


def is_file(url: str) -> bool:
    """Of a folder or bucket, where every file has a modification time."""
    return url.startswith(("file:", "s3:"))


def is_media(headers: Headers) -> bool:
    return is_media_type((headers.get("Content-Type") or b"").decode("latin-1"))


def is_media_type(content_type: str) -> bool:
    """Is it the Content-Type of a picture, a video or another file? An answer without one may be a page."""
    kind = content_type.strip().lower()
    return bool(kind) and not kind.startswith(PAGE_TYPES)


def _headers(entry: warc.Entry, pairs: Iterable[tuple[str, str]]) -> Headers:
    headers = Headers()
    for name, value in pairs:
        headers.appendlist(name, value.encode("utf-8" if is_file(entry.url) else "latin-1", "replace"))  # as sengu.warc read them
    return headers
