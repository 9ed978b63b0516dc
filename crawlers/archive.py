"""Scrapy's HTTP cache, kept as WARC: one storage and one policy for crawls, incremental recrawls and offline replays."""

import logging
import subprocess
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from scrapy import Request, Spider
from scrapy.http import Headers, Response
from scrapy.responsetypes import responsetypes
from scrapy.settings import BaseSettings
from scrapy.utils.defer import deferred_from_coro
from w3lib.url import canonicalize_url

from sengu import warc

logger = logging.getLogger(__name__)

MEDIA = ("image/", "video/")
PURPOSE = "pictures for training an image classifier, kept so that it can be rebuilt from them"


class ArchivePolicy:
    """Stores every response; revalidates pages by conditional GET; never asks again for media archived with 200."""

    def __init__(self, settings: BaseSettings):
        self.offline = settings.getbool("HTTPCACHE_IGNORE_MISSING")

    def should_cache_request(self, request: Request) -> bool:
        return request.method == "GET"

    def should_cache_response(self, response: Response, request: Request) -> bool:
        return True

    def is_cached_response_fresh(self, cachedresponse: Response, request: Request) -> bool:
        if self.offline:
            return True
        if request.url.startswith("file:"):
            return bool(cachedresponse.headers.get("File-Modified") == request.headers.get("File-Modified"))
        if cachedresponse.status == 200 and is_media(cachedresponse.headers):
            return True
        for validator, condition in (("Last-Modified", "If-Modified-Since"), ("ETag", "If-None-Match")):
            if validator in cachedresponse.headers:
                request.headers[condition] = cachedresponse.headers[validator]
        return False

    def is_cached_response_valid(self, cachedresponse: Response, response: Response, request: Request) -> bool:
        return response.status == 304


class WarcStorage:
    """The archive of one site, as Scrapy's HTTP cache reads and writes it; keyed by canonical URL."""

    def __init__(self, settings: BaseSettings):
        self.settings = settings
        self.site: str = settings["SENGU_SITE"]
        self.folder = Path(settings["SENGU_ARCHIVE"])
        self.offline = settings.getbool("HTTPCACHE_IGNORE_MISSING")
        self.reproducible = settings.getbool("SENGU_REPRODUCIBLE")
        self.captures: dict[str, warc.Entry] = {}
        self.writer: warc.Writer | None = None

    def open_spider(self, spider: Spider) -> None:
        if not self.offline:
            self.writer = warc.Writer(self.folder, self.site, self._info(), compress=not self.reproducible)
        left_open = [self.writer.path] if self.writer and self.writer.path else []
        self.captures = warc.gather([*warc.files(self.folder, self.site), *left_open])

    def close_spider(self, spider: Spider) -> None:
        if self.writer is not None:
            self.writer.close()

    def retrieve_response(self, spider: Spider, request: Request) -> Response | None:
        entry = self.captures.get(canonicalize_url(request.url))
        if entry is None:
            return None
        is_file = entry.url.startswith("file:")
        headers = Headers()
        for name, value in entry.headers:
            headers.appendlist(name, value.encode("utf-8" if is_file else "latin-1"))  # as sengu.warc read them
        # neither a crawl nor a replay looks into a picture; reading them all would cost what the replay is to save
        body = b"" if is_file or is_media(headers) else warc.body(entry)
        kind = responsetypes.from_args(headers=headers, url=entry.url, body=body)
        return kind(url=request.url, headers=headers, status=entry.status, body=body)

    def store_response(self, spider: Spider, request: Request, response: Response) -> None:
        if "cached" in response.flags:  # a page that the server says is unchanged
            return
        key, url, date = canonicalize_url(request.url), warc.archived_url(request.url), self._date(response)
        known = self.captures.get(key)
        location = (response.headers.get("Location") or b"").decode("latin-1")
        unchanged = known is not None and (known.status, known.header("Location")) == (response.status, location)
        if known is not None and unchanged and warc.body(known) == response.body:
            return
        try:
            self.captures[key] = self._append(url, date, response)
        except OSError as error:
            # nothing that comes now can be kept; the server need not be asked for it
            engine = spider.crawler.engine
            assert engine is not None
            deferred_from_coro(engine.close_spider_async(reason=f"the archive cannot be written: {error}"))
            raise

    def _append(self, url: str, date: str, response: Response) -> warc.Entry:
        assert self.writer is not None
        if url.startswith("file:"):
            headers = {name.decode(): values[0].decode() for name, values in response.headers.items() if name != b"Date"}
            return self.writer.resource(url, date, headers, response.body)
        received = [(name, value) for name, values in response.headers.items() for value in values]
        deflate = not is_media(response.headers)
        return self.writer.response(url, date, response.status, received, response.body, deflate)

    def _date(self, response: Response) -> str:
        # a reproducible site states its own time, so that regenerating its archive gives the same bytes
        now = parsedate_to_datetime((response.headers["Date"] or b"").decode()) if self.reproducible else datetime.now(UTC)
        return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _info(self) -> dict[str, str]:
        info = {"software": "Sengu", "format": "WARC File Format 1.1", "description": f"site {self.site}: {PURPOSE}"}
        info["operator"] = self.settings.get("USER_AGENT")
        info["robots"] = "obeyed" if self.settings.getbool("ROBOTSTXT_OBEY") else "not applicable"
        if not self.reproducible:  # where and at which commit differ between clones
            info["isPartOf"] = _git("config", "--get", "remote.origin.url")
            info["commit"] = _git("rev-parse", "HEAD")
        return {key: value for key, value in info.items() if value}


def is_media(headers: Headers) -> bool:
    content_type = headers.get("Content-Type") or b""
    return content_type.decode("latin-1").strip().lower().startswith(MEDIA)


def _git(*arguments: str) -> str:
    """What git answers, or nothing outside a repository."""
    answer = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return answer.stdout.strip()
