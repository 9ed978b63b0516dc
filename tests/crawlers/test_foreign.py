"""Archives made by others, as other tools write them: WACZ, ARC, records without or with the same id, half of a pair."""

import gzip
import resource
import sys
import zipfile
from pathlib import Path
from typing import Any, cast

import pytest
from project import attempt, run
from served import CRAWL, EXTRACT, JPEG, write_params

from crawlers import crawl, foreign, replaying
from sengu import warc
from sengu.base import tables
from sengu.base.errors import SenguError
from sengu.repository.dvc_lock import dvc_hash

HOST = "http://a.example"
DATE = "2024-03-01T10:00:00Z"
PAGE = b'<img src="/a.jpg"><img src="/b.jpg">'
DIGEST = "sha1:" + "A" * 32


def record(kind: str, path: str, body: bytes = b"", mime: str = "image/jpeg", **more: str) -> bytes:
    block = f"HTTP/1.1 200 OK\r\nContent-Type: {mime}\r\n\r\n".encode() + body
    names = {"WARC-Type": kind, "WARC-Target-URI": f"{HOST}{path}", "WARC-Date": DATE}
    names |= {name.replace("_", "-"): value for name, value in more.items()}
    names |= {"Content-Type": "application/http; msgtype=response", "Content-Length": str(len(block))}
    head = "".join(f"{name}: {value}\r\n" for name, value in names.items() if value)
    return gzip.compress(f"WARC/1.0\r\n{head}\r\n".encode() + block + b"\r\n\r\n")


def site(**more: str) -> bytes:
    """A page and its two pictures."""
    answers = (("/", PAGE, "text/html"), ("/a.jpg", JPEG["a"], "image/jpeg"), ("/b.jpg", JPEG["b"], "image/jpeg"))
    return b"".join(record("response", path, body, mime, **more) for path, body, mime in answers)


def write(folder: Path, name: str, data: bytes) -> None:
    (folder / name).write_bytes(data)
    write_params(folder, web={"source": "warc", "files": [name]})


def adopted(folder: Path, data: bytes) -> tuple[int, list[tables.Failed]]:
    (folder / "x.warc.gz").write_bytes(data)
    writer = warc.Writer(folder / "raw", "web", {})
    try:
        return foreign.adopt([folder / "x.warc.gz"], writer, foreign.digests(warc.files(folder / "raw", "web")), ())
    finally:
        writer.close()


@pytest.mark.parametrize("more", [{}, {"WARC_Record_ID": "<urn:uuid:1>"}], ids=["none", "the same"])
def test_records_without_an_id_or_all_with_the_same_are_taken_and_taken_once(tmp_path: Path, more: dict[str, str]) -> None:
    assert adopted(tmp_path, site(**more)) == (3, [])
    assert adopted(tmp_path, site(**more)) == (0, [])
    archive = warc.gather(warc.files(tmp_path / "raw", "web"))
    assert warc.payload(archive.find(f"{HOST}/b.jpg")) == JPEG["b"]


def test_a_full_disk_is_not_taken_for_a_damaged_archive(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    (tmp_path / "x.warc.gz").write_bytes(site())
    writer = warc.Writer(tmp_path / "raw", "web", {})
    # a limit on the size of files gives the error of a full disk, at the same places
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match=r"File too large: '.*/raw/web-00000\.warc\.gz\.open'"):
            foreign.adopt([tmp_path / "x.warc.gz"], writer, set(), ())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        writer.close()


def test_a_record_without_a_date_is_taken(tmp_path: Path) -> None:
    assert adopted(tmp_path, record("response", "/a.jpg", JPEG["a"], WARC_Date="")) == (1, [])
    archive = warc.gather(warc.files(tmp_path / "raw", "web"))
    assert warc.payload(archive.find(f"{HOST}/a.jpg")) == JPEG["a"]


def test_the_archives_in_a_wacz_are_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "old.wacz", "w") as wacz:
        wacz.writestr("datapackage.json", "{}")
        wacz.writestr("archive/1.warc.gz", site())
        wacz.writestr("archive/2.warc.gz", record("response", "/c.jpg", JPEG["c"]), zipfile.ZIP_DEFLATED)
    write_params(tmp_path, web={"source": "warc", "files": ["old.wacz"]})
    assert "4 records copied" in run(tmp_path, *CRAWL)
    run(tmp_path, sys.executable, "-m", "warcio.cli", "check", *map(str, warc.files(tmp_path / "raw/web", "web")))
    run(tmp_path, *EXTRACT)
    captures = tables.read(tmp_path / "captures/web.csv", tables.Capture)
    assert dict(zip(captures["url"], captures["status"], strict=True)) == {f"{HOST}/a.jpg": 200, f"{HOST}/b.jpg": 200}
    before = dvc_hash(tmp_path / "raw/web")
    assert "0 records copied" in run(tmp_path, *CRAWL)
    assert dvc_hash(tmp_path / "raw/web") == before


def test_a_zip_without_an_archive_and_an_arc_are_told_what_to_do(tmp_path: Path) -> None:
    writer = warc.Writer(tmp_path / "raw", "web", {})
    with zipfile.ZipFile(tmp_path / "x.wacz", "w") as wacz:
        wacz.writestr("notes.txt", "x")
    with pytest.raises(SenguError, match="x.wacz: a zip file that holds no WARC file"):
        foreign.adopt([tmp_path / "x.wacz"], writer, set(), ())
    arc = b"filedesc://x.arc 0.0.0.0 20090101000000 text/plain 76\n1 0 Internet\n"
    for name, data in (("x.arc", arc), ("x.arc.gz", gzip.compress(arc))):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(SenguError, match=rf"{name}: an ARC file, .*`warcio recompress OLD.arc.gz NEW.warc.gz`"):
            foreign.adopt([tmp_path / name], writer, set(), ())


