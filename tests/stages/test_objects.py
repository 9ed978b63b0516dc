from pathlib import Path

import pytest
from test_videos import recorded

from crawlers.demo import pictures
from sengu import params, tables, warc
from sengu.errors import SenguError
from sengu.ids import ObjectId, url_id
from sengu.stages.objects import objects
from sengu.store import ObjectTree

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
    outcomes = objects(wanted, warc.read(archive, "a"), ObjectTree(tree), params.Objects(max_pixels=10**8))
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


def test_a_video_is_an_object_and_so_are_the_frames_asked_for(tmp_path: Path) -> None:
    writer = warc.Writer(tmp_path / "raw", "a", {})
    writer.response("http://a.example/v", DATE, 200, [(b"Content-Type", b"image/jpeg")], VIDEO)
    writer.response("http://a.example/cut", DATE, 200, [], VIDEO[: len(VIDEO) // 2])
    writer.close()
    tree = ObjectTree(tmp_path / "tree")
    settings = params.Objects(max_pixels=10**8, video=params.Video(frames=3))
    urls = {url_id(url): url for url in ("http://a.example/v", "http://a.example/cut")}
    outcomes = list(objects(urls, warc.read(tmp_path / "raw", "a"), tree, settings))
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
