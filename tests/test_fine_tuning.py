"""What fine-tuning reads for each batch, and when it computes in half precision."""

from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sengu import fine_tuning, params
from sengu.pixels import Examples
from sengu.workers import Place

pytestmark = pytest.mark.slow

augmentation, tf, keras = fine_tuning.augmentation, fine_tuning.tf, fine_tuning.keras


class Recorded:
    """Pixels that remember how many of them were read at once."""

    def __init__(self, array: np.ndarray):
        self.array, self.shape, self.read = array, array.shape, []

    def __getitem__(self, chosen: np.ndarray) -> np.ndarray:
        self.read.append(len(chosen))
        return self.array[chosen]


def examples() -> Examples:
    """22 pictures of 8 pixels, each of its number; every third one is for validation."""
    pixels = np.broadcast_to(np.arange(22, dtype=np.uint8)[:, None, None, None], (22, 8, 8, 3))
    rows = pd.DataFrame({"value": np.arange(22) % 2, "type": ["validation" if n % 3 == 0 else "train" for n in range(22)]})
    return Examples(rows, Recorded(pixels))  # type: ignore[arg-type]


def settings(**more: Any) -> params.Train:
    phase = {"epochs": 2, "rate": 0.1, "batch": 4}
    return params.Train(seed=3, head=params.Phase(**phase), fine_tune=params.FineTune(**phase), **more)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("backbone")
    picture = keras.Input((None, None, 3))
    vector = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(5, 3)(picture))
    keras.Model(picture, vector).save(folder)
    return fine_tuning.Network(folder, (np.zeros((5, 2), np.float32), np.zeros(2, np.float32)), 8)


def numbers(tuning: Any, epoch: int) -> tuple[list[list[int]], np.ndarray]:
    """The examples of each batch by their numbers, and their random numbers."""
    batches = list(tuning.batches(epoch))
    return [pictures[:, 0, 0, 0].tolist() for pictures, *_ in batches], np.concatenate([chances for *_, chances in batches])


def test_each_batch_is_read_by_itself_and_each_example_once(network: Any) -> None:
    pixels = examples()
    tuning = fine_tuning.FineTuning(network, pixels, settings(class_weights="balanced"), Place(0, 1))
    expected = [number for number in range(22) if number % 3]
    first, chances = numbers(tuning, 0)
    assert [len(batch) for batch in first] == pixels.arrays.read == [4, 4, 4, 2]
    assert sorted(chain(*first)) == expected
    assert numbers(tuning, 0)[0] == first != numbers(tuning, 1)[0]
    # the random numbers belong to an example, wherever it comes
    table = dict(zip(expected, augmentation.chances(14, 3, 0), strict=True))
    assert np.array_equal(chances, [table[number] for number in chain(*first)])
    for pictures, values, weights, size, _ in tuning.batches(0):
        assert values.tolist() == [number % 2 for number in pictures[:, 0, 0, 0]]
        assert weights == pytest.approx([1.0] * len(values))  # seven of each
        assert size == len(values)


def test_workers_take_their_shares_of_the_same_batches(network: Any) -> None:
    alone, first, second = (
        fine_tuning.FineTuning(network, examples(), settings(), place) for place in (Place(0, 1), Place(0, 2), Place(1, 2))
    )
    shared = zip(numbers(first, 1)[0], numbers(second, 1)[0], strict=True)
    assert [[*one, *other] for one, other in shared] == numbers(alone, 1)[0]
    assert [float(size) for *_, size, _ in first.batches(1)] == [4, 4, 4, 2]


@pytest.mark.parametrize(
    ("precision", "devices", "half"), [("auto", ["a GPU"], True), ("auto", [], False), ("never", ["a GPU"], False)]
)
def test_half_precision_is_for_gpus(
    network: Any, monkeypatch: pytest.MonkeyPatch, precision: str, devices: list[str], half: bool
) -> None:
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: devices if kind == "GPU" else ["a CPU"])
    tuning = fine_tuning.FineTuning(network, examples(), settings(mixed_precision=precision), Place(0, 1))
    monkeypatch.undo()
    assert tf.config.optimizer.get_experimental_options()["auto_mixed_precision"] is half
    tf.config.optimizer.set_experimental_options({"auto_mixed_precision": False})
    before = network.weights[-1].numpy()
    tuning.trained(0)
    assert not np.array_equal(network.weights[-1].numpy(), before)
    assert {weight.dtype for weight in network.weights} == {tf.float32}
    assert isinstance(tuning.learner.optimizer, keras.mixed_precision.LossScaleOptimizer) is half


def test_the_functions_of_a_saved_network_have_one_order_whatever_tensorflow_gave_them(tmp_path: Path) -> None:
    found = []
    for names in (["c", "a", "b"], ["b", "c", "a"]):
        saved = fine_tuning.saved_model_pb2.SavedModel()
        library = saved.meta_graphs.add().graph_def.library
        for name in names:
            library.function.add().signature.name = name
        path = tmp_path / "saved_model.pb"
        path.write_bytes(saved.SerializeToString())
        fine_tuning._sort_functions(path)
        found.append(path.read_bytes())
    assert found[0] == found[1]
    functions = fine_tuning.saved_model_pb2.SavedModel.FromString(found[0]).meta_graphs[0].graph_def.library.function
    assert [function.signature.name for function in functions] == ["a", "b", "c"]
