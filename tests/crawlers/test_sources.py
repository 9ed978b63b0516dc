"""Sources beside web sites that the generic spider walks: folders, buckets, archives of others, and a special site."""

import base64
import gzip
import hashlib
import os
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from PIL import Image
from project import attempt, needs, run
from scrapy.http import HtmlResponse
from served import CRAWL, EXTRACT, JPEG, Site, failures, fetch_of, page, write_params
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from crawlers.demo.sites import Answer
from crawlers.sources import spider_class
from crawlers.spiders.generic import GenericSpider
from sengu import warc
from sengu.base import tables
from sengu.base.errors import SenguError
from sengu.base.params import GenericFetch, Read
from sengu.repository.dvc_lock import dvc_hash

PAGES = Path(__file__).with_name("pages")
FETCH = GenericFetch(source="generic", start=["http://a.example/"])


def captures(folder: Path) -> dict[str, tables.Capture]:
    rows = tables.rows(tables.read(folder / "captures/web.csv", tables.Capture), tables.Capture)
    return {row.url.rpartition("/")[2]: row for row in rows}


# a special site: one spider, one saved page, one offline test


def test_json_ld_pages_give_full_size_files_and_their_keywords() -> None:
    spider = spider_class("json_ld")(fetch=FETCH, read=Read())
    saved = HtmlResponse("http://a.example/works/heron?from=list", body=(PAGES / "json_ld.html").read_bytes())
    assert list(spider.media(saved)) == ["/full/heron.jpg", "/full/heron-detail.jpg"]
    assert sorted(tag.strip() for tag in spider.tags(saved)) == ["bird", "detail", "ink", "paper"]
    assert list(spider.links(saved)) == ["http://a.example/works/crane"]
    assert spider.identity(saved) == "http://a.example/works/heron"


def test_a_special_site_is_crawled_and_replayed_by_its_own_spider(work: Path, site: Site) -> None:
    site.answers |= {
        "/": Answer("text/html", (PAGES / "json_ld.html").read_bytes()),
        "/full/heron.jpg": Answer("image/jpeg", JPEG["a"]),
        "/full/heron-detail.jpg": Answer("image/jpeg", JPEG["b"]),
        "/small/heron.jpg": Answer("image/jpeg", JPEG["c"]),
    }
    write_params(work, web=fetch_of(site, spider="json_ld"))
    run(work, *CRAWL)
    assert "/small/heron.jpg" not in site.paths()
    run(work, *EXTRACT)
    assert {name: row.tags for name, row in captures(work).items()} == {
        "heron.jpg": "bird|detail|ink|paper",
        "heron-detail.jpg": "bird|detail|ink|paper",
    }


@pytest.mark.parametrize(("name", "message"), [("nowhere", "crawlers/spiders/nowhere.py"), ("folder", "has 0 classes")])
def test_a_spider_that_does_not_exist_is_named(work: Path, site: Site, name: str, message: str) -> None:
    with pytest.raises(SenguError, match=message):
        spider_class(name)
    write_params(work, web=fetch_of(site, spider=name))
    done = attempt(work, *CRAWL)
    assert done.returncode == 1
    assert message in done.stdout.splitlines()[-1]


# what a site may narrow


def test_patterns_say_what_is_followed_and_what_is_taken(work: Path, site: Site) -> None:
    site.answers |= {
        "/": page('<a href="/gallery/1">1</a><a href="/shop/1">2</a><img src="/logo.jpg">'),
        "/gallery/1": page('<img src="/full/a.jpg"><img src="/thumb/a.jpg">'),
        "/full/a.jpg": Answer("image/jpeg", JPEG["a"]),
    }
    write_params(work, web=fetch_of(site, follow=["/gallery/"], take=["/full/", r"\\.png$"]))
    run(work, *CRAWL)
    assert site.paths() == ["/robots.txt", "/", "/gallery/1", "/full/a.jpg"]
    run(work, *EXTRACT)
    assert set(captures(work)) == {"a.jpg"}


