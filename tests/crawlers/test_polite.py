"""Politeness and safety, against a real server."""

import itertools
import socket
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from project import attempt, run
from scrapy.http import HtmlResponse
from scrapy.utils.test import get_crawler
from served import CRAWL, EXTRACT, HTML, JPEG, Site, failures, fetch_of, page, served, write_params

from crawlers.demo.sites import Answer
from crawlers.optouts import opted_out
from crawlers.polite import hosts_of, is_private, is_private_name
from sengu import warc
from sengu.base import tables


class Odd:
    """Answers with a status and headers the first `times`, then with the picture."""

    def __init__(self, code: int, headers: dict[str, str], times: int = 10**9):
        self.code, self.headers, self.times = code, headers, times

    def __call__(self, request: BaseHTTPRequestHandler) -> None:
        self.times -= 1
        body = JPEG["a"] if self.times < 0 else b""
        request.send_response(200 if self.times < 0 else self.code)
        for name, value in {"Content-Type": "image/jpeg", "Content-Length": str(len(body)), **self.headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)


@pytest.mark.parametrize("code", [429, 503])
def test_a_host_that_asks_to_wait_is_left_alone_that_long(work: Path, site: Site, code: int) -> None:
    site.odd["/a.jpg"] = Odd(code, {"Retry-After": "2"}, times=1)
    run(work, *CRAWL)
    asked = [when for (path, _), when in zip(site.seen, site.times, strict=True) if path == "/a.jpg"]
    after = [when for when in site.times if when > asked[0]]
    assert len(asked) == 2
    assert min(after) - asked[0] >= 1.9, "another request to the host went out meanwhile"
    assert "/a.jpg" not in failures(work)


def test_a_host_that_asks_for_more_than_our_patience_is_given_up(work: Path, site: Site) -> None:
    write_params(work, web=fetch_of(site, patience=1))
    site.answers["/two"] = page('<img src="/d.jpg"><img src="/a.jpg"><img src="/b.jpg">')
    site.odd["/a.jpg"] = Odd(429, {"Retry-After": "3600"})
    before = time.monotonic()
    run(work, *CRAWL)
    assert time.monotonic() - before < 30
    assert site.paths().count("/a.jpg") == 1
    assert "asked to be left alone for 3600 s (Retry-After), more than fetch.patience (1 s)" in failures(work)["/a.jpg"]
    assert "/b.jpg" not in site.paths()


def test_what_failed_for_a_moment_is_tried_again_and_what_failed_for_good_by_the_next_crawl(work: Path, site: Site) -> None:
    write_params(work, web=fetch_of(site, retries=1))
    site.odd["/a.jpg"] = Odd(500, {}, times=1)
    site.odd["/d.jpg"] = Odd(503, {}, times=2)
    site.answers["/b.jpg"] = Answer("image/jpeg", JPEG["b"])
    site.answers["/two"] = page('<img src="/a.jpg"><img src="/b.jpg"><img src="/d.jpg">')
    run(work, *CRAWL)
    assert failures(work) == {"/d.jpg": "status 503", "/private/": "Forbidden by robots.txt"}
    site.answers["/two"] = page('<img src="/b.jpg">')  # no page shows it any more, but it is still wanted
    site.seen.clear()
    run(work, *CRAWL)
    assert site.paths().count("/d.jpg") == 1
    assert failures(work) == {"/private/": "Forbidden by robots.txt"}
    assert warc.payload(warc.read(work / "raw/web", "web").find(f"{site.url}/d.jpg")) == JPEG["a"]


def test_robots_txt_is_obeyed_by_every_request_that_waited_for_it(work: Path, site: Site) -> None:
    # Scrapy's own middleware tells only the first of them
    start = [f"{site.url}/{name}" for name in ("", "private/", "private/2", "private/3")]
    write_params(work, web=fetch_of(site, start=start, concurrent=4))
    site.delay = 0.1
    run(work, *CRAWL)
    assert not [path for path in site.paths() if path.startswith("/private")]
    assert {url for url, reason in failures(work).items() if "robots" in reason} == {"/private/", "/private/2", "/private/3"}


