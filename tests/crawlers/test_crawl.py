"""Real crawls, each a program of its own, of a real server."""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from project import attempt, environment, run
from served import CRAWL, JPEG, Site, failures, fetch_of, page, write_params

from crawlers.demo import pictures
from crawlers.demo.server import send
from crawlers.demo.sites import Answer
from sengu import warc
from sengu.base import tables
from sengu.repository.dvc_lock import dvc_hash
from sengu.warc import packing


def captures(folder: Path) -> dict[str, warc.Entry]:
    return {
        entry.url.partition("/")[2].partition("/")[2].partition("/")[2]: entry for entry in warc.read(folder / "raw/web", "web")
    }


def test_pages_and_media_are_archived_as_they_came(work: Path, site: Site) -> None:
    said = run(work, *CRAWL)
    found = captures(work)
    assert {name: entry.status for name, entry in found.items()} == {
        "robots.txt": 200, "": 200, "two?b=1&a=2": 200, "a.jpg": 200, "b.jpg": 301, "d.jpg": 200, "c.JPG": 404,
    }  # fmt: skip
    assert warc.body(found["a.jpg"]) == JPEG["a"]
    assert "2 pages, 2 media, 2 failures" in said
    assert "/private/: Forbidden by robots.txt" in said
    assert site.paths().count("/a.jpg") == 1


def test_the_crawler_says_who_it_is(work: Path, site: Site) -> None:
    write_params(work, web=fetch_of(site, contact="https://example.org/us"))
    run(work, *CRAWL)
    assert {headers["User-Agent"] for _, headers in site.seen} == {"Sengu (+https://example.org/us)"}


def test_an_unchanged_site_adds_nothing_and_media_are_not_fetched_again(work: Path, site: Site) -> None:
    run(work, *CRAWL)
    before = dvc_hash(work / "raw/web")
    site.seen.clear()
    run(work, *CRAWL)
    assert dvc_hash(work / "raw/web") == before
    assert not {"/a.jpg", "/d.jpg"} & set(site.paths())


def test_a_changed_page_and_its_new_picture_make_one_new_file(work: Path, site: Site) -> None:
    run(work, *CRAWL)
    (first,) = warc.files(work / "raw/web", "web")
    before = first.read_bytes()
    site.answers["/two"] = page('<img src="a.jpg"><img src="/new.jpg">')
    site.answers["/new.jpg"] = Answer("image/jpeg", JPEG["c"])
    run(work, *CRAWL)
    assert first.read_bytes() == before
    _, second = warc.files(work / "raw/web", "web")
    assert [entry.url.rpartition("/")[2] for entry in warc.entries(second)] == ["two?b=1&a=2", "new.jpg"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_killed_crawl_goes_on_where_it_was(work: Path, site: Site, seed: int) -> None:
    names = [f"/{i}.jpg" for i in range(120)]
    site.answers["/two"] = page("".join(f'<img src="{name}">' for name in names))
    bodies = {name: pictures.jpeg(pictures.draw("stripes", i)) for i, name in enumerate(names)}
    site.answers |= {name: Answer("image/jpeg", body) for name, body in bodies.items()}
    site.delay = 0.02
    running = subprocess.Popen(CRAWL, cwd=work, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    enough = random.Random(seed).randrange(5, 100)
    while len(site.seen) < enough:
        assert running.poll() is None, "the crawl ended before it could be killed"
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    running.wait()
    (left_open,) = (work / "raw/web").glob("*.open")
    packing.mend(left_open)
    kept = {"/" + entry.url.rpartition("/")[2] for entry in warc.entries(left_open)} & set(names)
    site.seen.clear()
    run(work, *CRAWL)
    assert not kept & set(site.paths())
    found = captures(work)
    assert all(warc.body(found[name[1:]]) == body for name, body in bodies.items())


def test_a_full_disk_ends_the_crawl_and_loses_nothing_that_was_archived(work: Path, site: Site) -> None:
    names = [f"/{i}.jpg" for i in range(40)]
    site.answers["/two"] = page("".join(f'<img src="{name}">' for name in names))
    bodies = {name: pictures.jpeg(pictures.draw("stripes", i)) for i, name in enumerate(names)}
    site.answers |= {name: Answer("image/jpeg", body) for name, body in bodies.items()}
    # a limit on the size of files gives the same error as a full disk, at the same place
    done = attempt(work, "bash", "-c", f"ulimit -f 100; {' '.join(CRAWL)}")
    assert done.returncode == 1
    assert re.search(
        r"the crawl stopped early \(the archive cannot be written: .*: 'raw/web/web-00000.warc.gz.open'\)", done.stdout
    )
    kept = {entry.url.rpartition("/")[2] for entry in warc.read(work / "raw/web", "web")}
    assert 5 < len(kept) < 40
    site.seen.clear()
    run(work, *CRAWL)
    assert not {f"/{name}" for name in kept if name.endswith(".jpg")} & set(site.paths())
    found = captures(work)
    assert all(warc.body(found[name[1:]]) == body for name, body in bodies.items())


def test_a_site_that_does_not_answer_is_an_error_and_not_an_empty_archive(work: Path, site: Site) -> None:
    write_params(work, web=fetch_of(site, start=["http://127.0.0.1:9/"]))
    done = attempt(work, *CRAWL)
    assert done.returncode == 1
    said = done.stdout.splitlines()[-1]
    assert said.startswith("error: site web: no picture or video was fetched; the first failure was http://127.0.0.1:9/")


def test_a_public_site_is_not_crawled_without_a_contact(work: Path, site: Site) -> None:
    write_params(work, web=fetch_of(site, start=["http://example.invalid/"]))
    done = attempt(work, *CRAWL)
    assert done.returncode == 1
    assert "sites.web.fetch.contact is empty, and example.invalid is public" in done.stdout
    assert not site.seen


def pin(folder: Path, fetch: dict[str, Any], md5: str) -> None:
    stage = {"params": {"params.yaml": {"sites.web.fetch": fetch}}, "outs": [{"path": "raw/web", "md5": md5, "size": 10_000}]}
    (folder / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {"crawl@web": stage}}))


