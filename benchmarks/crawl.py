"""A crawl with archive against Scrapy's own FilesPipeline, on one local server: time, replay, memory.

    python benchmarks/crawl.py [--pictures 2000] [--rounds 3]

Both fetch the same pages and pictures (60 KB each) over loopback with the same settings, each in a process of its own. Prints the
median of the ratios of rounds in which each runs once, and the peak memory of crawls of 500 and 5,000 pictures.
"""

import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

BYTES = 60_000
PER_PAGE = 50
CONCURRENT = 16

# what most people would write: a spider that yields file_urls, and FilesPipeline
PIPELINE = f"""
import scrapy, sys
from scrapy.crawler import CrawlerProcess

class Spider(scrapy.Spider):
    name = "files"
    start_urls = [sys.argv[1]]
    def parse(self, response):
        yield {{"file_urls": [response.urljoin(u) for u in response.css("img::attr(src)").getall()]}}
        for link in response.css("a::attr(href)").getall():
            yield response.follow(link)

process = CrawlerProcess({{
    "ITEM_PIPELINES": {{"scrapy.pipelines.files.FilesPipeline": 1}}, "FILES_STORE": sys.argv[2], "LOG_LEVEL": "WARNING",
    "ROBOTSTXT_OBEY": True, "CONCURRENT_REQUESTS": {CONCURRENT}, "CONCURRENT_REQUESTS_PER_DOMAIN": {CONCURRENT},
    "DOWNLOAD_DELAY": 0, "COOKIES_ENABLED": False, "TELNETCONSOLE_ENABLED": False,
}})
process.crawl(Spider)
process.start()
"""


class Handler(BaseHTTPRequestHandler):
    """/ leads to pages of PER_PAGE pictures; each picture is BYTES of its own."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    pictures = 0

    def do_GET(self) -> None:
        kind, body = "text/html", b""
        if self.path == "/":
            pages = range(0, self.pictures, PER_PAGE)
            body = "".join(f'<a href="/page/{first}">x</a>' for first in pages).encode()
        elif self.path.startswith("/page/"):
            first = int(self.path.rpartition("/")[2])
            numbers = range(first, min(first + PER_PAGE, self.pictures))
            body = "".join(f'<img src="/{number}.jpg">' for number in numbers).encode()
        elif self.path.endswith(".jpg"):
            kind, body = "image/jpeg", hashlib.sha1(self.path.encode()).digest() * (BYTES // 20)
        self.send_response(404 if self.path == "/robots.txt" else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class Server(ThreadingHTTPServer):
    request_queue_size = 1024  # FilesPipeline opens more connections at once than Python's five

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that closes its connections at its end is no news."""


def timed(folder: Path, *command: str) -> tuple[float, float]:
    """Wall seconds and peak MB of a command that must succeed."""
    before = time.perf_counter()
    running = subprocess.Popen([sys.executable, *command], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert running.stderr is not None
    said = running.stderr.read()
    _, status, usage = os.wait4(running.pid, 0)
    if status:
        sys.exit(f"{command} failed:\n{said.decode()[-2000:]}")
    return time.perf_counter() - before, usage.ru_maxrss / 1024


def one_round(url: str, pictures: int) -> dict[str, tuple[float, float]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fetch = {"source": "generic", "start": [url], "delay": 0, "concurrent": CONCURRENT, "depth": 1}
        (folder / "params.yaml").write_text(yaml.safe_dump({"sites": {"site": {"fetch": fetch}}}))
        (folder / "pipeline.py").write_text(PIPELINE)
        found = {
            "FilesPipeline": timed(folder, "pipeline.py", url, "files"),
            "crawl": timed(folder, "-m", "crawlers.crawl", "site", "raw", "failed.csv"),
            "replay": timed(folder, "-m", "crawlers.extract", "site", "raw", "captures.csv"),
        }
        stored = len(list((folder / "files/full").iterdir()))
        captured = len((folder / "captures.csv").read_text().splitlines()) - 1
        assert stored == captured == pictures, (stored, captured, pictures)
        return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"

    Handler.pictures = options.pictures
    rounds = [one_round(url, options.pictures) for _ in range(options.rounds)]
    for name in ("FilesPipeline", "crawl", "replay"):
        seconds = statistics.median(found[name][0] for found in rounds)
        ratio = statistics.median(found[name][0] / found["FilesPipeline"][0] for found in rounds)
        print(f"{name:14} {options.pictures} pictures: {seconds:6.1f} s, {ratio:.2f} of FilesPipeline")
    for pictures in (500, 5000):
        Handler.pictures = pictures
        peak = {name: megabytes for name, (_, megabytes) in one_round(url, pictures).items()}
        print(f"peak memory at {pictures} pictures: " + ", ".join(f"{name} {mb:.0f} MB" for name, mb in peak.items()))


if __name__ == "__main__":
    main()