@pytest.mark.parametrize(("opt_outs", "taken"), [("honour", set()), ("ignore", {"/a.jpg", "/b.jpg", "/d.jpg"})])
@pytest.mark.parametrize("where", ["meta", "header"])
def test_the_media_of_a_page_that_opted_out_are_not_taken(
    work: Path, site: Site, where: str, opt_outs: str, taken: set[str]
) -> None:
    write_params(work, web=fetch_of(site, opt_outs=opt_outs, depth=2))
    site.answers |= {"/b.jpg": Answer("image/jpeg", JPEG["b"]), "/three": page('<img src="/c.jpg">')}
    site.answers["/c.jpg"] = Answer("image/jpeg", JPEG["c"])
    meta = '<meta name="Robots" content="NoAI, noimageai">' if where == "meta" else ""
    body = f'{meta}<img src="/a.jpg"><img src="/b.jpg"><a href="/d.jpg">d</a><a href="/three">three</a>'.encode()

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", HTML)
        request.send_header("Content-Length", str(len(body)))
        if where == "header":
            request.send_header("X-Robots-Tag", "noindex, noai")
        request.end_headers()
        request.wfile.write(body)

    site.odd["/two"] = answer
    run(work, *CRAWL)
    assert set(site.paths()) & {"/a.jpg", "/b.jpg", "/d.jpg"} == taken
    assert "/c.jpg" in site.paths()  # links are followed all the same
    assert any("opted out: noai" in reason for reason in failures(work).values()) == (opt_outs == "honour")
    run(work, *EXTRACT)
    captured = {url.rpartition("/")[2] for url in tables.read(work / "captures/web.csv", tables.Capture)["url"]}
    assert captured == {path[1:] for path in taken} | {"c.jpg"}


def test_a_picture_that_opted_out_is_not_archived(work: Path, site: Site) -> None:
    site.odd["/a.jpg"] = Odd(200, {"X-Robots-Tag": "noai"}, times=0)
    run(work, *CRAWL)
    assert failures(work)["/a.jpg"] == "opted out: noai in X-Robots-Tag"
    assert warc.read(work / "raw/web", "web").find(f"{site.url}/a.jpg") is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("noai", True), ("noindex, NoImageAI", True), ("otherbot: noai", False), ("otherbot: noindex, noai", False),
        ("sengu: noai", True), ("otherbot: noindex, sengu: noai", True), ("noindex", False), ("*: noai", True),
        ("max-snippet: 5, noai", True), ("noaim", False), ("noindex; noai", True),
        ("unavailable_after: Wed, 25 Jun 2025 15:00:00 GMT, noai", True),
    ],
)  # fmt: skip
def test_headers_that_opt_out(header: str, expected: bool) -> None:
    assert bool(opted_out(HtmlResponse("http://a.example/", headers={"X-Robots-Tag": header}))) == expected


@pytest.mark.parametrize("content", ["noai", "noindex,\n\tnoai", "noindex;NoAI", "noindex noimageai", "NOINDEX,\tNOAI"])
def test_meta_tags_that_opt_out(content: str) -> None:
    page = HtmlResponse("http://a.example/", body=f'<meta name="ROBOTS" content="{content}">'.encode())
    assert opted_out(page)


@pytest.mark.parametrize("kind", ["dropped", "429", "500"])
def test_a_robots_txt_that_cannot_be_fetched_forbids_everything(work: Path, site: Site, kind: str) -> None:
    write_params(work, web=fetch_of(site, retries=0))

    def drop(request: BaseHTTPRequestHandler) -> None:
        request.close_connection = True
        request.connection.shutdown(socket.SHUT_RDWR)

    site.odd["/robots.txt"] = drop if kind == "dropped" else Odd(int(kind), {})
    done = attempt(work, *CRAWL)
    assert done.returncode == 1
    assert set(site.paths()) == {"/robots.txt"}
    assert "robots.txt cannot be fetched: " in failures(work)["/"]