def test_a_clone_without_the_pinned_archive_is_told_both_cures(work: Path, site: Site) -> None:
    pin(work, fetch_of(site), "0" * 32 + ".dir")
    (work / "raw/web").mkdir(parents=True)
    for here in (0, 5000):  # nothing, and what an interrupted pull leaves
        (work / "raw/web/web-00000.warc.gz").write_bytes(bytes(here))
        done = attempt(work, *CRAWL)
        assert done.returncode == 1
        assert f"pins 10000 bytes of archives of site web (0000{'0' * 28}.dir), and raw/web has {here}" in done.stdout
        assert "fetch it with `sengu heal raw/web`, or give it up by removing crawl@web from dvc.lock" in done.stdout
    assert not site.seen


@pytest.mark.parametrize(("depth", "reached"), [(0, "/a.jpg"), (1, "/b.jpg"), (2, "/c.jpg")])
def test_depth_counts_links_between_pages_and_media_cost_none(work: Path, site: Site, depth: int, reached: str) -> None:
    site.answers |= {f"/{name}.jpg": Answer("image/jpeg", JPEG[name]) for name in "abcd"}
    site.answers["/"] = page('<img src="/a.jpg"><a href="/1">1</a>')
    site.answers["/1"] = page('<img src="/b.jpg"><a href="/2">2</a>')
    site.answers["/2"] = page('<img src="/c.jpg"><a href="/3">3</a>')
    site.answers["/3"] = page('<img src="/d.jpg">')
    write_params(work, web=fetch_of(site, depth=depth))
    run(work, *CRAWL)
    pictures_seen = [path for path in site.paths() if path.endswith(".jpg")]
    assert pictures_seen == [f"/{name}.jpg" for name in "abcd"[: depth + 1]]
    assert pictures_seen[-1] == reached


def test_a_page_is_met_on_its_shortest_way(work: Path, site: Site) -> None:
    site.answers["/"] = page('<img src="/a.jpg"><a href="/far">1</a><a href="/near">2</a>')
    site.answers["/far"] = page('<a href="/further">1</a>')
    site.answers["/further"] = page('<a href="/hub">1</a>')
    site.answers["/near"] = page('<a href="/hub">1</a>')
    site.answers["/hub"] = page('<a href="/end">1</a>')
    site.answers["/end"] = page('<img src="/d.jpg">')
    write_params(work, web=fetch_of(site, depth=3))
    run(work, *CRAWL)
    assert "/d.jpg" in site.paths()


def test_one_broken_address_does_not_cost_the_rest_of_the_page(work: Path, site: Site) -> None:
    site.answers["/"] = page('<a href="http://[oops/">x</a><img src="http://[b"><img src="http://h:80a/x.jpg"><img src="/a.jpg">')
    said = run(work, *CRAWL)
    assert "a.jpg" in captures(work)
    assert "not fetched: http://[b: not an address" in said
    run(work, *CRAWL)  # which asks again for what failed
    run(work, sys.executable, "-m", "crawlers.extract", "web", "raw/web", "web.csv")
    assert "/a.jpg" in (work / "web.csv").read_text()


