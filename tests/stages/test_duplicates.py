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
    found = duplicates(payloads, ObjectStore.below(tmp_path))
    pair = sorted(str(i) for i in list(payloads)[:2])
    assert found[["objectId", "group"]].to_numpy().tolist() == [[member, pair[0]] for member in pair]