def test_the_second_file_of_a_deduplicated_pair_says_what_is_missing(tmp_path: Path) -> None:
    there = {"WARC_Profile": "http://netpreserve.org/warc/1.0/revisit/identical-payload-digest", "WARC_Payload_Digest": DIGEST}
    revisits = b"".join(record("revisit", path, **there) for path in ("/", "/a.jpg"))
    write(tmp_path, "second.warc.gz", revisits)
    done = attempt(tmp_path, *CRAWL)
    assert done.returncode == 1
    assert "2 revisit records refer to responses that are in none of the files" in done.stdout
    assert f"a revisit of {DIGEST}, which none of the files holds" in done.stdout.splitlines()[-1]
    table = tables.read(tmp_path / "failed/web.csv", tables.Failed)
    assert table["url"].tolist() == [f"{HOST}/", f"{HOST}/a.jpg"]
    write(tmp_path, "both.warc.gz", site(WARC_Payload_Digest=DIGEST) + revisits)
    run(tmp_path, *CRAWL)
    assert tables.read(tmp_path / "failed/web.csv", tables.Failed).empty


@pytest.mark.parametrize("url", ["http://[x/c.jpg", "http://a.example:99999/c.jpg"])
def test_an_address_that_is_none_is_a_row_and_costs_no_other(tmp_path: Path, url: str) -> None:
    broken = gzip.compress(
        gzip.decompress(record("response", "/c.jpg", JPEG["c"])).replace(f"{HOST}/c.jpg".encode(), url.encode())
    )
    copied, unread = adopted(tmp_path, broken + site())
    assert (copied, [failure.url for failure in unread]) == (3, [url])
    assert f"{url} is not an address" in unread[0].reason
    path = tmp_path / "web-00000.warc.gz"  # as an earlier Sengu copied it
    path.write_bytes(broken + site())
    assert len(list(warc.gather([path]))) == 3


def test_a_page_that_cannot_be_decoded_is_a_row_and_costs_no_other(tmp_path: Path) -> None:
    broken = record("response", "/broken", gzip.compress(PAGE)[:-9], "text/html\r\nContent-Encoding: gzip")
    decoded = record("response", "/decoded", b"<img src='/c.jpg'>", "text/html\r\nContent-Encoding: gzip")
    write(tmp_path, "x.warc.gz", broken + decoded + site())
    run(tmp_path, *CRAWL)
    said = run(tmp_path, *EXTRACT)
    assert f"{HOST}/broken: the page cannot be read: broken gzip encoding" in said
    captures = tables.read(tmp_path / "captures/web.csv", tables.Capture)
    assert {url.removeprefix(HOST) for url in captures["url"]} == {"/broken", "/a.jpg", "/b.jpg", "/c.jpg"}


def test_a_page_that_stands_where_a_picture_was_hides_neither_the_picture_nor_its_own(tmp_path: Path) -> None:
    login = record("response", "/a.jpg", b"<form></form><img src='/c.jpg'>", "text/html", WARC_Date="2024-03-02T10:00:00Z")
    write(tmp_path, "x.warc.gz", site() + login + record("response", "/c.jpg", JPEG["c"]))
    run(tmp_path, *CRAWL)
    run(tmp_path, *EXTRACT)
    captures = tables.read(tmp_path / "captures/web.csv", tables.Capture)
    assert {url.removeprefix(HOST) for url in captures["url"]} == {"/a.jpg", "/b.jpg", "/c.jpg"}
    assert warc.payload(warc.read(tmp_path / "raw/web", "web").resolve(f"{HOST}/a.jpg")) == JPEG["a"]


def test_what_pages_of_others_archives_show_and_no_file_holds_is_listed_with_its_reason(tmp_path: Path) -> None:
    shown = b"<img src='/gone.jpg'><img src='ftp://a.example/x.jpg'><img src='http://[x'><img src='data:image/gif;base64,AAAA'>"
    shut = record("response", "/shut.jpg", JPEG["c"], "image/jpeg\r\nX-Robots-Tag: noai")
    write(tmp_path, "x.warc.gz", site() + shut + record("response", "/two", shown + b"<img src='/shut.jpg'>", "text/html"))
    run(tmp_path, *CRAWL)
    table = tables.read(tmp_path / "failed/web.csv", tables.Failed)
    reasons = dict(zip(table["url"], table["reason"], strict=True))
    assert reasons.pop("http://[x").startswith("not an address")
    assert reasons == {
        f"{HOST}/gone.jpg": "none of the files holds it",
        "ftp://a.example/x.jpg": "an address of ftp:, which is not asked for",
        "data:image/gif;base64,AAAA": "stands in the page itself",
        f"{HOST}/shut.jpg": "opted out: noai in X-Robots-Tag",
    }
    run(tmp_path, *EXTRACT)
    captures = tables.read(tmp_path / "captures/web.csv", tables.Capture)
    assert {url.removeprefix(HOST) for url in captures["url"]} == {"/a.jpg", "/b.jpg", "/gone.jpg"}


def test_a_replay_that_fails_is_a_warning(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def failing(name: str, _site: object, folder: Path) -> list[tables.Failed]:
        raise SenguError(f"site {name}: the replay of {folder} failed: 0 unreadable records, 1 pages; see the log above")

    monkeypatch.setattr(replaying, "not_there", failing)
    assert crawl._not_there("web", cast("Any", None), Path("raw/web")) == []
    assert (
        "site web: the replay of raw/web failed: 0 unreadable records, 1 pages; see the log above; so pictures missing from"
        in caplog.text
    )