def test_an_error_on_a_recrawl_does_not_take_the_place_of_what_was_archived(work: Path, site: Site) -> None:
    run(work, *CRAWL)
    two = site.answers["/two"]
    site.answers["/two"] = Answer("text/plain", b"busy", 404)
    assert attempt(work, *CRAWL).returncode == 1  # no page shows a picture any more, so something is wrong
    assert captures(work)["two?b=1&a=2"].status == 200
    assert warc.body(captures(work)["two?b=1&a=2"]) == two.body


def test_a_redirect_that_points_elsewhere_is_a_change(work: Path, site: Site) -> None:
    run(work, *CRAWL)
    site.answers["/b.jpg"] = Answer("text/html", b"", 301, "/new.jpg")
    site.answers["/new.jpg"] = Answer("image/jpeg", JPEG["b"])
    run(work, *CRAWL)
    entries = warc.read(work / "raw/web", "web")
    found = entries.resolve(f"{site.url}/b.jpg")
    assert found is not None
    assert found.url == f"{site.url}/new.jpg"


def test_only_a_demo_may_be_regenerated(work: Path, site: Site) -> None:
    run(work, *CRAWL)
    write_params(work, web=fetch_of(site, reproducible=True))
    done = attempt(work, *CRAWL)
    assert done.returncode == 1
    assert "sites.web.fetch.reproducible: only a demo site can be regenerated" in done.stdout
    assert captures(work)


def test_a_regenerated_archive_must_equal_the_pinned_one(tmp_path: Path) -> None:
    fetch = {"source": "generic", "start": ["http://demo-b.example/spots/1"], "domains": [], "depth": 0, "delay": 0}
    fetch |= {"reproducible": True, "demo": "demo_b"}
    write_params(tmp_path, web=fetch)
    run(tmp_path, *CRAWL)
    pinned = dvc_hash(tmp_path / "raw/web")
    pin(tmp_path, fetch, pinned)
    run(tmp_path, *CRAWL)
    assert dvc_hash(tmp_path / "raw/web") == pinned
    pin(tmp_path, fetch, "0" * 32 + ".dir")
    done = attempt(tmp_path, *CRAWL)
    assert done.returncode == 1
    assert f"was regenerated as {pinned}, but dvc.lock pins 0000" in done.stdout


def test_a_demo_site_that_does_not_exist_is_named(tmp_path: Path, site: Site) -> None:
    write_params(tmp_path, web=fetch_of(site, demo="demo_z", start=["http://demo-z.example/"]))
    done = attempt(tmp_path, *CRAWL)
    assert done.returncode == 1
    assert "there is no demo site 'demo_z': expected one of demo_a, demo_b" in done.stdout


def test_a_folder_is_archived_file_by_file_and_only_changes_are_added(tmp_path: Path) -> None:
    pictures_folder = tmp_path / "camera"
    for name in ("cat/one two.jpg", "dog/b.jpg", ".hidden/c.jpg"):
        (pictures_folder / name).parent.mkdir(parents=True, exist_ok=True)
        (pictures_folder / name).write_bytes(JPEG["a"])
    write_params(tmp_path, web={"source": "folder", "folder": "camera", "device": "camera 7"})
    run(tmp_path, *CRAWL)
    before = dvc_hash(tmp_path / "raw/web")
    run(tmp_path, *CRAWL)
    assert dvc_hash(tmp_path / "raw/web") == before
    entries = warc.read(tmp_path / "raw/web", "web")
    assert [entry.url for entry in entries] == ["file://web/cat/one%20two.jpg", "file://web/dog/b.jpg"]
    assert entries.find("file://web/dog/b.jpg").header("File-Device") == "camera 7"
    assert warc.payload(entries.find("file://web/dog/b.jpg")) == JPEG["a"]