def test_a_page_is_known_by_its_canonical_link_within_the_site(work: Path, site: Site) -> None:
    shown = '<p class="t"><a>{tag}</a></p><img src="/a.jpg">'
    site.answers |= {
        "/": page('<a href="/print">1</a><a href="/real">2</a><a href="/foreign">3</a>'),
        "/print": page('<link rel="canonical" href="/real">' + shown.format(tag="printed")),
        "/real": page(shown.format(tag="dots")),
        "/foreign": page('<link rel="canonical" href="http://elsewhere.invalid/">' + shown.format(tag="lines")),
    }
    run(work, *CRAWL)
    run(work, *EXTRACT)
    rows = tables.read(work / "captures/web.csv", tables.Capture)
    assert {(row.page.removeprefix(site.url), row.tags) for row in rows.itertuples()} == {
        ("/real", "dots|printed"), ("/foreign", "lines"),
    }  # fmt: skip


def test_one_address_under_many_spellings_is_fetched_once(work: Path, site: Site) -> None:
    site.answers |= {
        "/": page(
            '<a href="/two?utm_source=x&b=1">1</a><a href="/two?b=1#top">2</a>'
            '<a href="/tag/猫">3</a><a href="/tag/%e7%8c%ab">4</a>'
        ),
        "/two": page('<img src="/a.jpg?fbclid=1"><img src="/a.jpg?v=1"><img src="/a.jpg?ref=z&v=1">'),
        "/tag/%E7%8C%AB": page(""),
    }
    write_params(work, web=fetch_of(site))
    params = (work / "params.yaml").read_text()
    (work / "params.yaml").write_text(params.replace("tags:", "tracking: ['utm_*', fbclid, ref]\n      tags:"))
    run(work, *CRAWL)
    asked = [path for path in site.paths() if path != "/robots.txt"]
    assert sorted(path.partition("?")[0] for path in asked) == ["/", "/a.jpg", "/a.jpg", "/tag/%E7%8C%AB", "/two"]
    run(work, *EXTRACT)
    assert len(captures(work)) == 2


def test_what_a_page_once_showed_stays_a_capture_and_the_latest_tags_count(work: Path, site: Site) -> None:
    run(work, *CRAWL)
    run(work, *EXTRACT)
    before = captures(work)
    assert before["a.jpg"].tags == "Dots|round"
    site.answers["/two"] = page('<p class="t"><a>stripes</a></p><img src="/b.jpg">')
    run(work, *CRAWL)
    site.answers["/"] = page('<a href="/three">3</a>')  # nor does any page lead to /two now
    site.answers["/three"] = page('<img src="/d.jpg">')
    run(work, *CRAWL)
    run(work, *EXTRACT)
    after = captures(work)
    assert set(after) == {*before, "d.jpg"}
    assert after["a.jpg"] == before["a.jpg"]
    assert after["b.jpg"].tags == "stripes"


def test_a_page_redirected_out_of_the_site_is_not_read(work: Path, site: Site) -> None:
    port = site.url.rpartition(":")[2]
    site.answers["/"] = page('<a href="/two">1</a><a href="/out">2</a>')
    site.answers["/out"] = Answer("text/html", b"", 302, f"http://localhost:{port}/three")
    site.answers["/three"] = page('<img src="/c.jpg">')
    run(work, *CRAWL)
    assert "/c.jpg" not in site.paths()
    assert "outside the site's domains" in failures(work)["/out"]


# folders


