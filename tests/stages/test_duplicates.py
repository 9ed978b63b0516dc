from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crawlers.demo import pictures
from sengu.base.errors import SenguError
from sengu.base.ids import ObjectId
from sengu.duplicates import decisions
from sengu.objects.store import ObjectStore, ObjectTree
from sengu.stages.duplicates import duplicates


def stored(folder: Path, *payloads: bytes) -> list[ObjectId]:
    """Puts JPEG files into two trees in turn."""
    ids = [ObjectId.of(payload, "jpg") for payload in payloads]
    for place, (object_id, payload) in enumerate(zip(ids, payloads, strict=True)):
        ObjectTree(folder / str(place % 2)).put(object_id, payload)
    return ids


def rows(found: pd.DataFrame) -> list[list[str]]:
    return sorted(found[["objectId", "group"]].to_numpy().tolist())


def group(*ids: ObjectId) -> list[list[str]]:
    names = sorted(map(str, ids))
    return [[name, names[0]] for name in names]


def some(folder: Path) -> list[ObjectId]:
    """A picture, the same pixels, the same recompressed, a crop of it, and two that are distinct."""
    one = pictures.draw("dots", 1)
    return stored(
        folder,
        pictures.jpeg(one),
        pictures.commented_jpeg(one),
        pictures.jpeg(one, quality=40),
        pictures.jpeg(pictures.cropped(one)),
        pictures.jpeg(pictures.draw("dots", 2)),
        pictures.jpeg(pictures.draw("stripes", 2)),
    )


def test_near_duplicates_make_a_group_named_by_its_smallest_id(tmp_path: Path) -> None:
    ids = some(tmp_path / "trees")
    found = duplicates(ids, ObjectStore.below(tmp_path / "trees"), {}, tmp_path / "journal")
    assert rows(found) == group(*ids[:4])
    found = duplicates(reversed(ids), ObjectStore.below(tmp_path / "trees"), {}, tmp_path / "other")
    assert rows(found) == group(*ids[:4])


def test_what_people_say_of_a_group_is_heeded(tmp_path: Path) -> None:
    ids = some(tmp_path / "trees")
    first, second, third, fourth = map(str, sorted(ids[:4]))
    decisions.decide([[first, third], [second, fourth]], "anna", tmp_path / "said.csv")
    decisions.decide([sorted(map(str, ids[4:]))], "anna", tmp_path / "said.csv")  # which the stage does not find alike
    said = decisions.read(tmp_path / "said.csv")
    found = duplicates(ids, ObjectStore.below(tmp_path / "trees"), {}, tmp_path / "journal", said)
    pairs = ([first, third], [second, fourth], sorted(map(str, ids[4:])))
    assert rows(found) == sorted([name, pair[0]] for pair in pairs for name in pair)
    assert set(found["mirrored"]) == {""}


def test_pictures_that_show_nothing_are_duplicates_only_if_every_pixel_is_equal(tmp_path: Path) -> None:
    black, dark = (np.full((60, 80, 3), level, np.uint8) for level in (0, 2))
    ids = stored(
        tmp_path / "trees",
        pictures.jpeg(black),
        pictures.commented_jpeg(black),
        pictures.jpeg(dark),
        pictures.jpeg(black[:50]),
    )
    found = duplicates(ids, ObjectStore.below(tmp_path / "trees"), {}, tmp_path / "journal")
    assert rows(found) == group(*ids[:2])


def test_frames_of_one_video_are_duplicates_and_draw_in_what_equals_them(tmp_path: Path) -> None:
    ids = stored(
        tmp_path / "trees",
        *(pictures.jpeg(pictures.draw("dots", number)) for number in range(4)),
        pictures.commented_jpeg(pictures.draw("dots", 1)),
        pictures.jpeg(pictures.draw("dots", 0), quality=50),
    )
    video = ObjectId.of(b"video", "mp4")
    frames = {str(ids[0]): str(video), str(ids[1]): str(video)}
    found = duplicates([*ids, video], ObjectStore.below(tmp_path / "trees"), frames, tmp_path / "journal")
    assert rows(found) == group(ids[0], ids[1], ids[4], ids[5])


def test_no_objects_have_no_duplicates(tmp_path: Path) -> None:
    assert rows(duplicates([], ObjectStore.below(tmp_path), {}, tmp_path / "journal")) == []


def test_an_object_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    (cut,) = stored(tmp_path / "trees", pictures.jpeg(pictures.draw("dots", 1))[:1500])
    with pytest.raises(SenguError, match=f"object {cut} cannot be decoded: truncated"):
        duplicates([cut], ObjectStore.below(tmp_path / "trees"), {}, tmp_path / "journal")


def test_a_second_run_reads_new_objects_only_and_finds_the_same(tmp_path: Path) -> None:
    trees, journal = tmp_path / "trees", tmp_path / "journal"
    ids = some(trees)
    first = duplicates(ids, ObjectStore.below(trees), {}, journal)
    for object_id in ids:
        ObjectStore.below(trees).path(object_id).unlink()  # who reads them again, fails
    assert rows(duplicates(ids, ObjectStore.below(trees), {}, journal)) == rows(first)
    ids += stored(trees, pictures.jpeg(pictures.draw("dots", 2), quality=40))
    found = duplicates(ids, ObjectStore.below(trees), {}, journal)
    assert rows(found) == sorted(group(*ids[:4]) + group(ids[4], ids[6]))
    with pytest.raises(SenguError, match="is missing"):
        duplicates(ids, ObjectStore.below(trees), {}, tmp_path / "empty")


@pytest.mark.parametrize("damage", ["truncated", "flipped", "shifted", "rubbish", "empty"])
def test_a_damaged_journal_changes_nothing(tmp_path: Path, damage: str) -> None:
    trees, journal = tmp_path / "trees", tmp_path / "journal"
    ids = some(trees)
    first = duplicates(ids, ObjectStore.below(trees), {}, journal)
    (file,) = (journal / "duplicates").iterdir()
    data = file.read_bytes()
    middle = len(data) // 2
    file.write_bytes(
        {
            "truncated": data[: middle + 7],
            "flipped": data[:middle] + bytes(255 - byte for byte in data[middle : middle + 100]) + data[middle + 100 :],
            "shifted": data[:100] + data[101:],
            "rubbish": b"rubbish" * 5000,
            "empty": b"",
        }[damage]
    )
    assert rows(duplicates(ids, ObjectStore.below(trees), {}, journal)) == rows(first)
    assert sorted(file.read_bytes()) == sorted(data)  # made whole again
