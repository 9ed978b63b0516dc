"""Servers that are slow, hang, lie, loop or send nonsense: each is accounted for, and costs no other page anything."""

import socket
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from project import run
from served import CRAWL, EXTRACT, HTML, JPEG, OBJECTS, Site, failures, fetch_of, page, write_params

from crawlers.demo.sites import Answer
from sengu import warc
from sengu.base import tables


@pytest.fixture
def bad(work: Path, site: Site) -> Path:
    """The site shows /bad.jpg, which a test makes odd, before /d.jpg, which is good."""
    site.answers["/two"] = page('<img src="/bad.jpg"><img src="/d.jpg">')
    write_params(work, web=fetch_of(site, timeout=1, retries=0, max_size=0.5))
    return work


def crawl(folder: Path, site: Site) -> str:
    """Crawls; returns why /bad.jpg was not fetched. The rest has to be there."""
    run(folder, *CRAWL)
    assert warc.payload(warc.read(folder / "raw/web", "web").find(f"{site.url}/d.jpg")) == JPEG["d"]
    return failures(folder).get("/bad.jpg", "")


def head(request: BaseHTTPRequestHandler, length: int | None = None, kind: str = "image/jpeg") -> None:
    request.send_response(200)
    request.send_header("Content-Type", kind)
    if length is not None:
        request.send_header("Content-Length", str(length))
    else:
        request.close_connection = True
    request.end_headers()


