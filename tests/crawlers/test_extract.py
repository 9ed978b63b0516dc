import sys
from dataclasses import replace
from pathlib import Path

import pytest
from project import attempt, run
from served import CRAWL, EXTRACT, Site, fetch_of, write_params

from crawlers import extract
from crawlers.spiders import Found
from sengu import warc
from sengu.base import ids, tables

DATE = "2013-10-05T20:00:00Z"

# runs extract as a program, and writes down every attempt to look up a host or to connect, before extract's own refusal,
# and each time it loads the index of an archive file
WATCHED = """
import runpy, sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        print("OPENED", event, arguments, flush=True)
    if event == "open" and str(arguments[0]).endswith(".warc.gz.index"):
        print("LOADED", flush=True)
sys.addaudithook(watch)
sys.argv = ["extract", "web", "raw/web", "captures/web.csv"]
runpy.run_module("crawlers.extract", run_name="__main__")
"""


def test_captures_are_what_the_pages_show(work: Path, site: Site) -> None:
    run(work, *CRAWL)
    run(work, *EXTRACT)
    table = tables.read(work / "captures/web.csv", tables.Capture)
    rows = {row.url.removeprefix(site.url): row for row in table.itertuples()}
    assert {url: (row.status, row.tags) for url, row in rows.items()} == {
        "/a.jpg": (200, "Dots|round"),
        "/b.jpg": (200, "Dots|round"),
        "/c.JPG": (404, "Dots|round"),
    }
    assert rows["/a.jpg"].page == f"{site.url}/two?b=1&a=2"
    assert rows["/a.jpg"].urlId == ids.url_id(f"{site.url}/a.jpg")


def test_what_stands_behind_the_end_of_a_page_counts_as_in_a_browser(work: Path, site: Site) -> None:
    behind = site.answers["/two"].body + b'</HTML >\n<img src="/late.jpg">'
    site.answers["/two"] = replace(site.answers["/two"], body=behind)
    run(work, *CRAWL)
    run(work, *EXTRACT)
    assert f"{site.url}/late.jpg" in set(tables.read(work / "captures/web.csv", tables.Capture)["url"])


def test_no_connection_is_opened_and_the_archive_is_loaded_once(work: Path, site: Site) -> None:
    run(work, *CRAWL)
    site.seen.clear()
    said = run(work, sys.executable, "-c", WATCHED)
    assert "OPENED" not in said
    assert said.count("LOADED") == 1
    assert not site.seen
    assert len(tables.read(work / "captures/web.csv", tables.Capture)) == 3


def test_the_watch_sees_a_connection_and_extract_refuses_it(site: Site, tmp_path: Path) -> None:
    program = (
        f"{WATCHED.partition('sys.argv')[0]}\nfrom crawlers import replaying\nimport socket\nreplaying.forbid_connections()\n"
    )
    done = attempt(
        tmp_path, sys.executable, "-c", f"{program}socket.create_connection(('127.0.0.1', {site.url.rpartition(':')[2]}))"
    )
    assert done.returncode != 0
    assert "OPENED" in done.stdout
    assert "extract is offline, but something called socket" in done.stdout
    assert not site.seen


def test_replaying_again_gives_the_same_bytes_and_a_new_tag_rule_needs_no_crawl(work: Path, site: Site) -> None:
    run(work, *CRAWL)
    run(work, *EXTRACT)
    first = (work / "captures/web.csv").read_bytes()
    run(work, *EXTRACT)
    assert (work / "captures/web.csv").read_bytes() == first
    params = (work / "params.yaml").read_text()
    (work / "params.yaml").write_text(params.replace(".t a::text", "body > p::attr(class)"))
    site.seen.clear()
    run(work, *EXTRACT)
    assert set(tables.read(work / "captures/web.csv", tables.Capture)["tags"]) == {"t"}
    assert not site.seen


def test_no_archive_is_an_error(work: Path) -> None:
    done = attempt(work, *EXTRACT)
    assert done.returncode == 1
    assert "error: raw/web has no archive of site web: run `dvc repro crawl@web`" in done.stdout


