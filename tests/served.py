"""A real HTTP server on a free loopback port, whose answers a test may change and whose requests it can count."""

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from crawlers.demo import pictures
from crawlers.demo.server import send
from crawlers.demo.sites import HTML, Answer
from sengu.base import tables

JPEG = {name: pictures.jpeg(pictures.draw("dots", number)) for number, name in enumerate("abcd")}


@dataclass
class Site:
    """`answers` by path; `seen` has path and headers of every request; each answer is held back for `delay` seconds.

    A path in `odd` is answered by a function of its own, which may break every rule. Asked as a proxy, the path is a whole URL.
    """

    answers: dict[str, Answer]
    odd: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""
    delay: float = 0

    def paths(self) -> list[str]:
        return [path for path, _ in self.seen]


def page(body: str) -> Answer:
    return Answer(HTML, f"<html><body>{body}</body></html>".encode())


@pytest.fixture
def site() -> Iterator[Site]:
    with served("127.0.0.1") as site:
        yield site


@contextmanager
def served(address: str) -> Iterator[Site]:
    """Raises OSError if this machine has no such address."""
    site = Site(
        {
            "/": page(
                '<a href="/two?b=1&a=2#top">two</a> <a href="/private/">no</a> <a href="http://elsewhere.invalid/">out</a>'
            ),
            "/two": page(
                '<p class="t"><a>Dots,  round </a></p><img src="a.jpg"><img src="/b.jpg">'
                '<a href="/c.JPG">c</a><img src="/a.jpg#x">'
            ),
            "/private/": page('<img src="/d.jpg">'),
            "/robots.txt": Answer("text/plain", b"User-agent: *\nDisallow: /private/\n"),
            "/a.jpg": Answer("image/jpeg", JPEG["a"]),
            "/b.jpg": Answer(HTML, b"", 301, "/d.jpg"),
            "/c.JPG": Answer(HTML, b"gone", 404),
            "/d.jpg": Answer("image/jpeg", JPEG["d"]),
        }
    )

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            site.seen.append((self.path, dict(self.headers)))
            site.times.append(time.monotonic())
            threading.Event().wait(site.delay)
            path = self.path.partition("?")[0]
            if path in site.odd:
                site.odd[path](self)
                return
            answer = site.answers.get(path, Answer("text/plain", b"", 404))
            self.send_response(answer.status)
            send(self, answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Kept in `seen`."""

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

    server = Server((address, 0), Handler)
    site.url = f"http://{f'[{address}]' if ':' in address else address}:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield site
    server.shutdown()
    server.server_close()


@pytest.fixture
def work(tmp_path: Path, site: Site) -> Path:
    """A folder whose params.yaml lists the server as site `web`, and in which the programs below run."""
    write_params(tmp_path, web=fetch_of(site))
    return tmp_path


CRAWL = (sys.executable, "-m", "crawlers.crawl", "web", "raw/web", "failed/web.csv")
EXTRACT = (sys.executable, "-m", "crawlers.extract", "web", "raw/web", "captures/web.csv")
STORED = ("tree", "index.csv", "rejected.csv")
OBJECTS = (sys.executable, "-m", "sengu.stages.objects", "raw/web", "captures/web.csv", "tombstones.csv", *STORED)


def failures(folder: Path) -> dict[str, str]:
    """The reasons in the table of failures, by URL without the host."""
    table = tables.read(folder / "failed/web.csv", tables.Failed)
    return {"/" + row.url.split("/", 3)[-1] if "://" in row.url else row.url: row.reason for row in table.itertuples()}


def fetch_of(site: Site, **more: Any) -> dict[str, Any]:
    return {"source": "generic", "start": [f"{site.url}/"], "domains": ["127.0.0.1"], "delay": 0, **more}


def write_params(folder: Path, **fetches: dict[str, Any]) -> None:
    sites = {name: {"fetch": fetch, "read": {"tags": ".t a::text"}} for name, fetch in fetches.items()}
    (folder / "params.yaml").write_text(yaml.safe_dump({"sites": sites, "objects": {"max_pixels": 10**8}}))
