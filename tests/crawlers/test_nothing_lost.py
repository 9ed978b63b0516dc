"""Whatever is seen on a page is fetched, or stands in data/failed with its reason: crawls of awkward sites that count."""

from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from project import attempt, run
from scrapy.http import HtmlResponse
from served import CRAWL, EXTRACT, HTML, JPEG, Site, failures, fetch_of, page, write_params

from crawlers.demo.sites import Answer
from crawlers.media import shown_addresses
from crawlers.pages import Page, is_cookie_wall
from sengu import warc
from sengu.base import tables
from sengu.repository.dvc_lock import dvc_hash

PICTURE = Answer("image/jpeg", JPEG["a"])


def sent(body: bytes, status: int = 200, kind: str = HTML, **headers: str):  # type: ignore[no-untyped-def]
    """An answer with headers of its own; `_` in their names stands for a hyphen."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"Content_Type": kind, "Content_Length": str(len(body)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return answer


def captured(folder: Path, site: Site) -> set[str]:
    run(folder, *EXTRACT)
    return {url.removeprefix(site.url) for url in tables.read(folder / "captures/web.csv", tables.Capture)["url"]}


def test_every_picture_of_an_awkward_page_is_fetched_or_listed(work: Path, site: Site) -> None:
    long = f"/long.jpg?x={'y' * 3000}"
    data = f"data:image/png;base64,{'A' * 16_384}"
    shown = {
        "/set.jpg": '<img srcset="/small.jpg 1.2.3x, /set.jpg 2x">',
        "/base.jpg": '<img src="/base.jpg">',
        long: f'<img src="{long}">',
        "/style.jpg": "<style>.a { background: url( '/style.jpg' ) } @font-face { src: url(/font.woff2) }</style>",
        "/og.jpg": '<meta name="og:image" content="/og.jpg">',
        "/twitter.jpg": '<meta property="twitter:image" content="/twitter.jpg">',
    }
    listed = {
        "/gone.jpg": ('<img src="/gone.jpg">', "status 404"),
        "/moved.jpg": ('<img src="/gone.jpg"><img src="/moved.jpg">', f"redirected to {site.url}/gone.jpg: status 404"),
        "/empty.jpg": ('<img src="/empty.jpg">', "status 204, no content"),
        "/part.jpg": ('<img src="/part.jpg">', "status 206, a part of the whole"),
        "http://[x": ('<img src="http://[x">', "not an address"),
        "ftp://a.example/x.jpg": ('<img src="ftp://a.example/x.jpg">', "an address of ftp:, which is not asked for"),
        "/secret.jpg": ('<img src="http://user:hunter2@127.0.0.1/secret.jpg">', "holds a user name or password"),
        f"{data[:200]}… ({len(data)} characters)": (f'<img srcset="{data} 2x">', "stands in the page itself"),
    }
    site.answers = {path.partition("?")[0]: PICTURE for path in shown}
    site.odd |= {
        "/empty.jpg": sent(b"", 204, "image/jpeg"),
        "/part.jpg": sent(JPEG["a"][:9], 206, "image/jpeg", Content_Range=f"bytes 0-8/{len(JPEG['a'])}"),
    }
    site.answers["/moved.jpg"] = Answer(HTML, b"", 302, "/gone.jpg")
    site.answers["/"] = page(f'<base href="http://[x">{"".join(shown.values())}{"".join(html for html, _ in listed.values())}')
    said = run(work, *CRAWL)
    assert {path for path, _ in site.seen} >= set(shown)
    reasons = failures(work)
    assert {url for url in reasons if url != "/robots.txt"} == {
        url if "://" not in url else "/" + url.split("/", 3)[-1] for url in listed
    }
    for url, (_, reason) in listed.items():
        assert reason in reasons[url if "://" not in url else "/" + url.split("/", 3)[-1]]
    assert "hunter2" not in said + (work / "failed/web.csv").read_text()
    assert "/font.woff2" not in site.paths()
    assert captured(work, site) >= set(shown)
    asked = len(site.seen)
    run(work, *CRAWL)  # which asks again for what failed, and only for that
    assert failures(work) == reasons
    assert not set(shown) & set(site.paths()[asked:])


def test_pictures_of_a_page_that_refreshes_itself_are_taken_and_the_next_page_is_followed(work: Path, site: Site) -> None:
    refresh = '<meta http-equiv="Refresh" content="5; URL=/next"><img src="/a.jpg">'
    site.answers |= {"/": page(refresh), "/next": page('<img src="/d.jpg">')}
    write_params(work, web=fetch_of(site, depth=0))
    run(work, *CRAWL)
    assert {"/a.jpg", "/d.jpg"} <= set(site.paths())
    assert captured(work, site) == {"/a.jpg", "/d.jpg"}


def test_a_base_counts_wherever_it_stands(work: Path, site: Site) -> None:
    site.answers["/"] = page(f'{" " * 5000}<base href="/deep/"><img src="a.jpg"><a href="b">b</a>')
    site.answers |= {"/deep/a.jpg": PICTURE, "/deep/b": page('<img src="/d.jpg">')}
    run(work, *CRAWL)
    assert {"/deep/a.jpg", "/d.jpg"} <= set(site.paths())
    assert captured(work, site) == {"/deep/a.jpg", "/d.jpg"}


@pytest.mark.parametrize("base", ["http://[x", "http://127.0.0.1:99999/", "mailto:a@b.example", "data:text/html,x", ""])
def test_a_base_that_is_none_harms_nothing(base: str) -> None:
    shown = Page.of(HtmlResponse("http://a.example/dir/", body=f'<base href="{base}"><img src="a.jpg">'.encode()))
    assert [shown.urljoin(address) for address in shown_addresses(shown, "all")] == ["http://a.example/dir/a.jpg"]


def test_a_start_page_that_adds_a_session_id_loses_nothing_and_adds_nothing_when_crawled_again(work: Path, site: Site) -> None:
    visits = iter(range(100))
    shown = page('<img src="/a.jpg">').body

    def start(request: BaseHTTPRequestHandler) -> None:
        if "PHPSESSID" in request.path:
            sent(shown)(request)
        else:
            sent(b"", 302, Location=f"/?PHPSESSID={next(visits)}")(request)

    site.odd["/"] = start
    run(work, *CRAWL)
    assert "/a.jpg" in site.paths()
    assert failures(work) == {}
    assert captured(work, site) == {"/a.jpg"}
    before = dvc_hash(work / "raw/web")
    run(work, *CRAWL)
    assert dvc_hash(work / "raw/web") == before


@pytest.mark.parametrize("to", ["/", "/?PHPSESSID=1"])
def test_a_cookie_wall_is_said_to_be_one(work: Path, site: Site, to: str) -> None:
    site.odd["/"] = sent(b"", 302, Location=to, Set_Cookie="seen=1")
    done = attempt(work, *CRAWL)
    assert done.returncode == 1
    assert failures(work)["/"].startswith("a cookie wall: the site sends whoever does not return its cookie in a circle")


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        ("<script>document.cookie = 'seen=1'; location.reload()</script>", {}, True),
        ("<script>location.href = '/'</script>", {"Set-Cookie": "seen=1"}, True),
        ("<meta HTTP-EQUIV=refresh content=0>", {"Set-Cookie": "seen=1"}, True),
        ("<p>nothing here</p>", {"Set-Cookie": "seen=1"}, False),
        ("<script>location.href = '/next'</script>", {}, False),
    ],
)
def test_a_page_that_sets_a_cookie_and_loads_again_is_a_cookie_wall(body: str, headers: dict[str, str], expected: bool) -> None:
    assert is_cookie_wall(HtmlResponse("http://a.example/", headers=headers, body=body.encode())) == expected


def test_a_cookie_wall_that_a_script_puts_up_is_said_to_be_one(work: Path, site: Site) -> None:
    site.answers["/"] = page("<script>document.cookie = 'seen=1'; location.reload()</script>")
    site.answers["/two"] = page("<script>document.cookie = 'seen=1'; location.reload()</script><img src='/a.jpg'>")
    write_params(work, web=fetch_of(site, start=[f"{site.url}/", f"{site.url}/two"]))
    run(work, *CRAWL)
    assert failures(work) == {"/": "a cookie wall: the page shows nothing without a cookie"}


def test_what_no_time_was_left_for_is_listed(work: Path, site: Site) -> None:
    write_params(work, web=fetch_of(site, max_hours=1 / 3600))
    names = [f"/{number}.jpg" for number in range(60)]
    site.answers |= dict.fromkeys(names, PICTURE)
    site.answers["/"] = page("".join(f'<img src="{name}">' for name in names))
    site.delay = 0.05
    run(work, *CRAWL)
    left = {
        url for url, reason in failures(work).items() if reason == "not asked for before the crawl ended (closespider_timeout)"
    }
    assert left
    entries = warc.read(work / "raw/web", "web")
    assert left | {entry.url.removeprefix(site.url) for entry in entries} >= set(names)


def test_a_page_is_the_referer_of_its_pictures_also_where_they_moved(work: Path, site: Site) -> None:
    site.answers["/"] = page('<img src="/a.jpg"><img src="/b.jpg"><a href="/two">two</a>')
    site.answers["/two"] = page("")
    run(work, *CRAWL)
    referers = {path: headers.get("Referer", "") for path, headers in site.seen}
    own = f"{site.url}/"
    assert referers == {"/robots.txt": "", "/": "", "/a.jpg": own, "/b.jpg": own, "/d.jpg": own, "/two": ""}


def test_no_referer_is_sent_where_that_is_switched_off(work: Path, site: Site) -> None:
    write_params(work, web=fetch_of(site, referer=False))
    run(work, *CRAWL)
    assert "/a.jpg" in site.paths()
    assert not [path for path, headers in site.seen if "Referer" in headers]


def test_answers_that_a_proxy_changed_and_parts_that_are_the_whole_are_answers(work: Path, site: Site) -> None:
    site.odd["/"] = sent(page('<img src="/a.jpg">').body, 203)
    whole = f"bytes 0-{len(JPEG['a']) - 1}/{len(JPEG['a'])}"
    site.odd["/a.jpg"] = sent(JPEG["a"], 206, "image/jpeg", Content_Range=whole)
    assert "1 pages, 1 media, 0 failures" in run(work, *CRAWL)
    assert captured(work, site) == {"/a.jpg"}
    assert warc.read(work / "raw/web", "web").find(f"{site.url}/a.jpg").is_good


def test_an_empty_or_cut_answer_does_not_take_the_place_of_a_good_one(work: Path, site: Site) -> None:
    run(work, *CRAWL)
    site.answers["/two"] = Answer(HTML, b"")
    attempt(work, *CRAWL)
    assert captured(work, site) == {"/a.jpg", "/b.jpg", "/c.JPG"}


@pytest.mark.parametrize("start", ["{host}/", "HTTP://{host}/", "{host}"])
def test_a_start_may_be_typed_as_people_type(work: Path, site: Site, start: str) -> None:
    write_params(work, web=fetch_of(site, start=[start.format(host=site.url.removeprefix("http://"))], domains=[]))
    run(work, *CRAWL)
    assert "/a.jpg" in site.paths()


@pytest.mark.parametrize(
    "start", [["http://user:hunter2@127.0.0.1/"], ["user:hunter2@127.0.0.1/"], "http://user:hunter2@127.0.0.1/"]
)
def test_a_start_with_a_password_is_refused_and_not_repeated(work: Path, site: Site, start: object) -> None:
    write_params(work, web=fetch_of(site) | {"start": start})
    done = attempt(work, *CRAWL)
    assert done.returncode == 1
    assert "sites.web.fetch" in done.stdout.splitlines()[-1]
    assert "hunter2" not in done.stdout


def test_links_to_folders_are_followed_but_not_in_a_circle_and_an_empty_folder_is_said_to_be(tmp_path: Path) -> None:
    write_params(tmp_path, web={"source": "folder", "folder": "camera"})
    (tmp_path / "camera/a").mkdir(parents=True)
    assert "the folder is empty" in attempt(tmp_path, *CRAWL).stdout.splitlines()[-1]
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/x.jpg").write_bytes(JPEG["a"])
    (tmp_path / "camera/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "camera/a/up").symlink_to(tmp_path / "camera")
    (tmp_path / "camera/gone.jpg").symlink_to(tmp_path / "nowhere")
    run(tmp_path, *CRAWL)
    assert [entry.url for entry in warc.read(tmp_path / "raw/web", "web")] == ["file://web/linked/x.jpg"]
    table = tables.read(tmp_path / "failed/web.csv", tables.Failed)
    assert dict(zip(table["url"], table["reason"], strict=True)) == {
        "file://web/a/up/": "a link in a circle",
        "file://web/gone.jpg": "a link to a file that is not there",
    }


SPIDER = """
from crawlers.spiders.generic import GenericSpider
class Broken(GenericSpider):
    name = "broken"
    def media(self, response):
        yield from super().media(response)
        if response.url.endswith("/two"):
            raise KeyError("no such thing")