def test_a_damaged_page_stops_the_replay(work: Path) -> None:
    run(work, *CRAWL)
    (path,) = warc.files(work / "raw/web", "web")
    (page,) = (entry for entry in warc.entries(path) if entry.url.endswith("two?b=1&a=2"))
    data = bytearray(path.read_bytes())
    data[page.offset + 300] ^= 0xFF
    path.write_bytes(bytes(data))
    done = attempt(work, *EXTRACT)
    assert done.returncode == 1
    assert "web-00000.warc.gz" in done.stdout
    assert not (work / "captures/web.csv").exists()


def test_one_row_per_url_and_page_with_all_its_tags(tmp_path: Path) -> None:
    writer = warc.Writer(tmp_path, "web", {})
    writer.response("http://a.example/1.jpg?b=1&a=2", DATE, 200, [(b"Last-Modified", b"Sat, 05 Oct 2013 19:00:00 GMT")], b"x")
    writer.close()
    found = [
        Found("http://a.example/1.jpg?a=2&b=1", "p1", ("x",)),
        Found("http://a.example/1.jpg?b=1&a=2", "p1", ("y",)),
        Found("http://a.example/1.jpg?b=1&a=2", "p2", ()),
        Found("http://a.example/never.jpg", "p2", ()),
    ]
    rows = list(extract.extract(found, warc.read(tmp_path, "web")))
    assert [(row.url, row.page, row.tags, row.status, row.modified) for row in rows] == [
        ("http://a.example/1.jpg?b=1&a=2", "p1", "x|y", 200, "2013-10-05T19:00:00Z"),
        ("http://a.example/1.jpg?b=1&a=2", "p2", "", 200, "2013-10-05T19:00:00Z"),
        ("http://a.example/never.jpg", "p2", "", 0, ""),
    ]


def test_files_of_a_folder_are_tagged_by_the_folders_above_them(tmp_path: Path) -> None:
    (tmp_path / "camera/cats/big").mkdir(parents=True)
    (tmp_path / "camera/cats/big/a b.jpg").write_bytes(b"x")
    write_params(tmp_path, web={"source": "folder", "folder": "camera", "device": "camera 7"})
    run(tmp_path, *CRAWL)
    run(tmp_path, *EXTRACT)
    (row,) = tables.read(tmp_path / "captures/web.csv", tables.Capture).itertuples()
    assert (row.tags, row.filename, row.device, row.status) == ("big|cats", "cats/big/a b.jpg", "camera 7", 200)
    assert row.modified


@pytest.mark.parametrize("fetch", [{"reproducible": True, "demo": "demo_a"}])
def test_every_kind_of_the_demo_is_found(tmp_path: Path, site: Site, fetch: dict[str, object]) -> None:
    write_params(tmp_path, web=fetch_of(site) | {"start": ["http://demo-a.example/stripes/25"], "domains": []} | fetch)
    run(tmp_path, *CRAWL)
    run(tmp_path, *EXTRACT)
    urls = set(tables.read(tmp_path / "captures/web.csv", tables.Capture)["url"])
    assert {"http://demo-a.example/old/stripes.jpg", "http://demo-a.example/pictures/photo.webp"} <= urls


@pytest.mark.parametrize(
    ("pattern", "operator", "subject"),
    [
        ("", "Ada", "patient 7"),
        ("(?P<subject>[^/]+)/(?P<operator>[^/]+)/", "bob", "mouse 3"),  # what the path says goes before what was stated
        ("(?P<subject>mouse \\d)", "Ada", "mouse 3"),
        ("(?P<subject>rat)", "Ada", "patient 7"),
    ],
)
def test_operator_and_subject_come_from_headers_or_the_path(tmp_path: Path, pattern: str, operator: str, subject: str) -> None:
    stated = {"File-Modified": DATE, "File-Device": "scope", "File-Operator": "Ada", "File-Subject": "patient 7"}
    writer = warc.Writer(tmp_path, "web", {})
    writer.resource("file://web/mouse%203/bob/1.jpg", DATE, stated, b"x")
    writer.close()
    archive = warc.read(tmp_path, "web")
    (row,) = extract.extract(extract.from_files(archive, pattern), archive)
    assert (row.operator, row.subject, row.device, row.modified) == (operator, subject, "scope", DATE)