def test_odd_file_names_are_archived_and_read_back(tmp_path: Path) -> None:
    folder = tmp_path / "camera"
    folder.mkdir()
    names = [b"a.jpg", b"m\xff.jpg", "Küche 台所.jpg".encode(), b"Icon\r", b"per%20cent.jpg"]
    for name in names:
        (folder / os.fsdecode(name)).write_bytes(name)
    write_params(tmp_path, web={"source": "folder", "folder": "camera", "device": "Küche 台所"})
    run(tmp_path, *CRAWL)
    assert {warc.payload(entry) for entry in warc.read(tmp_path / "raw/web", "web")} == set(names)
    run(tmp_path, sys.executable, "-m", "crawlers.extract", "web", "raw/web", "web.csv")
    table = tables.read(tmp_path / "web.csv", tables.Capture)
    before = dvc_hash(tmp_path / "raw/web")
    assert "cache" not in run(tmp_path, *CRAWL)  # Scrapy would warn of an entry that it cannot read
    assert dvc_hash(tmp_path / "raw/web") == before
    assert {"Küche 台所.jpg", "Icon\r", "per%20cent.jpg"} <= set(table["filename"])
    assert set(table["device"]) == {"Küche 台所"}


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    write_params(tmp_path, web={"source": "folder", "folder": "nowhere"})
    done = attempt(tmp_path, *CRAWL)
    assert done.returncode == 1
    assert "sites.web.fetch.folder: nowhere is not a folder" in done.stdout


def test_archive_files_roll_over_at_their_size(work: Path, site: Site) -> None:
    names = [f"/{number}.jpg" for number in range(20)]
    site.answers |= {name: Answer("image/jpeg", JPEG["a"] + name.encode()) for name in names}
    site.answers["/two"] = page("".join(f'<img src="{name}">' for name in names))
    write_params(work, web=fetch_of(site, roll_over=0.01))
    run(work, *CRAWL)
    files = warc.files(work / "raw/web", "web")
    assert len(files) > 3
    assert all(path.stat().st_size < 10_000 + len(JPEG["a"]) + 1000 for path in files)
    assert [warc.info(path).get("continues", "") for path in files] == ["", *(path.name for path in files[:-1])]
    assert {entry.url for entry in warc.read(work / "raw/web", "web")} >= {site.url + name for name in names}
    before = dvc_hash(work / "raw/web")
    run(work, *CRAWL)
    assert dvc_hash(work / "raw/web") == before


def test_a_file_says_who_made_it_and_what_for(work: Path, site: Site) -> None:
    write_params(work, web=fetch_of(site, contact="me@example.org"))
    run(work, "git", "init", "--quiet")
    run(work, "git", "remote", "add", "origin", "https://git.example.org/us")
    run(work, "git", "commit", "--quiet", "--allow-empty", "--message", "x")
    run(work, *CRAWL)
    fields = warc.info(warc.files(work / "raw/web", "web")[0])
    assert fields["operator"] == "Sengu (+me@example.org)"
    assert fields["robots"] == "obeyed"
    assert fields["isPartOf"] == "https://git.example.org/us"
    assert fields["commit"] == run(work, "git", "rev-parse", "HEAD").strip()
    assert "site web: pictures for training" in fields["description"]


def test_headers_status_and_query_survive_a_crawl(work: Path, site: Site) -> None:
    def answer(request: Any) -> None:
        request.send_response(200, "Fine")
        for name, value in (
            ("Content-Type", "image/jpeg"),
            ("Set-Cookie", "a=1"),
            ("X-Odd", "caf\xe9 ,;\t"),
            ("set-cookie", "b=2"),
        ):
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(JPEG["a"])))
        request.end_headers()
        request.wfile.write(JPEG["a"])

    site.odd["/odd.jpg"] = answer
    site.answers["/two"] = page('<img src="/odd.jpg?b=%C3%A9&a=1+2&b=&%20">')
    run(work, *CRAWL)
    entry = next(entry for entry in warc.read(work / "raw/web", "web") if "/odd.jpg" in entry.url)
    assert entry.url == f"{site.url}/odd.jpg?b=%C3%A9&a=1+2&b=&%20"
    headers = warc.headers_and_body(entry)[0]
    assert [value for name, value in headers if name.lower() == "set-cookie"] == ["a=1", "b=2"]
    assert ("X-Odd", "caf\xe9 ,;") in headers


