"""What fine-tuning reads for each batch, and when it computes in half precision."""

import threading
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sengu.base import params
from sengu.examples import Examples
from sengu.training import fine_tuning
from sengu.training import network as network_module
from sengu.training.network import Network
from sengu.training.workers import Place

pytestmark = pytest.mark.slow

augmentation, tf, keras = fine_tuning.augmentation, fine_tuning.tf, network_module.keras


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_workers_share_a_batch(workers: int) -> None:
    batch = np.array([7, 3, 9, 5])
    shares = [fine_tuning.share(batch, rank, workers) for rank in range(workers)]
    assert np.concatenate([own[counts > 0] for own, counts in shares]).tolist() == [7, 3, 9, 5]
    assert all(len(own) for own, _ in shares)


def test_the_last_batch_may_be_smaller() -> None:
    assert [batch.tolist() for batch in fine_tuning.batches(np.array([7, 3, 9, 5, 1]), 2)] == [[7, 3], [9, 5], [1]]


def test_batches_are_read_ahead_in_order_and_an_error_arrives() -> None:
    read: list[int] = []
    third = threading.Event()

    def reader(batch: np.ndarray) -> tuple[np.ndarray]:
        read.append(int(batch[0]))
        if batch[0] == 2:
            third.set()
        if batch[0] == 9:
            raise OSError("gone")
        return (batch * 10,)

    found = fine_tuning.ahead(reader, [np.array([number]) for number in range(8)])
    assert next(found)[0].tolist() == [0]
    assert third.wait(10)  # read while the first one is in use
    assert 7 not in read
    assert [array.tolist() for (array,) in found] == [[number * 10] for number in range(1, 8)]
    with pytest.raises(OSError, match="gone"):
        list(fine_tuning.ahead(reader, [np.array([9])]))


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
    return params.Train(seed=3, fine_tune=params.FineTune(**phase), **more)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("backbone")
    picture = keras.Input((None, None, 3))
    vector = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(5, 3)(picture))
    keras.Model(picture, vector).save(folder)
    return Network(folder, (np.zeros((5, 2), np.float32), np.zeros(2, np.float32)), 8)


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


class Linear:
    """A network of one dense layer on the mean colours, whose logits can be worked out by hand."""

    def __init__(self) -> None:
        chance = np.random.default_rng(2)
        self.head = keras.layers.Dense(2)
        self.head.build((None, 3))
        self.head.set_weights([chance.normal(size=(3, 2)) / 100, chance.normal(size=2)])
        self.weights, self.backbone = self.head.trainable_weights, keras.layers.Flatten()

    def logits(self, pictures: Any) -> Any:
        return self.head(tf.reduce_mean(tf.cast(pictures, tf.float32), axis=(1, 2)))


def losses(network: Any, pictures: Any, values: np.ndarray) -> np.ndarray:
    """Of each example, by NumPy, in float64."""
    logits = network.logits(pictures).numpy().astype(np.float64)
    return np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(values)), values]


def tuning_of(network: Any, **more: Any) -> Any:
    """With two examples of the second class for five of the first, and 4 batches of training, the last of which is smaller."""
    found = examples()
    found.rows["value"] = (np.arange(22) % 7 > 4).astype(int)
    phase = {"epochs": 1, "rate": 1e-9, "batch": 4}
    how = params.Train(seed=3, fine_tune=params.FineTune(**phase, **more), class_weights="balanced")
    return fine_tuning.FineTuning(network, found, how, Place(0, 1))


def test_the_network_learns_from_the_changed_pictures_and_weighted_classes() -> None:
    network, how = Linear(), params.Augmentation(brightness=0.5, contrast=0.9)
    tuning = tuning_of(network, augmentation=how)
    counts = np.bincount(tuning.values[tuning.train])
    sums, plain = 0.0, 0.0
    for pictures, values, _, _, chances in tuning.batches(0):
        weights = (len(tuning.train) / 2 / counts)[values]
        sums += (losses(network, augmentation.augment(pictures, chances, how), values) * weights).sum()
        plain += (losses(network, pictures, values) * weights).sum()
    loss, _ = tuning.trained(0)  # at a rate that changes next to nothing
    assert counts[0] != counts[1]
    assert loss == pytest.approx(sums / 14, rel=1e-4)
    assert loss != pytest.approx(plain / 14, rel=1e-2)


def test_validation_knows_neither_changes_nor_weights_and_means_are_of_examples() -> None:
    network = Linear()
    tuning = tuning_of(network, augmentation=params.Augmentation(brightness=0.5))
    tuning.phase = params.FineTune(epochs=1, rate=0.1, batch=3)  # batches of 3, 3 and 2
    pictures, values = tuning.pixels.arrays[tuning.validation], tuning.values[tuning.validation]
    hits = network.logits(pictures).numpy().argmax(axis=1) == values
    assert 0 < hits.sum() < 8
    assert tuning.validated() == pytest.approx((losses(network, pictures, values).mean(), hits.mean()), rel=1e-4)


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
