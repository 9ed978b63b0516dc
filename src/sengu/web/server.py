"""An app -> a cheroot server, whose connections stay open, on loopback or with a certificate."""

import socket
from typing import Any

from cheroot import wsgi
from cheroot.ssl.builtin import BuiltinSSLAdapter
from flask import Flask

from sengu.web.guard import UPLOAD

THREADS = 32
SILENCE = 10  # seconds for which a request may be silent


class _Gateway(wsgi.Gateway_10):
    """Passes on the connection, so that a denied request need not be read to its end."""

    def __init__(self, req: Any):
        super().__init__(req)
        self.env: dict[str, Any] = {**self.env, "sengu.connection": req}


def free_port(host: str) -> int:
    """A free port of the host."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listening:
        listening.bind((host, 0))
        return int(listening.getsockname()[1])


def server(app: Flask, host: str, port: int, certificate: tuple[str, str] | None = None) -> wsgi.Server:
    """A server that `start` runs until `stop`; `certificate` and its key are the paths of PEM files."""
    serving = wsgi.Server((host, port), app, numthreads=THREADS, timeout=SILENCE, request_queue_size=128, shutdown_timeout=1)
    serving.gateway = _Gateway
    serving.max_request_body_size = UPLOAD
    serving.max_request_header_size = 1 << 16
    if certificate is not None:
        serving.ssl_adapter = BuiltinSSLAdapter(*certificate)
    return serving