def drop(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True
    request.connection.shutdown(socket.SHUT_RDWR)


def test_a_server_that_hangs(bad: Path, site: Site) -> None:
    def hang(request: BaseHTTPRequestHandler) -> None:
        time.sleep(3)
        drop(request)

    site.odd["/bad.jpg"] = hang
    assert "took longer than 1.0 seconds" in crawl(bad, site)


def test_a_server_that_drips(bad: Path, site: Site) -> None:
    def drip(request: BaseHTTPRequestHandler) -> None:
        head(request, 1000)
        try:
            for _ in range(30):
                request.wfile.write(b"x")
                time.sleep(0.1)
        except OSError:
            drop(request)

    site.odd["/bad.jpg"] = drip
    assert "took longer than 1.0 seconds" in crawl(bad, site)


def test_a_slow_server_that_is_in_time(bad: Path, site: Site) -> None:
    def slow(request: BaseHTTPRequestHandler) -> None:
        head(request, len(JPEG["a"]))
        half = len(JPEG["a"]) // 2
        request.wfile.write(JPEG["a"][:half])
        time.sleep(0.5)
        request.wfile.write(JPEG["a"][half:])

    site.odd["/bad.jpg"] = slow
    assert crawl(bad, site) == ""


def test_a_body_shorter_than_was_said(bad: Path, site: Site) -> None:
    def cut(request: BaseHTTPRequestHandler) -> None:
        head(request, len(JPEG["a"]))
        request.wfile.write(JPEG["a"][:-100])
        drop(request)

    site.odd["/bad.jpg"] = cut
    assert "DataLoss" in crawl(bad, site)
    assert warc.read(bad / "raw/web", "web").find(f"{site.url}/bad.jpg") is None


def test_a_body_larger_than_the_limit_by_its_own_word(bad: Path, site: Site) -> None:
    site.odd["/bad.jpg"] = lambda request: head(request, 600_000)
    assert crawl(bad, site) == "larger than max_size"


def test_a_stream_without_end(bad: Path, site: Site) -> None:
    def endless(request: BaseHTTPRequestHandler) -> None:
        head(request)
        try:
            while True:
                request.wfile.write(bytes(10_000))
        except OSError:
            pass

    site.odd["/bad.jpg"] = endless
    assert crawl(bad, site) == "larger than max_size"


def test_a_connection_that_is_dropped(bad: Path, site: Site) -> None:
    site.odd["/bad.jpg"] = drop
    assert crawl(bad, site)


def test_no_http_at_all(bad: Path, site: Site) -> None:
    def nonsense(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"\x00\xff nonsense\r\n\r\n")
        drop(request)

    site.odd["/bad.jpg"] = nonsense
    assert crawl(bad, site)


@pytest.mark.parametrize(("there", "back"), [("/bad.jpg", ""), ("/again.jpg", "/bad.jpg")])
def test_a_redirect_in_a_circle(bad: Path, site: Site, there: str, back: str) -> None:
    site.answers["/bad.jpg"] = Answer(HTML, b"", 302, there)
    if back:
        site.answers[there] = Answer(HTML, b"", 302, back)
    assert crawl(bad, site) == "redirected in a circle"
    run(bad, *EXTRACT)
    captured = tables.read(bad / "captures/web.csv", tables.Capture)
    assert captured.loc[captured["url"].str.endswith("/bad.jpg"), "status"].tolist() == [0]


def test_a_redirect_that_never_ends(bad: Path, site: Site) -> None:
    write_params(bad, web=fetch_of(site, redirects=5))
    site.answers["/bad.jpg"] = Answer(HTML, b"", 302, "/r/0")
    site.answers |= {f"/r/{number}": Answer(HTML, b"", 302, f"/r/{number + 1}") for number in range(50)}
    assert "max redirections" in crawl(bad, site).lower()
    assert len([path for path in site.paths() if path.startswith("/r/")]) == 5


def test_a_picture_that_is_a_page_and_a_page_that_is_a_picture(bad: Path, site: Site) -> None:
    site.answers["/bad.jpg"] = Answer("image/jpeg", b"<!DOCTYPE html><p>not found</p>")
    site.answers["/"] = page('<a href="/two">two</a><a href="/lying.html">x</a><img src="/html.jpg">')
    site.answers["/lying.html"] = Answer(HTML, JPEG["c"])
    site.answers["/html.jpg"] = Answer(HTML, JPEG["b"])
    assert crawl(bad, site) == ""
    run(bad, *EXTRACT)
    run(bad, *OBJECTS)
    (rejected,) = tables.read(bad / "rejected.csv", tables.Rejected).itertuples()
    assert rejected.reason == "html"
    assert len(tables.read(bad / "index.csv", tables.IndexRow)) == 2  # /d.jpg, and /html.jpg whatever its type


@pytest.mark.parametrize(
    ("body", "taken"),
    [
        (b'<html><body><img src="/x.jpg"', False),
        (b'<img src="/x.jpg"><p><b></p></b></html></body>', True),
        (b'\x00\xff<img src="/x.jpg">\xc3\x28', True),
        (b'<meta charset="nonsense"><img src="/x.jpg">', True),
        ('<meta charset="utf-8"><p>猫</p><img src="/x.jpg">'.encode("shift_jis"), True),
        (b'\xef\xbb\xbf<img src="/x.jpg">', True),
        (b"<table><tr><td>" * 500 + b'<img src="/x.jpg">', True),
        (b"", False),
    ],
)
def test_broken_html_and_encodings(work: Path, site: Site, body: bytes, taken: bool) -> None:
    site.answers["/two"] = Answer("text/html", b'<img src="/d.jpg">' + body)
    site.answers["/x.jpg"] = Answer("image/jpeg", JPEG["a"])
    run(work, *CRAWL)
    assert ("/x.jpg" in site.paths()) == taken
    run(work, *EXTRACT)
    captured = tables.read(work / "captures/web.csv", tables.Capture)["url"]
    assert captured.str.endswith("/x.jpg").any() == taken


def test_ten_thousand_links_on_a_page(work: Path, site: Site) -> None:
    links = "".join(f'<a href="/page?n={number}">x</a>' for number in range(10_000))
    site.answers |= {"/two": page(f'{links}<img src="/d.jpg">'), "/page": page('<img src="/a.jpg">')}
    write_params(work, web=fetch_of(site, max_pages=50))
    said = run(work, *CRAWL)
    assert len([path for path in site.paths() if path.startswith("/page")]) == 48
    assert "50 pages, 2 media" in said
    assert len(failures(work)) == 10_000 - 48 + 1
    assert said.count("\n") < 60, "the log is for reading; the table has them all"
