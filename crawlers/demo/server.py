"""A demo site -> an HTTP proxy on a free loopback port that answers for it, for as long as a crawl lasts.

As a proxy it serves http://demo-a.example/…, so no port gets into an archive. Its clock stands still.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from crawlers.demo.sites import KINDS, Answer, answers
from sengu.base.errors import SenguError

DATE = "Sat, 05 Oct 2013 20:00:00 GMT"  # the evening of the Sengyo, when the shrine last moved
PROXY_VARIABLES = ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY")


@contextmanager
def served(name: str) -> Iterator[None]:
    """Serves the demo site `name`; http_proxy points to it meanwhile, for this process only."""
    if name not in KINDS:
        raise SenguError(f"params.yaml: there is no demo site {name!r}: expected one of {', '.join(KINDS)}")
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(answers(name)))
    before = {name: os.environ.pop(name) for name in PROXY_VARIABLES if name in os.environ}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        os.environ["http_proxy"] = f"http://127.0.0.1:{server.server_port}"
        yield
    finally:
        os.environ.pop("http_proxy")
        os.environ.update(before)
        server.shutdown()
        server.server_close()


def handler(paths: dict[str, Answer]) -> type[BaseHTTPRequestHandler]:
    """A request handler that answers from a table of paths."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or every answer waits 40 ms for an acknowledgement

        def do_GET(self) -> None:
            answer = paths.get(urlsplit(self.path).path, Answer("text/plain", b"not found", 404))
            self.send_response_only(answer.status)
            self.send_header("Date", DATE)
            send(self, answer)

        def log_message(self, format: str, *args: object) -> None:
            """Logs nothing: Scrapy keeps the log."""

    return Handler


def send(request: BaseHTTPRequestHandler, answer: Answer) -> None:
    """Sends what follows the status line and the date."""
    request.send_header("Content-Type", answer.content_type)
    request.send_header("Content-Length", str(len(answer.body)))
    if answer.location:
        request.send_header("Location", answer.location)
    request.end_headers()
    request.wfile.write(answer.body)