def camera(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / "camera" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(JPEG["a"] + name.encode())
        os.utime(path, (1_000_000_000, 1_000_000_000))


def test_a_pattern_finds_tags_and_device_in_the_paths_of_files(tmp_path: Path) -> None:
    camera(tmp_path, "scope-3/healthy/2024/x.jpg", "scope-4/sick/y.jpg", "loose.jpg")
    write_params(tmp_path, web={"source": "folder", "folder": "camera", "device": "bench"})
    params = (tmp_path / "params.yaml").read_text()
    pattern = r"path: '^(?P<device>[^/]+)/(?P<tag>[^/]+)/'"
    (tmp_path / "params.yaml").write_text(params.replace("read:", f"read:\n      {pattern}"))
    run(tmp_path, *CRAWL)
    run(tmp_path, *EXTRACT)
    assert {name: (row.device, row.tags, row.filename, row.modified) for name, row in captures(tmp_path).items()} == {
        "x.jpg": ("scope-3", "healthy", "scope-3/healthy/2024/x.jpg", "2001-09-09T01:46:40Z"),
        "y.jpg": ("scope-4", "sick", "scope-4/sick/y.jpg", "2001-09-09T01:46:40Z"),
        "loose.jpg": ("bench", "", "loose.jpg", "2001-09-09T01:46:40Z"),
    }


def test_a_capture_says_when_by_whom_of_whom_and_with_what_it_was_taken(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Maker", "M 1"
    exif.get_ifd(0x8769)[0x9003] = "2024:03:01 10:20:30"
    camera(tmp_path, "mori/patient-7/left.jpg", "mori/patient-8/か\u3099.jpg")
    Image.new("RGB", (8, 8)).save(tmp_path / "camera/mori/patient-7/left.jpg", exif=exif)
    write_params(tmp_path, web={"source": "folder", "folder": "camera"})
    params = (tmp_path / "params.yaml").read_text()
    pattern = r"path: '^(?P<operator>[^/]+)/(?P<subject>patient-\d+)/(?P<tag>か)?'"
    (tmp_path / "params.yaml").write_text(params.replace("read:", f"read:\n      {pattern}"))
    run(tmp_path, *CRAWL)
    run(tmp_path, *EXTRACT)
    first = tables.read(tmp_path / "captures/web.csv", tables.Capture)
    assert [(row.filename, row.taken, row.camera, row.operator, row.subject, row.tags) for row in first.itertuples()] == [
        ("mori/patient-8/が.jpg", "2001-09-09T01:46:40Z", "", "mori", "patient-8", ""),
        ("mori/patient-7/left.jpg", "2024-03-01T10:20:30", "Maker M 1", "mori", "patient-7", ""),
    ]
    run(tmp_path, *EXTRACT)  # from the index that the first run left
    assert tables.read(tmp_path / "captures/web.csv", tables.Capture).equals(first)


# buckets


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in (("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "x"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_a_bucket_prefix_is_archived_and_only_changes_are_added(tmp_path: Path, s3: str) -> None:
    client = boto3.client("s3", endpoint_url=s3)
    client.create_bucket(Bucket="lab")
    odd = "scope/sick/Küche 100%.jpg"
    for key in ("scope/healthy/a.jpg", odd, "scope/healthy/", "other/b.jpg"):
        client.put_object(Bucket="lab", Key=key, Body=b"" if key.endswith("/") else JPEG["a"] + key.encode())
    fetch = {"source": "s3", "url": "s3://lab/scope/", "endpoint": s3, "device": "scope 3"}
    write_params(tmp_path, web=fetch)
    run(tmp_path, *CRAWL)
    run(tmp_path, *EXTRACT)
    found = {row.filename: row for row in captures(tmp_path).values()}
    assert set(found) == {"scope/healthy/a.jpg", odd}
    assert found[odd].tags == "scope|sick"
    assert found[odd].device == "scope 3"
    assert found[odd].modified
    archive = warc.read(tmp_path / "raw/web", "web")
    assert warc.payload(archive.find("s3://lab/scope/healthy/a.jpg")) == JPEG["a"] + b"scope/healthy/a.jpg"

    before = dvc_hash(tmp_path / "raw/web")
    run(tmp_path, *CRAWL)
    assert dvc_hash(tmp_path / "raw/web") == before
    client.put_object(Bucket="lab", Key="scope/new.jpg", Body=JPEG["b"])
    run(tmp_path, *CRAWL)
    assert [entry.url for entry in warc.entries(warc.files(tmp_path / "raw/web", "web")[-1])] == ["s3://lab/scope/new.jpg"]


def test_a_bucket_that_is_not_there_is_named(tmp_path: Path, s3: str) -> None:
    write_params(tmp_path, web={"source": "s3", "url": "s3://nowhere/x", "endpoint": s3})
    done = attempt(tmp_path, *CRAWL)
    assert done.returncode == 1
    assert "s3://nowhere/x cannot be listed: " in done.stdout.splitlines()[-1]
    assert "check the address and the AWS_* variables" in done.stdout.splitlines()[-1]


# archives of others


def others(path: Path, compressed: bool = True) -> None:
    """A WARC as other crawlers write it: requests, chunks, DNS look-ups, a revisit, a page and what it shows."""

    def response(url: str, kind: str, body: bytes, chunked: bool = False) -> None:
        headers = [("Content-Type", kind), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
        if chunked:
            headers.append(("Transfer-Encoding", "chunked"))
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        answer = StatusAndHeaders("200 OK", headers, protocol="HTTP/1.1")
        writer.write_record(writer.create_warc_record(url, "response", payload=BytesIO(body), http_headers=answer))

    with path.open("wb") as stream:
        writer = WARCWriter(stream, gzip=compressed)
        writer.write_record(writer.create_warcinfo_record(path.name, {"software": "another/1.0"}))
        writer.write_record(
            writer.create_warc_record("dns:b.example", "response", BytesIO(b"b.example. 1"), warc_content_type="text/dns")
        )
        html = b'<p class="t"><a>old</a></p><img src="/a.jpg"><img src="/same.jpg"><a href="/two">2</a>'
        response("http://b.example/", "text/html", html, chunked=True)
        asked = StatusAndHeaders("GET / HTTP/1.1", [("Host", "b.example")], is_http_request=True)
        writer.write_record(writer.create_warc_record("http://b.example/", "request", http_headers=asked))
        response("http://b.example/a.jpg", "image/jpeg", JPEG["a"])
        digest = f"sha1:{base64.b32encode(hashlib.sha1(JPEG['a']).digest()).decode()}"
        there = ("http://b.example/a.jpg", "2013-10-05T20:00:00Z")
        writer.write_record(writer.create_revisit_record("http://b.example/same.jpg", digest, *there))
        response("http://b.example/orphan", "text/html", b'<img src="/orphan.jpg">')


@pytest.mark.parametrize("kind", ["records", "whole", "plain"])
def test_a_warc_made_by_others_is_a_site_of_its_own(tmp_path: Path, kind: str) -> None:
    (tmp_path / "old").mkdir()
    name = "crawl-2009.warc" if kind == "plain" else "crawl-2009.warc.gz"
    others(tmp_path / "old" / name, compressed=kind == "records")
    if kind == "whole":
        (tmp_path / "old" / name).write_bytes(gzip.compress((tmp_path / "old" / name).read_bytes()))
    write_params(tmp_path, web={"source": "warc", "files": ["old/*.warc*"]})
    assert "7 records copied" in run(tmp_path, *CRAWL)
    run(tmp_path, sys.executable, "-m", "warcio.cli", "check", *map(str, warc.files(tmp_path / "raw/web", "web")))
    run(tmp_path, *EXTRACT)
    assert {name: (row.status, row.tags, row.page) for name, row in captures(tmp_path).items()} == {
        "a.jpg": (200, "old", "http://b.example/"),
        "same.jpg": (200, "old", "http://b.example/"),
        "orphan.jpg": (0, "", "http://b.example/orphan"),
    }
    archive = warc.read(tmp_path / "raw/web", "web")
    assert warc.payload(archive.resolve("http://b.example/same.jpg")) == JPEG["a"]
    assert ("Set-Cookie", "b=2") in warc.headers_and_body(archive.find("http://b.example/"))[0]

    before = dvc_hash(tmp_path / "raw/web")
    assert "0 records copied" in run(tmp_path, *CRAWL)
    assert dvc_hash(tmp_path / "raw/web") == before


def test_a_file_that_is_no_warc_is_named_and_leaves_nothing_half(tmp_path: Path) -> None:
    others(tmp_path / "a.warc.gz")
    whole = (tmp_path / "a.warc.gz").read_bytes()
    for data, message in (
        (b"text", "a.warc.gz: damaged or cut off after byte"),
        (whole[:-5], "a.warc.gz: damaged or cut off after byte"),
    ):
        (tmp_path / "a.warc.gz").write_bytes(data)
        write_params(tmp_path, web={"source": "warc", "files": ["a.warc.gz"]})
        done = attempt(tmp_path, *CRAWL)
        assert done.returncode == 1
        assert message in done.stdout.splitlines()[-1]
    write_params(tmp_path, web={"source": "warc", "files": ["nowhere/*.warc"]})
    assert "sites.web.fetch.files: nowhere/*.warc is not a file" in attempt(tmp_path, *CRAWL).stdout


@needs("wget", "wget")
def test_an_archive_made_by_wget(tmp_path: Path, site: Site) -> None:
    site.answers["/two"] = page('<p class="t"><a>dots</a></p><img src="/a.jpg"><img src="/b.jpg">')
    (tmp_path / "old").mkdir()
    options = (
        "--recursive",
        "--page-requisites",
        "--quiet",
        "--warc-file=../old",
        "--no-warc-compression",
        "--execute",
        "robots=off",
    )
    attempt(tmp_path / "old", "wget", *options, f"{site.url}/")
    write_params(tmp_path, web={"source": "warc", "files": ["old*.warc"]})
    run(tmp_path, *CRAWL)
    run(tmp_path, *EXTRACT)
    found = captures(tmp_path)
    assert found["a.jpg"].tags == "dots"
    archive = warc.read(tmp_path / "raw/web", "web")
    assert warc.payload(archive.resolve(found["a.jpg"].url)) == JPEG["a"]
    assert warc.payload(archive.resolve(found["b.jpg"].url)) == JPEG["d"]  # by its redirect


def test_an_own_class_is_found_by_its_module() -> None:
    assert spider_class("generic") is GenericSpider


@pytest.mark.parametrize("link", ["data", "data/raw", "data/raw/web"])
def test_data_behind_a_link_is_refused_before_anything_is_fetched(tmp_path: Path, link: str) -> None:
    """DVC would refuse the archive when it is fetched."""
    folder, disk = tmp_path / "project", tmp_path / "disk"
    (folder / link).parent.mkdir(parents=True)
    disk.mkdir()
    (folder / link).symlink_to(disk)
    (folder / "camera").mkdir()
    (folder / "camera/a.jpg").write_bytes(JPEG["a"])
    write_params(folder, web={"source": "folder", "folder": "camera"})
    done = attempt(folder, *CRAWL[:-2], "data/raw/web", "data/failed/web.csv")
    assert done.returncode == 1
    assert done.stdout.startswith(f"error: {link} is a link to {disk}, and DVC takes no output outside the repository: make it")
    assert not list(disk.iterdir())


def test_a_table_that_dvc_linked_into_its_cache_is_replaced_and_the_cache_left_alone(tmp_path: Path) -> None:
    cached, failed = tmp_path / "disk/cached", tmp_path / "project/data/failed/web.csv"
    cached.parent.mkdir()
    failed.parent.mkdir(parents=True)
    tables.write(cached, tables.frame([tables.Failed("file://web/old.jpg", "", -1, "gone")], tables.Failed), tables.Failed)
    before = cached.read_bytes()
    failed.symlink_to(cached)
    (tmp_path / "project/camera").mkdir()
    (tmp_path / "project/camera/a.jpg").write_bytes(JPEG["a"])
    write_params(tmp_path / "project", web={"source": "folder", "folder": "camera"})
    run(tmp_path / "project", *CRAWL[:-2], "data/raw/web", "data/failed/web.csv")
    assert not failed.is_symlink()
    assert cached.read_bytes() == before
