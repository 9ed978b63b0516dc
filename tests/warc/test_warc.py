import gzip
import os
import random
import subprocess
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import brotli
import pytest
from project import BIN

from sengu import warc
from sengu.base import working
from sengu.base.errors import SenguError
from sengu.base.urls import canonical_url
from sengu.warc import index, reading, writing

DATE = "2013-10-05T20:00:00Z"
HEADERS = [(b"Content-Type", b"text/html"), (b"X-Name", b"caf\xe9"), (b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2")]
GOLDEN = (
    b"WARC/1.1\r\n"
    b"WARC-Type: warcinfo\r\n"
    b"WARC-Date: 2013-10-05T20:00:00Z\r\n"
    b"WARC-Record-ID: <urn:uuid:47498e2d-3a6f-5751-a156-8b45391161fd>\r\n"
    b"Content-Length: 19\r\n"
    b"WARC-Filename: site-00000.warc.gz\r\n"
    b"Content-Type: application/warc-fields\r\n"
    b"WARC-Block-Digest: sha1:7UCJZS5STYCQNRGBRVPP6TVVKHQPHGJC\r\n"
    b"\r\n"
    b"description: test\r\n"
    b"\r\n"
    b"\r\n"
    b"WARC/1.1\r\n"
    b"WARC-Type: response\r\n"
    b"WARC-Date: 2013-10-05T20:00:00Z\r\n"
    b"WARC-Record-ID: <urn:uuid:349454df-486a-5576-ad1b-9f6aa7432d0e>\r\n"
    b"Content-Length: 50\r\n"
    b"WARC-Target-URI: http://a.example/\r\n"
    b"Content-Type: application/http; msgtype=response\r\n"
    b"WARC-Payload-Digest: sha1:VL2MMHO4YXUKFWV63YHTWSBM3GXKSQ2N\r\n"
    b"WARC-Block-Digest: sha1:ZQYHLXU6LL2UY2FYMVYWL6WISJI5CCED\r\n"
    b"\r\n"
    b"HTTP/1.1 200 OK\r\n"
    b"Content-Type: text/plain\r\n"
    b"\r\n"
    b"hello\r\n"
    b"\r\n"
)


def archive(folder: Path, compress: bool = True) -> None:
    writer = warc.Writer(folder, "site", {"description": "test"}, compress)
    writer.page("http://a.example/", DATE, 200, HEADERS, b"<p>page</p>" * 50)
    writer.response("http://a.example/p.jpg", DATE, 200, [(b"Content-Type", b"image/jpeg")], bytes(range(256)) * 300)
    writer.response("http://a.example/old", DATE, 301, [(b"Location", b"/p.jpg#top")], b"")
    writer.response("http://a.example/odd", DATE, 299, [], b"")
    writer.resource("file://site/a%20b.png", DATE, {"File-Modified": DATE}, b"bytes")
    writer.close()


def test_everything_survives(tmp_path: Path) -> None:
    archive(tmp_path)
    entries = {entry.url: entry for entry in warc.read(tmp_path, "site")}
    assert list(entries) == [e.url for e in entries.values()]
    assert [(e.url, e.status, e.fetched) for e in entries.values()] == [
        ("http://a.example/", 200, DATE),
        ("http://a.example/p.jpg", 200, DATE),
        ("http://a.example/old", 301, DATE),
        ("http://a.example/odd", 299, DATE),
        ("file://site/a%20b.png", 200, DATE),
    ]
    page = entries["http://a.example/"]
    assert warc.headers_and_body(page)[0] == [(k.decode(), v.decode("latin-1")) for k, v in HEADERS]
    assert warc.body(page) == b"<p>page</p>" * 50
    assert warc.body(entries["http://a.example/p.jpg"]) == bytes(range(256)) * 300
    assert warc.body(entries["file://site/a%20b.png"]) == b"bytes"
    assert entries["file://site/a%20b.png"].header("file-modified") == DATE


def test_writing_again_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        archive(tmp_path / name, compress=False)
    one, two = (tmp_path / name / "site-00000.warc.gz" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_the_bytes_are_what_they_were(tmp_path: Path) -> None:
    writer = warc.Writer(tmp_path, "site", {"description": "test"}, compress=False)
    writer.response("http://a.example/", DATE, 200, [(b"Content-Type", b"text/plain")], b"hello")
    writer.close()
    stored = (tmp_path / "site-00000.warc.gz").read_bytes()
    assert gzip.decompress(stored) == GOLDEN
    # framed by us, so that it is the same with any zlib
    assert stored[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


@pytest.mark.parametrize("command", [["warcio", "check"], ["fastwarc", "check"]])
def test_other_peoples_checks_pass(tmp_path: Path, command: list[str]) -> None:
    archive(tmp_path)
    done = subprocess.run(
        [BIN / command[0], *command[1:], tmp_path / "site-00000.warc.gz"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_redirects_are_followed_in_the_archive(tmp_path: Path) -> None:
    archive(tmp_path)
    entries = warc.read(tmp_path, "site")
    found = entries.resolve("http://a.example/old")
    assert found is not None
    assert found.url == "http://a.example/p.jpg"
    assert entries.resolve("http://a.example/never") is None


def test_a_redirect_loop_ends(tmp_path: Path) -> None:
    writer = warc.Writer(tmp_path, "site", {})
    writer.response("http://a.example/1", DATE, 302, [(b"Location", b"/2")], b"")
    writer.response("http://a.example/2", DATE, 302, [(b"Location", b"/1")], b"")
    writer.close()
    assert warc.read(tmp_path, "site").resolve("http://a.example/1") is None


def test_the_latest_capture_counts_and_closed_files_stay(tmp_path: Path) -> None:
    for body in (b"old", b"new"):
        writer = warc.Writer(tmp_path, "site", {})
        writer.response("http://a.example/", DATE, 200, [], body)
        writer.close()
    assert [p.name for p in warc.files(tmp_path, "site")] == ["site-00000.warc.gz", "site-00001.warc.gz"]
    assert warc.body(warc.read(tmp_path, "site").find("http://a.example/")) == b"new"


def test_nothing_to_write_makes_no_file(tmp_path: Path) -> None:
    warc.Writer(tmp_path, "site", {}).close()
    assert not list(tmp_path.iterdir())


def test_files_roll_over(tmp_path: Path) -> None:
    writer = warc.Writer(tmp_path, "site", {}, roll_over=10_000)
    for i in range(5):
        writer.response(f"http://a.example/{i}", DATE, 200, [], b"x" * 6_000)
    writer.close()
    assert len(warc.files(tmp_path, "site")) == 3
    assert len(list(warc.read(tmp_path, "site"))) == 5


def test_a_killed_crawl_loses_at_most_the_last_record(tmp_path: Path) -> None:
    archive(tmp_path)
    closed = tmp_path / "site-00000.warc.gz"
    whole = closed.read_bytes()
    starts = [e.offset for e in warc.entries(closed)]
    for cut in random.Random(1).sample(range(starts[0], len(whole)), 40):
        left_open = closed.with_name(closed.name + warc.OPEN)
        closed.unlink(missing_ok=True)
        left_open.write_bytes(whole[:cut])
        warc.Writer(tmp_path, "site", {}).close()
        expected = sum(end <= cut for end in [*starts[1:], len(whole)])
        assert len(list(warc.entries(closed))) == expected


def test_a_cut_off_closed_file_is_an_error(tmp_path: Path) -> None:
    archive(tmp_path)
    path = tmp_path / "site-00000.warc.gz"
    whole = path.read_bytes()
    starts = [0, *(e.offset for e in warc.entries(path))]
    for cut in random.Random(2).sample(range(1, len(whole)), 60):
        path.write_bytes(whole[:cut])
        if cut not in starts:  # a cut between records cannot be seen in the file; dvc.lock sees it
            with pytest.raises(SenguError, match="site-00000.warc.gz: damaged archive file"):
                list(warc.entries(path))


def test_a_location_in_utf8_or_another_parameter_order_is_found(tmp_path: Path) -> None:
    writer = warc.Writer(tmp_path, "site", {})
    writer.response("http://a.example/1", DATE, 302, [(b"Location", "/ö?b=1&a=2".encode())], b"")
    writer.response("http://a.example/%C3%B6?a=2&b=1", DATE, 200, [], b"here")
    writer.close()
    found = warc.read(tmp_path, "site").resolve("http://a.example/1")
    assert found is not None
    assert warc.body(found) == b"here"


@pytest.mark.parametrize("place", [0.3, 0.9])
def test_a_flipped_byte_is_an_error_that_names_the_file(tmp_path: Path, place: float) -> None:
    archive(tmp_path)
    path = tmp_path / "site-00000.warc.gz"
    picture = warc.read(tmp_path, "site").find("http://a.example/p.jpg")
    data = bytearray(path.read_bytes())
    data[picture.offset + int(place * 70_000)] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(SenguError, match=r"site-00000.warc.gz: damaged .*sengu heal"):
        warc.body(picture)


@pytest.fixture
def encoded(tmp_path: Path) -> Iterator[dict[str, warc.Entry]]:
    writer = warc.Writer(tmp_path, "site", {})
    for name, encoding, body in (
        ("plain", b"identity", b"hello"),
        ("gzip", b"GZIP", gzip.compress(b"hello")),
        ("deflate", b"deflate", zlib.compress(b"hello")),
        ("bare", b"deflate", zlib.compress(b"hello")[2:-4]),
        ("br", b"br", brotli.compress(b"hello")),
        ("cut", b"gzip", b"\x1f\x8b\x08\x00nonsense"),
        ("odd", b"x-own", b"\0\1\2"),
    ):
        writer.response(f"http://a.example/{name}", DATE, 200, [(b"Content-Encoding", encoding)], body)
    writer.close()
    yield {entry.url.rpartition("/")[2]: entry for entry in warc.read(tmp_path, "site")}


def test_payloads_are_decoded(encoded: dict[str, warc.Entry]) -> None:
    for name in ("plain", "gzip", "deflate", "bare", "br"):
        assert warc.payload(encoded[name]) == b"hello", name


@pytest.mark.parametrize(("name", "reason"), [("cut", "broken gzip encoding"), ("odd", "unknown content encoding x-own")])
def test_payloads_that_cannot_be_decoded_have_a_reason(encoded: dict[str, warc.Entry], name: str, reason: str) -> None:
    with pytest.raises(warc.UnreadableCapture, match=reason):
        warc.payload(encoded[name])


def test_a_gap_in_the_serials_costs_no_file(tmp_path: Path) -> None:
    for number in range(3):
        writer = warc.Writer(tmp_path, "site", {})
        writer.response(f"http://a.example/{number}", DATE, 200, [], b"x")
        writer.close()
    (tmp_path / "site-00000.warc.gz").unlink()
    writer = warc.Writer(tmp_path, "site", {})
    writer.response("http://a.example/3", DATE, 200, [], b"x")
    writer.close()
    assert {entry.url[-1] for entry in warc.read(tmp_path, "site")} == {"1", "2", "3"}


def test_nothing_written_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "site-00000.warc.gz.open").write_bytes(b"\x1f\x8b\x08")  # killed in its first record
    writer = warc.Writer(tmp_path, "site", {})
    writer.close()
    assert not list(tmp_path.iterdir())


def test_a_bomb_is_not_decoded_to_its_end() -> None:
    compressors = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress}
    bombs = {encoding: compress(bytes(1 << 20)) for encoding, compress in compressors.items()}
    for encoding, data in bombs.items():
        assert len(warc.decode(data, encoding)) == 1 << 20
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sengu.warc.payloads.MAX_DECODED", 1000)
        for encoding, data in bombs.items():
            with pytest.raises(warc.UnreadableCapture, match="larger than 1000 bytes when decoded"):
                warc.decode(data, encoding)


def test_an_entry_knows_the_digest_of_its_record(tmp_path: Path) -> None:
    writer = warc.Writer(tmp_path, "site", {}, compress=False)
    made = writer.response("http://a.example/", DATE, 200, [(b"Content-Type", b"text/plain")], b"hello")
    writer.close()
    assert made.digest == "sha1:ZQYHLXU6LL2UY2FYMVYWL6WISJI5CCED"  # as in GOLDEN
    assert warc.read(tmp_path, "site").find("http://a.example/").digest == made.digest


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were scanned, in order."""
    found: list[Path] = []

    def entries(path: Path) -> Iterator[warc.Entry]:
        found.append(path)
        return warc.entries(path)

    monkeypatch.setattr(index, "entries", entries)
    return found


def test_a_closed_file_is_scanned_once(tmp_path: Path, scans: list[Path]) -> None:
    archive(tmp_path / "raw")
    path, index = tmp_path / "raw/site-00000.warc.gz", tmp_path / "index"
    expected = [(entry, canonical_url(entry.url, ("a",))) for entry in warc.entries(path)]
    first, again = (list(warc.indexed(path, ("a",), index)) for _ in range(2))
    assert first == again == expected
    assert [type(cell) for cell in again[0][0].headers] == [tuple]
    assert scans == [path]
    assert [p.name for p in index.iterdir()] == ["site-00000.warc.gz.index"]


def test_an_open_file_is_scanned_each_time(tmp_path: Path, scans: list[Path]) -> None:
    writer = warc.Writer(tmp_path / "raw", "site", {})
    writer.response("http://a.example/", DATE, 200, [], b"1")
    for _ in range(2):
        assert len(list(warc.indexed(writer.path, (), tmp_path / "index"))) == 1
    assert len(scans) == 2
    assert not (tmp_path / "index").exists()


def cut(index: Path) -> None:
    index.write_bytes(index.read_bytes()[:-9])


def flip(index: Path) -> None:
    data = bytearray(index.read_bytes())
    data[len(data) // 2] ^= 1
    index.write_bytes(bytes(data))


@pytest.mark.parametrize(
    "damage",
    [
        cut,
        flip,
        lambda index: index.write_bytes(b""),
        lambda index: index.write_bytes(zlib.compress(b"[1, 2]")),
        lambda index: index.write_bytes(zlib.compress(b"{}")),
        lambda index: os.utime(index.parent.parent / "raw/site-00000.warc.gz", ns=(5, 5)),
        lambda index: index.write_bytes(
            zlib.compress(zlib.decompress(index.read_bytes()).replace(b"site-00000", b"site-00001", 1))
        ),
    ],
    ids=["cut", "flipped", "empty", "a list", "no key", "touched archive", "of another file"],
)
def test_an_index_that_does_not_hold_is_made_anew(tmp_path: Path, scans: list[Path], damage: Callable[[Path], None]) -> None:
    archive(tmp_path / "raw")
    path = tmp_path / "raw/site-00000.warc.gz"
    expected = list(warc.indexed(path, (), tmp_path / "index"))
    damage(tmp_path / "index/site-00000.warc.gz.index")
    assert list(warc.indexed(path, (), tmp_path / "index")) == expected
    assert list(warc.indexed(path, (), tmp_path / "index")) == expected
    assert len(scans) == 2


def test_an_index_of_other_code_or_tracking_is_made_anew(
    tmp_path: Path, scans: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    archive(tmp_path / "raw")
    path = tmp_path / "raw/site-00000.warc.gz"
    list(warc.indexed(path, (), tmp_path / "index"))
    list(warc.indexed(path, ("a",), tmp_path / "index"))
    (tmp_path / "other.py").write_text("# other code")
    monkeypatch.setattr(reading, "__file__", str(tmp_path / "other.py"))
    list(warc.indexed(path, ("a",), tmp_path / "index"))
    assert len(scans) == 3


def test_a_damaged_archive_leaves_no_index(tmp_path: Path) -> None:
    archive(tmp_path / "raw")
    path = tmp_path / "raw/site-00000.warc.gz"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(SenguError, match="damaged archive file"):
        list(warc.indexed(path, (), tmp_path / "index"))
    assert not (tmp_path / "index").exists()


def test_the_indexes_of_files_that_are_gone_go_when_the_site_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "a-b"):
        for number in range(2):
            writer = warc.Writer(tmp_path / name, name, {})
            writer.response(f"http://a.example/{number}", DATE, 200, [], b"")
            writer.close()
        warc.read(tmp_path / name, name)
    (tmp_path / "a/a-00000.warc.gz").unlink()
    assert [entry.url for entry in warc.read(tmp_path / "a", "a")] == ["http://a.example/1"]
    left = ["a-00001.warc.gz.index", "a-b-00000.warc.gz.index", "a-b-00001.warc.gz.index"]
    assert sorted(path.name for path in working.WARC.iterdir()) == left
    warc.forget("a")
    assert sorted(path.name for path in working.WARC.iterdir()) == left[1:]


def test_an_archive_file_is_on_the_disk_when_it_has_its_name_and_at_intervals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    sync, rename = os.fsync, Path.rename

    def fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        steps.append(path.name)
        sync(descriptor)

    def renamed(self: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", renamed)
    name = "site-00000.warc.gz.open"
    writer = warc.Writer(tmp_path / "raw", "site", {"software": "test"})
    writer.response("http://a.example/", "2026-01-01T00:00:00Z", 200, [], b"x")
    assert steps == ["raw", tmp_path.name]  # the name of the new file, and that of its folder
    steps.clear()
    monkeypatch.setattr(writing, "SYNC_BYTES", 1000)
    writer.response("http://a.example/b", "2026-01-01T00:00:00Z", 200, [], b"x" * 1000)
    assert steps == [name]
    writer.response("http://a.example/c", "2026-01-01T00:00:00Z", 200, [], b"x")
    assert steps == [name]
    monkeypatch.setattr(writing, "SYNC_SECONDS", 0.0)
    writer.response("http://a.example/d", "2026-01-01T00:00:00Z", 200, [], b"x")
    assert steps == [name, name]
    steps.clear()
    writer.close()
    assert steps == [name, "rename", "raw"]