def test_pages_that_a_killed_crawl_archived_are_not_fetched_again(work: Path, site: Site) -> None:
    pages = [f"/page{number}" for number in range(60)]
    site.answers["/"] = page("".join(f'<a href="{name}">x</a>' for name in pages))
    site.answers |= {name: page('<img src="/d.jpg">') for name in pages}
    site.delay = 0.02
    write_params(work, web=fetch_of(site, roll_over=0.004))
    with subprocess.Popen(CRAWL, cwd=work, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        while len(site.seen) < 40:
            assert running.poll() is None, "the crawl ended before it could be killed"
            time.sleep(0.005)
        running.send_signal(signal.SIGKILL)
    left_open = list((work / "raw/web").glob("*.open"))
    assert len(warc.files(work / "raw/web", "web")) > 1, "the files should have rolled over"
    if not left_open:
        pytest.skip("killed exactly between two files")
    packing.mend(left_open[0])
    archived = {entry.url for path in [*warc.files(work / "raw/web", "web"), *left_open] for entry in warc.entries(path)}
    site.seen.clear()
    run(work, *CRAWL)
    assert not {site.url + path for path in site.paths()} & (archived - {f"{site.url}/robots.txt"})
    assert {entry.url for entry in warc.read(work / "raw/web", "web")} >= {site.url + name for name in pages}


def test_a_server_that_is_gone_on_a_recrawl_is_an_error(work: Path, site: Site) -> None:
    write_params(work, web=fetch_of(site, retries=0))
    run(work, *CRAWL)
    before = dvc_hash(work / "raw/web")
    port = site.url.rpartition(":")[2]
    write_params(work, web=fetch_of(site, retries=0, start=[f"http://127.0.0.1:{port}/", "http://127.0.0.1:9/"]))

    def drop(request: Any) -> None:
        request.close_connection = True
        request.connection.shutdown(socket.SHUT_RDWR)

    site.odd["/two"] = drop
    done = attempt(work, *CRAWL)
    assert done.returncode == 1
    assert "/two?b=1&a=2" in failures(work)
    assert dvc_hash(work / "raw/web") == before


def test_a_page_that_moved_is_fetched_where_it_is_now(work: Path, site: Site) -> None:
    def conditional(request: Any) -> None:
        fresh = request.headers.get("If-Modified-Since") is not None
        body = b"" if fresh else page('<img src="/d.jpg">').body
        request.send_response(304 if fresh else 200)
        for name, value in (("Content-Type", "text/html"), ("Last-Modified", "Sat, 05 Oct 2013 20:00:00 GMT")):
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    site.answers["/"] = page('<a href="/old">1</a>')
    site.odd["/old"] = conditional
    run(work, *CRAWL)
    del site.odd["/old"]
    site.answers["/old"] = Answer("text/html", b"", 301, "/new")
    site.odd["/new"] = conditional
    run(work, *CRAWL)
    archive = warc.read(work / "raw/web", "web")
    assert archive.find(f"{site.url}/new").status == 200
    assert "/new" not in failures(work)


def test_media_of_any_type_are_not_fetched_again(work: Path, site: Site) -> None:
    site.answers["/a.jpg"] = Answer("binary/octet-stream", JPEG["a"])  # what S3 calls a file of which it was told nothing
    run(work, *CRAWL)
    site.seen.clear()
    run(work, *CRAWL)
    assert "/a.jpg" not in site.paths()


def test_a_page_that_fails_again_after_its_file_was_closed(work: Path, site: Site) -> None:
    names = [f"/{number}.jpg" for number in range(10)]
    site.answers |= {name: Answer("image/jpeg", JPEG["a"] + name.encode()) for name in names}
    site.answers["/"] = page('<a href="/busy">1</a><a href="/two">2</a>')
    site.answers["/two"] = page("".join(f'<img src="{name}">' for name in names))
    site.answers["/busy"] = Answer("text/html", b"busy", 503)
    write_params(work, web=fetch_of(site, roll_over=0.004, retries=3))
    said = run(work, *CRAWL)
    assert failures(work)["/busy"] == "status 503"
    assert site.paths().count("/busy") == 4
    assert "Traceback" not in said


def test_another_device_for_the_same_files_is_a_change(tmp_path: Path) -> None:
    (tmp_path / "camera").mkdir()
    (tmp_path / "camera/a.jpg").write_bytes(JPEG["a"])
    for device in ("typo", "scope"):
        write_params(tmp_path, web={"source": "folder", "folder": "camera", "device": device})
        run(tmp_path, *CRAWL)
    run(tmp_path, sys.executable, "-m", "crawlers.extract", "web", "raw/web", "web.csv")
    assert tables.read(tmp_path / "web.csv", tables.Capture)["device"].tolist() == ["scope"]


def pinned_copy(folder: Path) -> None:
    """Pins the archive that is here, as DVC does."""
    size = sum(path.stat().st_size for path in (folder / "raw/web").iterdir())
    outs = [{"path": "raw/web", "md5": dvc_hash(folder / "raw/web"), "size": size}]
    (folder / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {"crawl@web": {"outs": outs}}}))