@pytest.mark.parametrize("concurrent", [1, 4])
def test_the_crawl_delay_of_robots_txt_is_kept_even_where_ours_is_shorter(work: Path, site: Site, concurrent: int) -> None:
    write_params(work, web=fetch_of(site, concurrent=concurrent))
    site.answers["/robots.txt"] = Answer(
        "text/plain", b"User-agent: sengu\nCrawl-delay: 0.6\n\nUser-agent: *\nCrawl-delay: 900\n"
    )
    run(work, *CRAWL)
    assert len(site.times) == 8
    assert min(b - a for a, b in itertools.pairwise(sorted(site.times))) > 0.55


def test_a_crawl_delay_beyond_our_patience_is_said(work: Path, site: Site) -> None:
    write_params(work, web=fetch_of(site, patience=60))
    site.answers["/robots.txt"] = Answer("text/plain", b"User-agent: *\nCrawl-delay: 61\n")
    assert attempt(work, *CRAWL).returncode == 1
    assert set(site.paths()) == {"/robots.txt"}
    assert (
        failures(work)["/"]
        == "robots.txt asks for 61 s from one request to the next (Crawl-delay), more than fetch.patience (60 s)"
    )


PRIVATE = ("http://127.0.0.1:{port}/d.jpg", "http://localhost:{port}/d.jpg", "http://2130706433:{port}/d.jpg",
           "http://[::1]:{port}/d.jpg", "http://[::ffff:127.0.0.1]:{port}/d.jpg", "http://127.1:{port}/d.jpg")  # fmt: skip


@pytest.mark.parametrize(("private", "reached"), [(None, False), (True, True)])
def test_addresses_of_a_private_network_are_not_asked_for_a_public_site(
    work: Path, site: Site, private: bool | None, reached: bool
) -> None:
    port = site.url.rpartition(":")[2]
    images = "".join(f'<img src="{address.format(port=port)}">' for address in PRIVATE)
    # the server is the proxy of a public site, and at the same time what that site would like to see of us
    site.answers |= {
        "http://public.test/": page(f'<img src="/a.jpg"><img src="/moved.jpg">{images}<a href="http://sub.public.test/">x</a>'),
        "http://public.test/a.jpg": Answer("image/jpeg", JPEG["a"]),
        "http://public.test/moved.jpg": Answer(HTML, b"", 302, f"http://127.0.0.1:{port}/c.jpg"),
        "/c.jpg": Answer("image/jpeg", JPEG["c"]),
    }
    fetch = fetch_of(site, start=["http://public.test/"], domains=["public.test"], contact="me@example.org", retries=0)
    write_params(work, web=fetch | ({} if private is None else {"private": private}))
    direct = "127.0.0.1,localhost,2130706433,::1,127.1,::ffff:127.0.0.1"
    said = run(work, *CRAWL, http_proxy=site.url, no_proxy=direct, HTTP_PROXY="", NO_PROXY=direct)
    assert "http://public.test/a.jpg" in site.paths()
    assert ("/d.jpg" in site.paths()) == reached
    # a redirected request keeps its proxy
    assert any(path.endswith("/c.jpg") for path in site.paths()) == reached
    if not reached:
        refused = [url for url, reason in failures(work).items() if "private network" in reason]
        assert "/moved.jpg" in refused
        assert "is an address of a private network, and the site is public (fetch.private)" in said


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_a_site_may_have_an_ipv6_address(tmp_path: Path) -> None:
    with served("::1") as site:
        write_params(tmp_path, web=fetch_of(site, domains=["::1"]))
        run(tmp_path, *CRAWL)
        assert site.url.startswith("http://[::1]:")
        assert {"/robots.txt", "/two?b=1&a=2", "/a.jpg", "/d.jpg"} <= set(site.paths())
        assert "/private/" not in site.paths()
    run(tmp_path, *EXTRACT)
    assert f"{site.url}/a.jpg" in set(tables.read(tmp_path / "captures/web.csv", tables.Capture)["url"])


