"""A proxy before a store that counts what it hands out, and fails, waits or holds on when a test says so."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PASS, ERROR, HOLD = "pass", "error", "hold"
BODY = b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"
NOT_PASSED_ON = {"connection", "transfer-encoding", "content-length", "keep-alive"}


@dataclass
class Request:
    """One request for an object; `number` counts those of its method, `attempt` those for this very object, from 1."""

    method: str
    path: str
    number: int
    attempt: int


@dataclass
class Proxy:
    """`decide` says what becomes of a request for an object; `held` is set when one is held on, until `release` is."""

    endpoint: str
    decide: Callable[[Request], str] = lambda request: PASS
    held: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    bytes_sent: int = 0  # of objects, whatever the client says it has read
    requests: Counter[str] = field(default_factory=Counter)
    attempts: Counter[tuple[str, str]] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def calm(self) -> None:
        """From now on everything passes."""
        self.decide = lambda request: PASS
        self.release.set()


@contextmanager
def proxied(store: str) -> Iterator[Proxy]:
    """A proxy before the store at such an endpoint."""
    place = urlsplit(store)
    proxy = Proxy("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            action = PASS
            if "/files/md5/" in urlsplit(self.path).path:
                with proxy.lock:
                    proxy.requests[self.command] += 1
                    proxy.attempts[self.command, self.path] += 1
                    request = Request(
                        self.command, self.path, proxy.requests[self.command], proxy.attempts[self.command, self.path]
                    )
                action = proxy.decide(request)
            if action == HOLD:
                proxy.held.set()
                proxy.release.wait(60)
                self.close_connection = True
                return
            if action == ERROR:
                self.send(500, [("Content-Type", "application/xml")], BODY)
                return
            self.pass_on(body)

        def pass_on(self, body: bytes) -> None:
            connection = HTTPConnection(place.hostname or "", place.port or 80, timeout=60)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "expect")}
            try:
                connection.request(self.command, self.path, body=body, headers=headers)
                answer = connection.getresponse()
                data = answer.read()
            except (OSError, HTTPException):  # the store has gone
                self.close_connection = True
                return
            finally:
                connection.close()
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in NOT_PASSED_ON]
            length = answer.getheader("Content-Length") if self.command == "HEAD" else None
            self.send(answer.status, kept, data, length)
            if self.command == "GET" and "/files/md5/" in urlsplit(self.path).path:
                with proxy.lock:
                    proxy.bytes_sent += len(data)

        def send(self, status: int, headers: list[tuple[str, str]], data: bytes, length: str | None = None) -> None:
            with suppress(ConnectionError):  # the client was killed
                self.send_response_only(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", length or str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.release.set()
        server.shutdown()
        server.server_close()
        thread.join()
