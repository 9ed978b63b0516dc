"""Scrapy's HTTP cache, kept as WARC: one storage and one policy for crawls, incremental recrawls and offline replays."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from scrapy import Request, Spider
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.httpcache import HttpCacheMiddleware
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Headers, Response
from scrapy.responsetypes import responsetypes
from scrapy.settings import BaseSettings
from scrapy.utils.defer import deferred_from_coro

from crawlers.spiders import AGE, MEDIA, PAGE, UNREAD
from sengu import warc
from sengu.base.errors import SenguError
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
WHOLE = "whole"  # flag of an archived answer that gave what was asked for, all of it
PURPOSE = "pictures for training an image classifier, kept so that it can be rebuilt from them"
# loggers of exceptions after which Scrapy goes on: in a signal handler, in itself, and while the archive is read
SWALLOWS = ("scrapy.utils.signal", "scrapy.core.engine", "scrapy.downloadermiddlewares.httpcache")


@dataclass(frozen=True)
class OpenArchive:
    """The archive of a site while a crawl adds to it, and why that crawl is to end with an error."""

    writer: warc.Writer
    archive: warc.Archive
    of_this_crawl: frozenset[Path]  # files that a crawl wrote which was killed, and which this one continues
    errors: list[str] = field(default_factory=list)

    def __deepcopy__(self, memo: Any) -> "OpenArchive":
        return self  # Scrapy copies its settings, among which it is


class Swallowed(logging.Handler):
    """Keeps the exceptions that Scrapy only logs, such as one in a signal handler."""

    def __init__(self, errors: list[str]):
        super().__init__(logging.WARNING)
        self.errors = errors

    def emit(self, record: logging.LogRecord) -> None:
        reason = record.exc_info[1] if record.exc_info else None
        if isinstance(reason, SenguError):
            self.errors.append(str(reason))
        else:
            self.errors.append(f"{type(reason).__name__}: {reason}" if reason else record.getMessage())


@contextmanager
def opened(settings: Mapping[str, Any]) -> Iterator[OpenArchive]:
    """The archive that the settings of a crawl name.

    It is read before Scrapy starts, and closed after Scrapy has ended: Scrapy would log an exception in between,
    and go on with an empty archive.  Raises SenguError if the archive is damaged.
    """
    site, folder, reproducible = (
        settings["SENGU_SITE"],
        Path(settings["SENGU_ARCHIVE"]),
        settings.get("SENGU_REPRODUCIBLE", False),
    )
    robots = "obeyed" if settings["ROBOTSTXT_OBEY"] else "not applicable"
    fields = description(site, settings.get("USER_AGENT", ""), robots, reproducible)
    writer = warc.Writer(folder, site, fields, not reproducible, int(settings["SENGU_ROLL_OVER"] * 1e6))
    try:
        left_open = writer.of_this_crawl()
        archive = warc.gather(warc.files(folder, site) + left_open[-1:], settings["SENGU_TRACKING"])
        yield OpenArchive(writer, archive, frozenset(left_open))
    finally:
        writer.close()


@contextmanager
def noticing(errors: list[str]) -> Iterator[None]:
    """Adds what Scrapy swallows within to `errors`. A process takes handlers off its loggers, so make it before."""
    listener = Swallowed(errors)
    for name in SWALLOWS:
        logging.getLogger(name).addHandler(listener)
    try:
        yield
    finally:
        for name in SWALLOWS:
            logging.getLogger(name).removeHandler(listener)


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
        if (WHOLE in cachedresponse.flags and is_media(cachedresponse.headers)) or THIS_CRAWL in cachedresponse.flags:
            return True
        for validator, condition in CONDITIONS.items():
            if validator in cachedresponse.headers:
                request.headers[condition] = cachedresponse.headers[validator]
        return False

    def is_cached_response_valid(self, cachedresponse: Response, response: Response, request: Request) -> bool:
        return response.status == 304


class ArchiveCache(HttpCacheMiddleware):
    """Scrapy's, but a page that cannot be fetched now is a failure: the answer of an earlier crawl does not replace it."""

    def process_request(self, request: Request, spider: Spider | None = None) -> Request | Response | None:
        for condition in CONDITIONS.values():  # of another URL, from which this one was redirected
            request.headers.pop(condition, None)
        answer: Request | Response | None = super().process_request(request)
        if self.storage.is_broken():
            self.storage.end(spider or self.crawler.spider)
            raise IgnoreRequest("the crawl broke off")
        return answer

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
        self.of_this_crawl: frozenset[Path] = frozenset()
        self.erased: frozenset[str] = settings.get("SENGU_ERASED") or frozenset()
        self.writer: warc.Writer | None = None
        self.errors: list[str] = []
        if not self.offline:
            crawled: OpenArchive = settings["SENGU_OPEN_ARCHIVE"]
            self.archive, self.of_this_crawl, self.writer = crawled.archive, crawled.of_this_crawl, crawled.writer
            self.errors = crawled.errors

    def open_spider(self, spider: Any) -> None:
        if self.offline:  # the stage has read it, and a big one takes its time
            assert spider.archive is not None
            self.archive = spider.archive

    def close_spider(self, spider: Spider) -> None:
        """Does nothing; Scrapy calls it. See `opened`."""

    def is_broken(self) -> bool:
        """True if everything fetched from now on would be lost."""
        return bool(self.errors)

    def end(self, spider: Any) -> None:
        """Ends a crawl whose archive can no longer be read or written, so that the server is not asked for the rest."""
        engine = spider.crawler.engine
        assert engine is not None
        if engine.running:
            deferred_from_coro(engine.close_spider_async(reason="broken off"))

    def retrieve_response(self, spider: Spider, request: Request) -> Response | None:
        versions = self.archive.versions(request.url) if request.meta.get(AGE) else [self.archive.find(request.url)]
        entry = versions[request.meta.get(AGE, 0)]
        if entry is None:
            return None
        pairs, body = entry.headers, b""
        # neither a crawl nor a replay looks into a picture; reading them all would cost what a replay saves
        if not is_file(entry.url) and not is_media(_headers(entry, pairs)):
            pairs, body = warc.headers_and_body(entry)
        headers = _headers(entry, pairs)
        unread = []
        if body and "Content-Encoding" in headers:
            # Scrapy would stop at a body that was stored decoded, with its header left
            try:
                body = warc.decode(body, b",".join(headers.getlist("Content-Encoding")).decode("latin-1"))
            except warc.UnreadableCapture as reason:
                if not self.offline:
                    return None  # and is asked for again
                body, unread = b"", [f"{UNREAD}{reason}"]
            del headers["Content-Encoding"]
        kind = responsetypes.from_args(headers=headers, url=entry.url, body=body)
        flags = [THIS_CRAWL] if entry.file in self.of_this_crawl and entry.status < 400 else []
        flags += [WHOLE] * (entry.is_good and entry.whole) + unread
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
        with self._noting():
            if known is not None and unchanged and warc.body(known) == response.body:
                return
        if known is not None and known.is_good and self._leads_nowhere(url, response.status, location):
            return
        encoding = (response.headers.get("Content-Encoding") or b"").decode("latin-1")
        if self.erased and warc.payload_sha1(response.body, encoding) in self.erased:
            spider.note(response.url, request.meta.get(PAGE, ""), MEDIA, "erased for good (tombstones.csv)")
            return
        try:
            with self._noting("the archive cannot be written: "):
                self.archive.add(self._append(url, date, response))
        finally:
            if self.errors:
                self.end(spider)

    @contextmanager
    def _noting(self, what: str = "") -> Iterator[None]:
        """Records an error of the archive as one of the crawl. Scrapy would take it for one of the request, and go on."""
        try:
            yield
        except (OSError, SenguError) as error:
            self.errors.append(f"{what}{error}")
            raise

    def _leads_nowhere(self, url: str, status: int, location: str) -> bool:
        """True for a redirect to another spelling of the same URL, such as one with another session id at each visit."""
        redirect = warc.Entry(url, Path(), 0, "", status, (("Location", location),), "")
        return self.archive.leads_nowhere(redirect)

    def _append(self, url: str, date: str, response: Response) -> warc.Entry:
        assert self.writer is not None
        if is_file(url):
            headers = {name.decode(): values[0].decode() for name, values in response.headers.items() if name != b"Date"}
            return self.writer.resource(url, date, headers, response.body)
        received = [(name, value) for name, values in response.headers.items() for value in values]
        write = self.writer.response if is_media(response.headers) else self.writer.page
        return write(url, date, response.status, received, response.body)

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
    """True for a folder or bucket, where every file has a modification time."""
    return url.startswith(("file:", "s3:"))


def is_media(headers: Headers) -> bool:
    return is_media_type((headers.get("Content-Type") or b"").decode("latin-1"))


def is_media_type(content_type: str) -> bool:
    """True for the Content-Type of a picture, a video or another file. An answer without one may be a page."""
    kind = content_type.strip().lower()
    return bool(kind) and not kind.startswith(PAGE_TYPES)


def _headers(entry: warc.Entry, pairs: Iterable[tuple[str, str]]) -> Headers:
    headers = Headers()
    for name, value in pairs:
        headers.appendlist(name, value.encode("utf-8" if is_file(entry.url) else "latin-1", "replace"))  # as sengu.warc read them
    return headers
