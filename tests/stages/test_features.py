from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import tiny
from project import execute

from sengu.base import tables
from sengu.caches import array_cache
from sengu.examples import EXAMPLES, FEATURES, MOST, PIXELS

pytestmark = pytest.mark.slow

import_module("tensorflow")

SIZE = 32
STAGE = """
import logging
from sengu.stages import features
logging.basicConfig(level=logging.INFO)
for cached in (False, True):
    features.main(["pixels", "backbone", f"with-{cached}"])
features.main(["fewer", "backbone", "some"])
features.main(["pixels", "backbone", "again"])
features.main(["pixels", "other", "other-features"])
features.processors = lambda: ["another"]
features.main(["pixels", "other", "other-processor"])
"""


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)


def save(folder: Path, pixels: np.ndarray) -> None:
    folder.mkdir()
    np.save(folder / PIXELS, pixels)
    rows = [tables.SplitLabel(f"{i:040x}.png", 0, "train") for i in range(len(pixels))]
    tables.write(folder / EXAMPLES, tables.frame(rows, tables.SplitLabel), tables.SplitLabel)


def test_features_are_the_same_bytes_however_much_is_known(tmp_path: Path) -> None:
    tiny.save(tmp_path / "backbone")
    tiny.save(tmp_path / "other")
    (tmp_path / "other/assets/note").write_text("another backbone")
    pixels = pictures(300)
    pixels[7] = pixels[3]
    save(tmp_path / "pixels", pixels)
    save(tmp_path / "fewer", pixels[100:200])
    log = execute(tmp_path, STAGE)
    assert [line.split()[-3] for line in log.splitlines() if "known before" in line] == ["0", "300", "100", "100", "0", "0"]
    found = np.load(tmp_path / "with-False" / FEATURES)
    assert found.shape == (300, tiny.FEATURES)
    assert found.dtype == np.float32
    assert np.array_equal(found[7], found[3])
    assert found.std(axis=0).min() > 1e-4
    expected = (tmp_path / "with-False" / FEATURES).read_bytes()
    for folder in ("with-True", "again", "other-features", "other-processor"):
        assert (tmp_path / folder / FEATURES).read_bytes() == expected
    assert (tmp_path / "some" / FEATURES).read_bytes()[-100 * 4 * tiny.FEATURES :] == found[100:200].tobytes()
    assert len(list((tmp_path / ".sengu/features").iterdir())) == 2  # one key, and the lock


def test_only_what_is_not_known_runs_through_the_backbone_in_bounded_batches(tmp_path: Path) -> None:
    from sengu.stages.features import features

    batches: list[int] = []

    def corners(batch: np.ndarray) -> np.ndarray:
        batches.append(len(batch))
        return batch[:, 0, 0].astype(np.float32)

    pixels = pictures(MOST + 15)
    names = [str(number) for number in range(len(pixels))]
    for count, expected in ((MOST + 10, [MOST, 10]), (MOST + 10, []), (MOST + 15, [5])):
        with array_cache.opened(tmp_path, "key", names[:count], (3,), "<f4") as known:
            found = np.stack(list(features(pixels[:count], names[:count], corners, known)))
        assert np.array_equal(found, pixels[:count, 0, 0])
        assert batches == expected
        batches.clear()
