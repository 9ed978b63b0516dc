from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from recorded import recorded

from crawlers.demo import pictures
from sengu import warc
from sengu.base import params, tables
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId, url_id
from sengu.caches.outcomes import Outcomes
from sengu.objects.filing import Filing
from sengu.objects.store import ObjectTree
from sengu.stages import objects as stage
from sengu.stages.objects import objects

VIDEO = recorded("mp4", "mp4v", 20)
DATE = "2013-10-05T20:00:00Z"
PICTURE = pictures.jpeg(pictures.draw("dots", 1))
PNG = pictures.png(pictures.draw("dots", 2))
ANSWERS = {
    "http://a.example/1.jpg": (200, [], PICTURE),
    "http://a.example/same.jpg": (200, [], PICTURE),
    "http://a.example/png.jpg": (200, [(b"Content-Type", b"image/jpeg")], PNG),
    "http://a.example/moved.jpg": (302, [(b"Location", b"/1.jpg")], b""),
    "http://a.example/gone.jpg": (404, [], b""),
    "http://a.example/empty.jpg": (200, [], b""),
    "http://a.example/odd.jpg": (200, [(b"Content-Encoding", b"x-own")], b"what only x-own can read"),
}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    writer = warc.Writer(tmp_path / "raw", "a", {})
    for url, (status, headers, body) in ANSWERS.items():
        writer.response(url, DATE, status, headers, body)
    writer.close()
    return tmp_path / "raw"


def store(archive: Path, *urls: str) -> dict[str, tables.IndexRow | tables.Rejected]:
    tree = archive.parent / "tree"
    tree.mkdir(exist_ok=True)
    wanted = {url_id(url): url for url in urls}
    outcomes = objects(wanted, warc.read(archive, "a"), Filing(ObjectTree(tree), 10**8))
    rows = [outcome[0] if isinstance(outcome, list) else outcome for outcome in outcomes]
    return {wanted[row.urlId].rpartition("/")[2]: row for row in rows}


def leaves(archive: Path) -> set[str]:
    return {path.name for path in (archive.parent / "tree").rglob("*") if path.is_file()}


def test_every_url_is_either_an_object_or_rejected_with_a_reason(archive: Path) -> None:
    rows = store(archive, *ANSWERS, "http://a.example/never.jpg")
    jpg, png = str(ObjectId.of(PICTURE, "jpg")), str(ObjectId.of(PNG, "png"))
    assert {name: getattr(row, "objectId", None) or row.reason for name, row in rows.items()} == {
        "1.jpg": jpg,
        "same.jpg": jpg,
        "png.jpg": png,
        "moved.jpg": jpg,
        "gone.jpg": "status 404",
        "empty.jpg": "empty",
        "odd.jpg": "unknown format",
        "never.jpg": "not archived",
    }
    assert rows["png.jpg"].format == "png"
    assert rows["1.jpg"].bytes == len(PICTURE)
    assert leaves(archive) == {jpg, png}


def test_what_is_no_longer_captured_leaves_the_tree(archive: Path) -> None:
    store(archive, *ANSWERS)
    store(archive, "http://a.example/png.jpg")
    assert leaves(archive) == {str(ObjectId.of(PNG, "png"))}


def test_a_damaged_archive_stops_the_stage(archive: Path) -> None:
    picture = warc.read(archive, "a").find("http://a.example/1.jpg")
    data = bytearray(picture.file.read_bytes())
    data[picture.offset + 600] ^= 1
    picture.file.write_bytes(bytes(data))
    with pytest.raises(SenguError, match=r"damaged .*sengu heal"):
        store(archive, "http://a.example/1.jpg")


