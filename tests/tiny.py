"""A small feature vector that is a real SavedModel, and the server of a test."""

import io
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import sengu  # noqa: F401 before tf_keras, for which it sets a variable

FEATURES = 5


def save(folder: Path, pooled: bool = True, size: int | None = None) -> Path:
    """Saves a network of one convolution that takes pictures of `size` pixels, or of any size; seeded, so always the same."""
    import tf_keras as keras

    keras.utils.set_random_seed(1)
    picture = keras.Input((size, size, 3))
    features = keras.layers.BatchNormalization()(keras.layers.Conv2D(FEATURES, 3)(picture))
    keras.Model(picture, keras.layers.GlobalAveragePooling2D()(features) if pooled else features).save(folder)
    return folder


def packed(folder: Path, compression: Literal["", "gz", "bz2", "xz"] = "gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{compression}") as archive:
        archive.add(folder, arcname=".")
    return buffer.getvalue()


def damaged(whole: bytes) -> bytes:
    middle = len(whole) // 2
    return whole[:middle] + bytes(byte ^ 0xFF for byte in whole[middle : middle + 64]) + whole[middle + 64 :]


class Quiet(BaseHTTPRequestHandler):
    def answer(self, body: bytes, headers: dict[str, str] | None = None, length: int | None = None) -> None:
        """Sends a body; with a `length` above its own the connection ends too early."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """The tests look at what comes out."""


@contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The URL of a server on loopback that runs until the end of the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
