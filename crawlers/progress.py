"""A running crawl -> one line in a terminal, log lines elsewhere, MQTT messages if asked for, and a table at its end."""

import logging
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd
from scrapy import Request, Spider, signals
from scrapy.http import Response
from scrapy.utils.asyncio import create_looping_call
from tqdm import tqdm

from crawlers.mqtt import Publisher
from crawlers.spiders import MEDIA, STEPS

TERMINAL, LOG = 0.5, 30.0  # seconds between two lines

logger = logging.getLogger("crawl")


@dataclass(frozen=True)
class Totals:
    """Counts of a crawl so far; `mb` is in million bytes received, `rate` in answers per second, `queue` in waiting requests."""

    pages: int
    media: int
    mb: float
    rate: float
    errors: int
    queue: int

    def __str__(self) -> str:
        return (
            f"{self.pages} pages, {self.media} media, {self.mb:.1f} MB, {self.rate:.1f}/s, {self.errors} errors, "
            f"{self.queue} waiting"
        )


class Progress:
    """A Scrapy extension that shows progress. Its table counts answers, from the network or from the archive."""

    def __init__(self, crawler: Any):
        self.crawler = crawler
        self.answers: Counter[tuple[int, str, bool]] = Counter()
        self.publisher = Publisher.from_environment(crawler.settings["SENGU_SITE"])
        self.started = 0.0
        self.line: Any = None
        self.task: Any = None

    @classmethod
    def from_crawler(cls, crawler: Any) -> "Progress":
        progress = cls(crawler)
        for signal, receiver in (
            (signals.spider_opened, progress.opened),
            (signals.response_received, progress.answered),
            (signals.request_dropped, progress.dropped),
            (signals.spider_closed, progress.closed),
        ):
            crawler.signals.connect(receiver, signal=signal)
        return progress

    def opened(self, spider: Spider) -> None:
        self.started = time.monotonic()
        # tqdm draws nothing where stderr is no terminal
        self.line = tqdm(bar_format="{desc}", desc=self.crawler.settings["SENGU_SITE"], disable=None, leave=False)
        self.task = create_looping_call(self.report)
        self.task.start(TERMINAL if sys.stderr.isatty() else LOG, now=False)

    def answered(self, response: Response, request: Request, spider: Spider) -> None:
        kind = (response.headers.get("Content-Type") or b"").decode("latin-1").partition(";")[0].strip().lower()
        archived = "cached" in response.flags
        self.answers[response.status, kind, archived] += 1
        if request.meta.get(STEPS) == MEDIA and not archived:
            length = len(response.body)
            self.publisher.media({"url": response.url, "status": response.status, "type": kind, "bytes": length})

    def dropped(self, request: Request, spider: Any) -> None:
        """Counts a request that the scheduler has seen before."""
        spider.dropped(request)

    def report(self) -> None:
        totals = self.totals()
        if self.line.disable:
            logger.info("%s: %s", self.crawler.settings["SENGU_SITE"], totals)
        else:
            self.line.set_description_str(f"{self.crawler.settings['SENGU_SITE']}: {totals}")
        self.publisher.totals(asdict(totals))

    def totals(self) -> Totals:
        spider, stats = self.crawler.spider, self.crawler.stats
        scheduler = getattr(getattr(self.crawler.engine, "_slot", None), "scheduler", None)
        answers = sum(self.answers.values())
        return Totals(
            pages=spider.pages,
            media=spider.media_count,
            mb=stats.get_value("downloader/response_bytes", 0) / 1e6,
            rate=answers / max(time.monotonic() - self.started, 1e-9),
            errors=len(spider.failures),
            queue=len(scheduler) if scheduler is not None else 0,
        )

    def closed(self, spider: Spider, reason: str) -> None:
        if self.task.running:
            self.task.stop()
        self.line.close()
        self.publisher.finish(asdict(self.totals()))


def table(answers: Mapping[tuple[int, str, bool], int], reasons: Mapping[str, int]) -> str:
    """Answers by status and type, and what was not fetched by reason, as text; empty if there is nothing to count."""
    rows: dict[tuple[int, str], list[int]] = {}
    for (status, kind, archived), count in answers.items():
        rows.setdefault((status, kind), [0, 0])[archived] += count
    parts = []
    if rows:
        counts = [[status, kind or "-", *pair] for (status, kind), pair in sorted(rows.items())]
        parts.append(pd.DataFrame(counts, columns=["status", "type", "fetched", "from archive"]).to_string(index=False))
    if reasons:
        listed = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
        parts.append(pd.DataFrame(listed, columns=["not fetched because", "URLs"]).to_string(index=False))
    return "\n".join(parts)