def test_a_video_is_an_object_and_so_are_the_frames_asked_for(tmp_path: Path) -> None:
    writer = warc.Writer(tmp_path / "raw", "a", {})
    writer.response("http://a.example/v", DATE, 200, [(b"Content-Type", b"image/jpeg")], VIDEO)
    writer.response("http://a.example/cut", DATE, 200, [], VIDEO[: len(VIDEO) // 2])
    writer.close()
    tree = ObjectTree(tmp_path / "tree")
    urls = {url_id(url): url for url in ("http://a.example/v", "http://a.example/cut")}
    outcomes = list(objects(urls, warc.read(tmp_path / "raw", "a"), Filing(tree, 10**8, frames=3)))
    (rejected,) = (outcome for outcome in outcomes if isinstance(outcome, tables.Rejected))
    assert (rejected.urlId, rejected.reason) == (url_id("http://a.example/cut"), "broken")
    (rows,) = (outcome for outcome in outcomes if isinstance(outcome, list))
    video, *frames = rows
    assert (video.objectId, video.milliseconds, video.video) == (str(ObjectId.of(VIDEO, "mp4")), 2000, "")
    assert (video.width, video.height, video.bytes) == (64, 48, len(VIDEO))
    assert [(frame.milliseconds, frame.video, frame.urlId) for frame in frames] == [
        (time, video.objectId, video.urlId) for time in (300, 1000, 1600)
    ]
    assert {path.name for path in tree.root.rglob("*.*") if path.is_file()} == {row.objectId for row in rows}


SETTINGS = params.Objects(max_pixels=10**8)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs whose payloads were read, in order; the work is done in this process."""
    found: list[str] = []

    def file_all(filing: Filing, entries: Sequence[warc.Entry]) -> list[Any]:
        found.extend(entry.url.rpartition("/")[2] for entry in entries)
        return original(filing, entries)

    original = Filing.file_all
    monkeypatch.setattr(Filing, "file_all", file_all)
    monkeypatch.setattr(stage, "Parallel", lambda **_: lambda calls: (f(*args, **kwargs) for f, args, kwargs in calls))
    return found


def journalled(archive: Path, urls: Iterable[str], settings: params.Objects = SETTINGS, until: int | None = None) -> list[Any]:
    """The outcomes of a run with the journal beside the archive, sorted; one killed after `until` outcomes."""
    tree = ObjectTree(archive.parent / "tree")
    tree.root.mkdir(exist_ok=True)
    with closing(Outcomes(archive.parent / "journal", stage._key(settings))) as journal:
        filing = Filing(tree, settings.max_pixels, settings.checks)
        found = objects({url_id(url): url for url in urls}, warc.read(archive, "a"), filing, journal)
        return sorted(islice(found, until), key=str)


def test_a_rerun_reads_nothing_again(archive: Path, read: list[str]) -> None:
    first = journalled(archive, ANSWERS)
    # moved.jpg leads to 1.jpg
    assert sorted(read) == ["1.jpg", "1.jpg", "empty.jpg", "odd.jpg", "png.jpg", "same.jpg"]
    before, count = leaves(archive), len(read)
    assert journalled(archive, ANSWERS) == first
    assert len(read) == count
    assert leaves(archive) == before


def test_a_new_archive_file_is_all_that_is_read(archive: Path, read: list[str]) -> None:
    journalled(archive, ANSWERS)
    writer = warc.Writer(archive, "a", {})
    writer.response("http://a.example/new.jpg", DATE, 200, [], pictures.jpeg(pictures.draw("dots", 3)))
    writer.response(
        "http://a.example/png.jpg", DATE, 200, [], pictures.jpeg(pictures.draw("dots", 4))
    )  # the same URL, other bytes
    writer.close()
    read.clear()
    urls = [*ANSWERS, "http://a.example/new.jpg"]
    found = journalled(archive, urls)
    assert sorted(read) == ["new.jpg", "png.jpg"]
    (archive.parent / "journal").unlink()
    assert journalled(archive, urls) == found


def damage_size(archive: Path) -> None:
    path = ObjectTree(archive.parent / "tree").path(ObjectId.of(PNG, "png"))
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    "damage",
    [damage_size, lambda archive: ObjectTree(archive.parent / "tree").path(ObjectId.of(PNG, "png")).unlink()],
    ids=["wrong size", "missing"],
)
def test_a_leaf_that_is_not_there_is_read_again(archive: Path, read: list[str], damage: Callable[[Path], None]) -> None:
    first = journalled(archive, ANSWERS)
    damage(archive)
    read.clear()
    assert journalled(archive, ANSWERS) == first
    assert read == ["png.jpg"]
    assert ObjectTree(archive.parent / "tree").path(ObjectId.of(PNG, "png")).read_bytes() == PNG


def test_a_killed_run_goes_on_even_behind_half_a_line(archive: Path, read: list[str]) -> None:
    urls = [f"http://a.example/{name}" for name in ("1.jpg", "png.jpg", "empty.jpg", "odd.jpg")]
    journalled(archive, urls, until=3)
    done = list(read)
    assert len(done) == 3
    journal = archive.parent / "journal"
    journal.write_bytes(journal.read_bytes()[:-10])
    read.clear()
    found = journalled(archive, urls)
    assert read[0] == done[-1]
    assert len(read) == 2
    read.clear()
    assert journalled(archive, urls) == found
    assert not read
    journal.unlink()
    assert journalled(archive, urls) == found


def test_a_damaged_journal_is_begun_anew(archive: Path, read: list[str]) -> None:
    first = journalled(archive, ANSWERS)
    journal, count = archive.parent / "journal", len(read)
    data = journal.read_bytes()
    key, first_record, *rest = data.splitlines(keepends=True)
    journal.write_bytes(key + first_record[:-2] + b"!\n" + b"".join(rest))
    assert journalled(archive, ANSWERS) == first
    assert len(read) == 2 * count
    assert sorted(journal.read_bytes().splitlines()) == sorted(data.splitlines())


@pytest.mark.parametrize("settings", [params.Objects(max_pixels=10**7), params.Objects(max_pixels=10**8, checks=False)])
def test_a_journal_of_other_settings_does_not_count(archive: Path, read: list[str], settings: params.Objects) -> None:
    journalled(archive, ANSWERS)
    count = len(read)
    journalled(archive, ANSWERS, settings)
    assert len(read) == 2 * count


def test_without_checks_only_the_header_counts(archive: Path) -> None:
    writer = warc.Writer(archive, "a", {})
    writer.response("http://a.example/cut.jpg", DATE, 200, [], PICTURE[:-50])
    writer.response("http://a.example/html.jpg", DATE, 200, [], b"<html>")
    writer.close()
    for checks, expected in ((True, "truncated"), (False, str(ObjectId.of(PICTURE[:-50], "jpg")))):
        settings = params.Objects(max_pixels=10**8, checks=checks)
        found = journalled(archive, ["http://a.example/cut.jpg", "http://a.example/html.jpg"], settings)
        named = {getattr(row, "objectId", None) or row.reason for row in (o[0] if isinstance(o, list) else o for o in found)}
        assert named == {expected, "html"}


def test_a_reject_says_its_url_and_file_name(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(archive.parent)
    url = "http://a.example/odd.jpg"
    row = tables.Capture(url_id(url), url, "", "", "", "odd one.jpg", DATE, "", 200)
    tables.write(Path("a.csv"), tables.frame([row], tables.Capture), tables.Capture)
    site = "sites: { a: { fetch: { source: generic, start: ['http://a.example/'] } } }"
    Path("params.yaml").write_text(f"objects: {{ max_pixels: 1000000 }}\n{site}\n")
    stage.main(["raw", "a.csv", "none.csv", "tree", "index.csv", "rejected.csv"])
    (rejected,) = tables.rows(tables.read(Path("rejected.csv"), tables.Rejected), tables.Rejected)
    assert rejected == tables.Rejected(url_id(url), url, "odd one.jpg", "unknown format")


def test_a_half_jpeg_with_an_end_is_rejected(tmp_path: Path) -> None:
    writer = warc.Writer(tmp_path / "raw", "a", {})
    writer.response("http://a.example/half.jpg", DATE, 200, [], PICTURE[: len(PICTURE) // 2] + b"\xff\xd9")
    writer.close()
    (row,) = store(tmp_path / "raw", "http://a.example/half.jpg").values()
    assert row == tables.Rejected(row.urlId, "http://a.example/half.jpg", "", "damaged: premature end of data segment")