def flip(path: Path, place: int) -> None:
    """Turns one bit of a file, whose size and time stay."""
    state, data = path.stat(), bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_damaged_byte_of_a_pinned_archive_ends_the_crawl_and_leaves_the_pin(work: Path, site: Site, share: float) -> None:
    run(work, *CRAWL)
    pinned_copy(work)
    run(work, *CRAWL)
    (path,) = warc.files(work / "raw/web", "web")
    flip(path, int(path.stat().st_size * share))
    before = (work / "dvc.lock").read_bytes()
    site.seen.clear()
    done = attempt(work, *CRAWL)
    assert done.returncode == 1
    assert "error: raw/web is damaged: dvc.lock pins" in done.stdout
    assert "nothing was fetched, and the pin is as it was: `sengu heal raw/web` restores what is pinned" in done.stdout
    assert not site.seen
    assert (work / "dvc.lock").read_bytes() == before
    assert warc.files(work / "raw/web", "web") == [path]


def test_a_later_file_beside_the_pinned_ones_is_no_damage(work: Path, site: Site) -> None:
    run(work, *CRAWL)
    pinned_copy(work)
    site.answers["/two"] = page('<img src="a.jpg"><img src="/new.jpg">')
    site.answers["/new.jpg"] = Answer("image/jpeg", JPEG["c"])
    run(work, *CRAWL)
    run(work, *CRAWL)
    assert len(warc.files(work / "raw/web", "web")) == 2


@pytest.mark.parametrize("name", ["", "two?b=1&a=2"])
def test_a_damaged_page_of_an_archive_without_a_pin_ends_the_crawl(work: Path, site: Site, name: str) -> None:
    run(work, *CRAWL)
    entry = captures(work)[name]
    (path,) = warc.files(work / "raw/web", "web")
    length = len(site.answers["/" + name.partition("?")[0]].body)
    data = path.read_bytes()
    run(work, *CRAWL)  # its index is kept now, and holds as long as size and time are the same
    middle = entry.offset + (len(data[entry.offset :]) and min(length, 100))
    flip(path, middle)
    site.seen.clear()
    done = attempt(work, *CRAWL)
    assert done.returncode == 1, done.stdout
    assert "damaged" in done.stdout.splitlines()[-1]
    assert "`sengu heal` restores what is pinned" in done.stdout.splitlines()[-1]
    assert not {"/a.jpg", "/d.jpg"} & set(site.paths())


@pytest.mark.parametrize("signal_of", ["spider_opened", "spider_closed", "response_received"])
def test_what_fails_in_a_signal_handler_ends_the_crawl_with_an_error(work: Path, site: Site, signal_of: str) -> None:
    program = (
        "import sys; from crawlers import progress, crawl; from scrapy import signals\n"
        "def broken(*_, **__): raise RuntimeError('the handler broke')\n"
        "made = progress.Progress.from_crawler.__func__\n"
        "def from_crawler(kind, crawler):\n"
        f"    crawler.signals.connect(broken, signal=signals.{signal_of}, weak=False)\n"
        "    return made(kind, crawler)\n"
        "progress.Progress.from_crawler = classmethod(from_crawler)\n"
        "crawl.run_program(crawl.main, 'SITE ARCHIVE FAILED')"
    )
    done = attempt(work, sys.executable, "-c", program, *CRAWL[3:])
    assert done.returncode == 1
    said = done.stdout.splitlines()[-1]
    assert said.startswith(
        "error: site web: the crawl stopped early (RuntimeError: the handler broke); what was fetched is kept in"
    )
    if signal_of != "spider_closed":
        assert "/a.jpg" not in site.paths()
    assert not list((work / "raw/web").glob("*.open"))


def test_two_crawls_of_one_site_do_not_run_at_once(work: Path, site: Site) -> None:
    second_ended, two = threading.Event(), site.answers["/two"]

    def answer(request: Any) -> None:
        second_ended.wait(50)
        request.send_response(two.status)
        send(request, two)

    site.odd["/two"] = answer
    with subprocess.Popen(CRAWL, cwd=work, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
        while "/two?b=1&a=2" not in site.paths():
            assert first.poll() is None, "the crawl ended before the second began"
            time.sleep(0.005)
        done = attempt(work, *CRAWL)
        second_ended.set()
        assert done.returncode == 1
        assert f"error: the archive of site web is in use already: process {first.pid} on " in done.stdout
        assert first.wait() == 0
    assert site.paths().count("/a.jpg") == 1
    run(work, *CRAWL)
