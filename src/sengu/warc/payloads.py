"""Bodies as they were sent -> payloads: content codings undone, within limits."""

import gzip
import hashlib
import zlib
from io import BytesIO

import brotli

MAX_DECODED = 1 << 29  # bytes; what is larger when decoded is a bomb, not a picture
ENCODINGS = ("", "identity", "gzip", "x-gzip", "deflate", "br")


class UnreadableCapture(Exception):
    """A record whose payload cannot be decoded; the text is the reason that goes into the rejected table."""


def payload_sha1(encoded: bytes, content_encoding: str) -> str:
    """Lower-case hex SHA-1 of the payload of a body; empty text if it cannot be decoded, and so is no object's."""
    try:
        return hashlib.sha1(decode(encoded, content_encoding), usedforsecurity=False).hexdigest()
    except UnreadableCapture:
        return ""


def decode(encoded: bytes, content_encoding: str) -> bytes:
    """The payload of a body. Raises UnreadableCapture for an unknown or broken content encoding."""
    encoding = content_encoding.strip().lower()
    if encoding not in ENCODINGS:
        raise UnreadableCapture(f"unknown content encoding {encoding}")
    if encoding in ("", "identity") or not encoded:
        return encoded
    try:
        if encoding.endswith("gzip"):
            with gzip.open(BytesIO(encoded)) as stream:
                decoded = stream.read(MAX_DECODED + 1)
        elif encoding == "br":
            brotli_stream = brotli.Decompressor()
            decoded = brotli_stream.process(encoded, output_buffer_limit=MAX_DECODED + 1)
            if len(decoded) <= MAX_DECODED and not brotli_stream.is_finished():
                raise EOFError
        else:
            decoded = _inflate(encoded)
    except (zlib.error, OSError, EOFError, brotli.error) as error:
        raise UnreadableCapture(f"broken {encoding} encoding") from error
    if len(decoded) > MAX_DECODED:
        raise UnreadableCapture(f"larger than {MAX_DECODED} bytes when decoded")
    return decoded


def _inflate(data: bytes) -> bytes:
    """HTTP's "deflate" is zlib's format (RFC 9110), but many servers send the bare stream."""
    try:
        return _inflated(data, zlib.MAX_WBITS)
    except zlib.error:
        return _inflated(data, -zlib.MAX_WBITS)


def _inflated(data: bytes, bits: int) -> bytes:
    stream = zlib.decompressobj(bits)
    decoded = stream.decompress(data, MAX_DECODED + 1)
    if len(decoded) <= MAX_DECODED and not stream.eof:
        raise zlib.error("cut off")
    return decoded
