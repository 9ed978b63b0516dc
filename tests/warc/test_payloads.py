"""Bodies as other crawlers store them, read as warcio reads them."""

import gzip
import zlib
from io import BytesIO
from pathlib import Path

import brotli
import pytest
from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from crawlers.demo import pictures
from sengu import warc
from sengu.warc.payloads import dechunked

JPEG = pictures.jpeg(pictures.draw("dots", 1))
PAGE = "<p>ö</p>".encode()


def chunked(body: bytes, size: int = 100) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x;x=1\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def read(folder: Path, body: bytes, **headers: str) -> tuple[bytes, bytes]:
    """The payload of an answer as Sengu reads it, and as warcio does; of `br`, which this warcio cannot, as Sengu does."""
    path = folder / "web-00000.warc.gz"
    with path.open("wb") as stream:
        writer = WARCWriter(stream, gzip=True)
        pairs = [("Content-Type", "image/jpeg"), *((name.replace("_", "-"), value) for name, value in headers.items())]
        answer = StatusAndHeaders("200 OK", pairs, protocol="HTTP/1.1")
        writer.write_record(writer.create_warc_record("http://a.example/", "response", BytesIO(body), http_headers=answer))
    if headers.get("Content_Encoding") == "br":  # warcio 1.8 sets an attribute that brotli 1.2 does not let it set
        (entry,) = warc.entries(path)
        return warc.payload(entry), warc.payload(entry)
    with path.open("rb") as stream:
        (theirs,) = (record.content_stream().read() for record in ArchiveIterator(stream))
    (entry,) = warc.entries(path)
    return warc.payload(entry), theirs


@pytest.mark.parametrize("body", [JPEG, PAGE], ids=["picture", "page"])
@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "utf-8", "aws-chunked", "none", "", "identity", "gzip, br", "x-own"])
def test_a_body_that_was_stored_decoded_is_taken_as_it_is(tmp_path: Path, coding: str, body: bytes) -> None:
    assert read(tmp_path, body, Content_Encoding=coding) == (body, body)


@pytest.mark.parametrize(
    ("coding", "encoded"), [("gzip", gzip.compress(JPEG)), ("br", brotli.compress(JPEG)), ("deflate", zlib.compress(JPEG))]
)
def test_a_body_that_is_encoded_is_decoded(tmp_path: Path, coding: str, encoded: bytes) -> None:
    assert read(tmp_path, encoded, Content_Encoding=coding) == (JPEG, JPEG)
    assert read(tmp_path, chunked(encoded), Content_Encoding=coding, Transfer_Encoding="chunked") == (JPEG, JPEG)


@pytest.mark.parametrize("body", [JPEG, chunked(JPEG)], ids=["dechunked", "chunked"])
def test_a_body_that_is_said_to_be_chunked_is_read_whether_it_is_or_not(tmp_path: Path, body: bytes) -> None:
    assert read(tmp_path, body, Transfer_Encoding="chunked") == (JPEG, JPEG)


@pytest.mark.parametrize("coding", ["gzip;q=1", "gzip; q=1.0", '"gzip"', "GZIP ;x"])
def test_a_coding_may_be_quoted_or_have_a_parameter(coding: str) -> None:
    assert warc.decode(gzip.compress(JPEG), coding) == JPEG
    assert warc.decode(gzip.compress(gzip.compress(JPEG)), f"{coding}, gzip") == JPEG
    assert warc.decode(JPEG, coding) == JPEG


def test_gzip_may_have_several_members_and_something_behind_them() -> None:
    assert warc.decode(gzip.compress(JPEG[:99]) + gzip.compress(JPEG[99:]) + b"junk", "gzip") == JPEG
    assert warc.decode(gzip.compress(JPEG) + bytes(9), "gzip") == JPEG


def test_several_codings_are_undone_from_the_last() -> None:
    assert warc.decode(brotli.compress(gzip.compress(PAGE)), "gzip, br") == PAGE
    assert warc.decode(gzip.compress(PAGE), "aws-chunked,gzip") == PAGE


@pytest.mark.parametrize(
    ("coding", "body", "reason"),
    [
        ("gzip", gzip.compress(JPEG)[:-20], "broken gzip encoding"),
        ("br", brotli.compress(JPEG)[:-20], "broken br encoding"),
        ("zstd", b"\x28\xb5\x2f\xfd\x04\x00", "unknown content encoding zstd"),
        ("x-own", b"\x00\x01\x02\x03", "unknown content encoding x-own"),
    ],
)
def test_what_is_encoded_and_cannot_be_decoded_has_a_reason(coding: str, body: bytes, reason: str) -> None:
    with pytest.raises(warc.UnreadableCapture, match=reason):
        warc.decode(body, coding)


def test_a_cut_off_chunk_is_kept_as_far_as_it_goes() -> None:
    assert dechunked(b"3\r\nabc\r\n9\r\nde") == b"abcde"
    assert dechunked(b"") == b""
    assert dechunked(b"3\r\nabcxx") == b"3\r\nabcxx"
