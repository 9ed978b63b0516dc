from pathlib import Path

from crawlers.demo import pictures
from sengu.ids import ObjectId
from sengu.stages.duplicates import duplicates
from sengu.store import ObjectStore, ObjectTree


def test_equal_pixels_make_a_group_whatever_the_bytes(tmp_path: Path) -> None:
    one, two = pictures.draw("dots", 1), pictures.draw("dots", 2)
    payloads = {
        ObjectId.of(data, extension): data
        for data, extension in (
            (pictures.jpeg(one), "jpg"),
            (pictures.commented_jpeg(one), "jpg"),
            (pictures.jpeg(one, quality=40), "jpg"),
            (pictures.png(two), "png"),
            (pictures.jpeg(two), "jpg"),
        )
    }
    for site, (object_id, payload) in enumerate(payloads.items()):
        ObjectTree(tmp_path / str(site % 2)).put(object_id, payload)
    found = duplicates(payloads, ObjectStore.below(tmp_path), {})
    pair = sorted(str(i) for i in list(payloads)[:2])
    assert found[["objectId", "group"]].to_numpy().tolist() == [[member, pair[0]] for member in pair]


def test_frames_of_one_video_are_duplicates_and_draw_in_what_equals_them(tmp_path: Path) -> None:
    payloads = [pictures.jpeg(pictures.draw("dots", number)) for number in range(4)]
    same = pictures.commented_jpeg(pictures.draw("dots", 1))
    ids = [ObjectId.of(payload, "jpg") for payload in [*payloads, same]]
    for object_id, payload in zip(ids, [*payloads, same], strict=True):
        ObjectTree(tmp_path / "site").put(object_id, payload)
    video = ObjectId.of(b"video", "mp4")
    frames = {str(ids[0]): str(video), str(ids[1]): str(video)}
    found = duplicates([*ids, video], ObjectStore.below(tmp_path), frames)
    group = sorted(map(str, (ids[0], ids[1], ids[4])))
    assert sorted(found["objectId"]) == group
    assert set(found["group"]) == {group[0]}
