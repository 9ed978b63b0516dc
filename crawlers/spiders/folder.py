"""Files of a local or NFS folder -> resource records, each under file://<site>/<relative path>."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlsplit

from scrapy import Request, Spider
from scrapy.core.downloader.handlers.base import BaseDownloadHandler
from scrapy.http import Response
from scrapy.utils.asyncio import run_in_thread

from sengu.params import FolderFetch


class FolderSpider(Spider):
    """Requests every file below the folder, in order of its path; hidden files are left out."""

    name = "folder"

    def __init__(self, site: str, fetch: FolderFetch, **kwargs: Any):
        super().__init__(**kwargs)
        self.site, self.folder = site, Path(fetch.folder)
        self.failures: list[str] = []
        self.pages = self.media = 0

    async def start(self) -> AsyncIterator[Any]:
        for path in sorted(self.folder.rglob("*")):
            relative = path.relative_to(self.folder)
            if any(part.startswith(".") for part in relative.parts):
                continue
            try:
                if path.is_file():
                    url = f"file://{self.site}/{quote(os.fsencode(relative.as_posix()))}"
                    yield Request(url, headers={"File-Modified": modified(path)}, errback=self.failed)
            except OSError as error:  # gone since the folder was listed, or not ours to read
                self.failures.append(f"{path}: {error}")

    def parse(self, response: Response, **kwargs: Any) -> list[Any]:
        self.media += 1
        return []

    def failed(self, failure: Any) -> None:
        self.failures.append(f"{failure.request.url}: {failure.getErrorMessage()}")


class FolderHandler(BaseDownloadHandler):
    """Reads a file of the folder; its modification time and device become headers of the record."""

    def __init__(self, crawler: Any):
        super().__init__(crawler)
        self.folder = Path(crawler.settings["SENGU_FOLDER"])
        self.device: str = crawler.settings["SENGU_DEVICE"]

    async def download_request(self, request: Request) -> Response:
        path = self.folder / os.fsdecode(unquote_to_bytes(urlsplit(request.url).path.lstrip("/")))
        body = await run_in_thread(path.read_bytes)
        headers = {"Content-Type": "application/octet-stream", "File-Modified": modified(path)}
        if self.device:
            headers["File-Device"] = self.device
        return Response(request.url, headers=headers, body=body)


def modified(path: Path) -> str:
    """A file's modification time, ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
