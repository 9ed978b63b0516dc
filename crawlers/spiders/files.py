"""Files of a folder or a bucket -> resource records with their modification time and device."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from scrapy import Request, Spider
from scrapy.core.downloader.handlers.base import BaseDownloadHandler
from scrapy.http import Response
from scrapy.utils.asyncio import run_in_thread

from crawlers.spiders import MEDIA, PAGE, STEPS
from sengu.base.tables import Failed


@dataclass(frozen=True)
class File:
    """One file of a place, before it is read."""

    url: str
    modified: str  # ISO 8601 in UTC, to the second
    failure: str = ""  # the reason if it cannot even be listed


class Place(Protocol):
    """The place where the files of a site are."""

    nothing: str  # the message for a place without files

    def files(self) -> Iterator[File]:
        """Every file, in order of its path."""

    def read(self, url: str) -> tuple[bytes, str]:
        """The bytes of a file, and its modification time. Raises OSError if they cannot be read."""


class FilesSpider(Spider):
    """Requests every file of a place."""

    name = "files"

    def __init__(self, place: Place, device: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.place, self.device = place, device
        self.failures: dict[str, Failed] = {}
        self.pages = self.media_count = 0
        self.nothing = place.nothing

    async def start(self) -> AsyncIterator[Any]:
        for file in self.place.files():
            if file.failure:
                self.failures[file.url] = Failed(file.url, "", MEDIA, file.failure)
            else:
                # the cache asks by these headers whether the file has changed
                meta = {STEPS: MEDIA, PAGE: ""}
                headers = {"File-Modified": file.modified} | ({"File-Device": self.device} if self.device else {})
                yield Request(file.url, headers=headers, errback=self.failed, meta=meta)

    def parse(self, response: Response, **kwargs: Any) -> list[Any]:
        self.media_count += 1
        return []

    def failed(self, failure: Any) -> None:
        self.note(failure.request.url, "", MEDIA, f"{failure.type.__name__}: {failure.getErrorMessage()}")

    def dropped(self, request: Request) -> None:
        """Does nothing: no file is redirected."""

    def note(self, url: str, page: str, steps: int, reason: str) -> None:
        self.failures.setdefault(url, Failed(url, page, steps, " ".join(reason.split())))


class FileHandler(BaseDownloadHandler):
    """Reads a file of the spider's place; its modification time and device become headers of the record."""

    def __init__(self, crawler: Any):
        super().__init__(crawler)
        self.spider: FilesSpider = crawler.spider

    async def download_request(self, request: Request) -> Response:
        body, modified = await run_in_thread(self.spider.place.read, request.url)
        headers = {"Content-Type": "application/octet-stream", "File-Modified": modified}
        if self.spider.device:
            headers["File-Device"] = self.spider.device
        return Response(request.url, headers=headers, body=body)
