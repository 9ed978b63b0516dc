import numpy as np
import onnxruntime
import pytest
from PIL import Image

from crawlers.demo import pictures
from sengu.pictures.images import LONGEST
from sengu.pictures.resizing import LETTERBOX, graph, resizer


@pytest.mark.parametrize("fit", ["squash", "letterbox"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (31, 64), (64, 64), (65, 200), (700, 333), (2, LONGEST)])
def test_any_size_becomes_the_networks(fit: str, shape: tuple[int, int]) -> None:
    pixels = resizer(64, fit)(np.full((*shape, 3), 7, np.uint8))
    assert pixels.shape == (64, 64, 3)
    assert pixels.dtype == np.uint8
    assert set(np.unique(pixels)) <= {7, LETTERBOX}
    assert (pixels == 7).all() == (fit == "squash" or shape[0] == shape[1])


def test_squash_agrees_with_pillow_to_a_few_levels() -> None:
    picture = pictures.draw("dots", 3)
    pillow = np.asarray(Image.fromarray(picture).resize((64, 64), Image.Resampling.BILINEAR))
    assert np.abs(resizer(64, "squash")(picture).astype(int) - pillow).max() <= 12


def test_letterbox_keeps_the_proportion_in_the_middle() -> None:
    pixels = resizer(64, "letterbox")(np.zeros((50, 100, 3), np.uint8))
    rows = (pixels == 0).all(axis=(1, 2))
    assert rows.sum() == 32
    assert rows[16:48].all()
    assert (pixels[~rows] == LETTERBOX).all()


def test_the_same_bits_with_any_number_of_threads_and_optimizations() -> None:
    picture = pictures.draw("stripes", 5)
    expected = resizer(64, "letterbox")(picture)
    for level in (onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = level
        options.intra_op_num_threads = 2
        session = onnxruntime.InferenceSession(graph(64, "letterbox").SerializeToString(), options)
        assert (session.run(None, {"picture": picture})[0] == expected).all()
