import gzip
from pathlib import Path

import fsspec
import pytest

from sengu import warc

DATE = "2013-10-05T20:00:00Z"
ANSWERS = {"http://a.example/1": b"one", "http://a.example/2": b"two", "file://a/3": b"three"}


@pytest.fixture
def archive(tmp_path: Path) -> warc.Archive:
    """Two files: the first with an answer in gzip, another and a page between them, the second with a resource."""
    writer = warc.Writer(tmp_path, "a", {})
    writer.response("http://a.example/1", DATE, 200, [(b"Content-Encoding", b"gzip")], gzip.compress(b"one"))
    writer.page("http://a.example/page", DATE, 200, [], b"<html>" * 50)
    writer.response("http://a.example/2", DATE, 200, [], b"two")
    writer.close()
    writer = warc.Writer(tmp_path, "a", {})
    writer.resource("file://a/3", DATE, {}, b"three")
    writer.close()
    return warc.gather(warc.files(tmp_path, "a"))


def test_a_place_gives_the_payload_of_its_entry_and_reads_no_other_record(archive: warc.Archive) -> None:
    places = {url: archive.place(archive.find(url)) for url in ANSWERS}
    assert {url: warc.payload(place) for url, place in places.items()} == ANSWERS
    page = archive.find("http://a.example/page")
    assert places["http://a.example/1"].offset + places["http://a.example/1"].length == page.offset
    for url in ("http://a.example/2", "file://a/3"):
        assert places[url].offset + places[url].length == Path(places[url].file).stat().st_size


def test_a_copy_in_another_file_system_is_read_there(archive: warc.Archive) -> None:
    memory = fsspec.filesystem("memory")
    for url, payload in ANSWERS.items():
        place = archive.place(archive.find(url))
        name = f"/copies/{Path(place.file).name}"
        memory.pipe(name, Path(place.file).read_bytes())
        Path(place.file).write_bytes(b"")
        assert warc.payload(place.at(name, memory)) == payload
        Path(place.file).write_bytes(memory.cat(name))


def test_a_missing_file_is_named_with_the_cure_of_its_side(archive: warc.Archive) -> None:
    place = archive.place(archive.find("file://a/3"))
    Path(place.file).unlink()
    with pytest.raises(warc.MissingArchive, match=rf"archive file {place.file} is missing: `sengu heal`"):
        warc.payload(place)
    with pytest.raises(warc.MissingArchive, match="archive file /gone is missing: `dvc push`"):
        warc.payload(place.at("/gone", fsspec.filesystem("memory")))


def test_a_place_where_no_record_begins_is_damage(archive: warc.Archive) -> None:
    place = archive.place(archive.find("http://a.example/2"))
    wrong = warc.Place(place.file, place.offset + 3, place.length)
    with pytest.raises(warc.DamagedRecord, match=rf"damaged record at byte {place.offset + 3}"):
        warc.payload(wrong)
