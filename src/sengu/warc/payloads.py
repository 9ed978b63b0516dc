"""Bodies as they were sent -> payloads: chunks joined and content codings undone, within limits."""

import codecs
import hashlib
import re
import zlib

import brotli

MAX_DECODED = 1 << 29  # bytes; a larger decoded body is a bomb, not a picture
DECODED = ("gzip", "x-gzip", "deflate", "br")
# the first bytes of a body in each coding; another body was stored decoded, with its header left
MAGIC = {
    "gzip": b"\x1f\x8b", "x-gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd", "compress": b"\x1f\x9d", "x-compress": b"\x1f\x9d",
}  # fmt: skip
SAYS_NOTHING = ("", "identity", "none", "utf-8", "utf8", "aws-chunked", "binary")  # servers send these, and they are no coding
# the first bytes of pictures and videos
PLAIN = (
    b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\0\0\1\0", b"\x1aE\xdf\xa3",
    b"\0\0\1\xba", b"\0\0\0\x0cJXL ", b"\0\0\0\x0cjP  ", b"\xff\x0a", b"\xff\x4f\xff\x51",
)  # fmt: skip
TEXT = 64  # bytes; if they are all of these, a body is a text
TEXTUAL = bytes([*b"\t\n\r\f", *range(0x20, 0x7F), *range(0x80, 0x100)])
CHUNK = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*+(?:;[^\r\n]*+)?\r\n")


class UnreadableCapture(Exception):
    """A record whose payload cannot be decoded; the text is the reason that goes into the rejected table."""


def payload_sha1(encoded: bytes, content_encoding: str) -> str:
    """Lower-case hex SHA-1 of the payload of a body; empty text if it cannot be decoded, and thus is not an object."""
    try:
        return hashlib.sha1(decode(encoded, content_encoding), usedforsecurity=False).hexdigest()
    except UnreadableCapture:
        return ""


def decode(encoded: bytes, content_encoding: str) -> bytes:
    """The payload of a body. Raises UnreadableCapture for an unknown or broken content encoding.

    Other crawlers store bodies decoded and leave the header; such a body is used unchanged, as in warcio. Several codings are
    undone from the last to the first (RFC 9110, 8.4).
    """
    payload = encoded
    for coding in reversed(content_encoding.lower().split(",")):
        # some servers quote a coding, or give it a weight as in Accept-Encoding: gzip;q=1
        payload = _decoded(payload, coding.partition(";")[0].strip(" \t\"'"))
    return payload


def shows(payload: bytes) -> bool:
    """True if it begins as a picture or a video."""
    return payload.startswith(PLAIN) or payload[4:8] == b"ftyp"


def dechunked(body: bytes) -> bytes:
    """The content of a chunked body (RFC 9112, 7.1); a body that is not chunked, and data after the last chunk, stay the same."""
    parts: list[bytes] = []
    place = 0
    while chunk := CHUNK.match(body, place):
        start, size = chunk.end(), int(chunk[1], 16)
        if size == 0:
            return b"".join(parts)
        end = start + size
        if end > len(body) and not parts:
            break
        parts.append(body[start:end])
        place = end + 2
        if body[end:place] not in (b"\r\n", b"") and len(parts) == 1:
            return body
    return b"".join([*parts, body[place:]])


def _decoded(encoded: bytes, coding: str) -> bytes:
    if coding in SAYS_NOTHING or not encoded or not encoded.startswith(MAGIC.get(coding, b"")):
        return encoded
    if coding not in DECODED:
        if _is_plain(encoded):
            return encoded
        raise UnreadableCapture(f"unknown content encoding {coding}")
    try:
        if coding.endswith("gzip"):
            decoded = _gunzipped(encoded)
        elif coding == "br":
            brotli_stream = brotli.Decompressor()
            decoded = brotli_stream.process(encoded, output_buffer_limit=MAX_DECODED + 1)
            if len(decoded) <= MAX_DECODED and not brotli_stream.is_finished():
                raise EOFError
        else:
            decoded = _inflate(encoded)
    except (zlib.error, OSError, EOFError, brotli.error) as error:
        if _is_plain(encoded):
            return encoded
        raise UnreadableCapture(f"broken {coding} encoding") from error
    if len(decoded) > MAX_DECODED:
        raise UnreadableCapture(f"larger than {MAX_DECODED} bytes when decoded")
    return decoded


def _is_plain(body: bytes) -> bool:
    """True if it begins as a picture, a video or a text, which no compressed body does."""
    if shows(body):
        return True
    head = body[:TEXT]
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # which lets the last letter be cut off
    except UnicodeDecodeError:
        return False
    return not head.translate(None, TEXTUAL)


def _gunzipped(data: bytes) -> bytes:
    """The content of all members of a gzip file. Other bytes after them are ignored, as browsers and warcio do."""
    decoded = bytearray()
    while data.startswith(MAGIC["gzip"]) and len(decoded) <= MAX_DECODED:
        stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        decoded += stream.decompress(data, MAX_DECODED + 1 - len(decoded))
        if len(decoded) <= MAX_DECODED and not stream.eof:
            raise zlib.error("cut off")
        data = stream.unused_data
    return bytes(decoded)


def _inflate(data: bytes) -> bytes:
    """Inflates HTTP's "deflate", which is zlib's format (RFC 9110), or the bare stream that many servers send."""
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
