from pathlib import Path

import pytest

from crawlers.demo import pictures
from sengu import tables, warc
from sengu.errors import SenguError
from sengu.ids import ObjectId, url_id
from sengu.stages.objects import objects
from sengu.store import ObjectTree

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
    "http://a.example/odd.jpg": (200, [(b"Content-Encoding", b"x-own")], PICTURE),
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
    rows = objects(wanted, warc.read(archive, "a"), ObjectTree(tree), 10**8)
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
        "odd.jpg": "unknown content encoding x-own",
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
    with pytest.raises(SenguError, match=r"damaged .*dvc checkout"):
        store(archive, "http://a.example/1.jpg")