def test_what_is_private() -> None:
    for address in ("127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "::1", "fe80::1%eth0", "fd00::1"):
        assert is_private(address), address
    for address in ("93.184.216.34", "2606:2800:220:1::1", "a.example", ""):
        assert not is_private(address), address
    assert is_private_name("localhost")
    assert is_private_name("x.localhost")


def test_pages_have_a_limit_and_media_of_the_pages_that_were_fetched_have_none(work: Path, site: Site) -> None:
    write_params(work, web=fetch_of(site, max_pages=5, depth=1000))
    site.answers["/d.jpg"] = Answer("image/jpeg", JPEG["d"])
    site.answers["/"] = page('<a href="/calendar?day=0">calendar</a>')

    def calendar(request: BaseHTTPRequestHandler) -> None:
        day = int(request.path.partition("=")[2])
        answer = page(f'<a href="/calendar?day={day + 1}">next</a><img src="/d.jpg?day={day}">')
        request.send_response(200)
        request.send_header("Content-Type", answer.content_type)
        request.send_header("Content-Length", str(len(answer.body)))
        request.end_headers()
        request.wfile.write(answer.body)

    site.odd["/calendar"] = calendar
    said = run(work, *CRAWL)
    assert [path for path in site.paths() if "calendar" in path] == [f"/calendar?day={day}" for day in range(4)]
    assert len([path for path in site.paths() if "/d.jpg" in path]) == 4
    assert "followed no more links after max_pages" in said
    assert failures(work)["/calendar?day=4"] == "beyond the limit of 5 pages (max_pages)"


def test_a_crawl_has_a_time_and_the_next_one_goes_on(work: Path, site: Site) -> None:
    write_params(work, web=fetch_of(site, max_hours=1 / 3600))
    names = [f"/{number}.jpg" for number in range(60)]
    site.answers |= {name: Answer("image/jpeg", JPEG["a"]) for name in names}
    site.answers["/two"] = page("".join(f'<img src="{name}">' for name in names))
    site.delay = 0.05
    said = run(work, *CRAWL)
    assert "stopped after max_hours, with work left; the next crawl continues" in said
    first = set(site.paths()) & set(names)
    assert 0 < len(first) < 60
    write_params(work, web=fetch_of(site))
    site.seen.clear()
    run(work, *CRAWL)
    assert set(site.paths()) & set(names) == set(names) - first


def test_one_request_to_a_host_at_a_time_with_a_delay(work: Path, site: Site) -> None:
    write_params(work, web=fetch_of(site, delay=0.5))
    run(work, *CRAWL)
    times = sorted(site.times)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert len(gaps) >= 5
    assert min(gaps) > 0.2  # Scrapy draws each pause between half and one and a half of the delay


@pytest.mark.parametrize("concurrent", [1, 3])
def test_a_host_is_asked_no_more_at_a_time_than_was_said(work: Path, site: Site, concurrent: int) -> None:
    write_params(work, web=fetch_of(site, concurrent=concurrent))
    names = [f"/{number}.jpg" for number in range(12)]
    site.answers["/two"] = page("".join(f'<img src="{name}">' for name in names))
    now, most = set[str](), 0

    def slow(request: BaseHTTPRequestHandler) -> None:
        nonlocal most
        now.add(request.path)
        most = max(most, len(now))
        time.sleep(0.05)
        now.discard(request.path)
        Odd(200, {}, times=0)(request)

    site.odd |= dict.fromkeys(names, slow)
    run(work, *CRAWL)
    assert most == concurrent


def test_a_hostname_that_resolves_nowhere_is_listed(work: Path, site: Site) -> None:
    site.answers["/two"] = page('<img src="/d.jpg"><img src="http://nowhere.invalid/x.jpg">')
    write_params(work, web=fetch_of(site, retries=0))
    with pytest.raises(OSError):
        socket.getaddrinfo("nowhere.invalid", 80)
    run(work, *CRAWL)
    assert "nowhere.invalid" in failures(work)["/x.jpg"]


def test_what_one_crawl_knows_of_its_hosts_another_does_not() -> None:
    one, other = (get_crawler() for _ in range(2))
    hosts_of(one).pauses["a.example"] = 900.0
    hosts_of(one).refused.add("b.example")
    assert hosts_of(one).pauses == {"a.example": 900.0}
    assert hosts_of(other).pauses == {}
    assert hosts_of(other).refused == set()