"""


def test_a_page_that_cannot_be_read_costs_no_other(tmp_path: Path, site: Site, work: Path) -> None:
    # a special spider in a module that only this test can import
    program = (
        "import runpy, sys, types; module = types.ModuleType('crawlers.spiders.broken'); "
        f"exec({SPIDER.replace('class Broken', 'class Broken')!r}, module.__dict__); "
        "module.Broken.__module__ = 'crawlers.spiders.broken'; sys.modules['crawlers.spiders.broken'] = module; "
        "sys.argv = sys.argv[1:]; runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=False)"
    )
    write_params(work, web=fetch_of(site, spider="broken"))
    site.answers["/"] = page('<a href="/two">two</a><a href="/three">three</a>')
    site.answers["/three"] = page('<img src="/d.jpg">')
    (crawl, extract) = ([CRAWL[0], "-c", program, *command[2:]] for command in (CRAWL, EXTRACT))
    run(work, *crawl)
    assert failures(work)["/two"] == "media cannot be read: KeyError: 'no such thing'"
    assert {"/a.jpg", "/d.jpg"} <= set(site.paths())
    said = run(work, *extract)
    assert "/two: media cannot be read: KeyError: 'no such thing'" in said
    urls = tables.read(work / "captures/web.csv", tables.Capture)["url"]
    assert {"/two", "/a.jpg", "/d.jpg"} <= {url.removeprefix(site.url) for url in urls}
