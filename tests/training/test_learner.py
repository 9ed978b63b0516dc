"""The parts of training by themselves: weights, rates, batches, the step against Keras's own, and what is kept."""

import math
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from sengu.base.errors import SenguError
from sengu.base.params import Phase

pytestmark = pytest.mark.slow

learner_module = import_module("sengu.training.learner")
phases = import_module("sengu.training.phases")
checkpoints = import_module("sengu.training.checkpoints")
tf, keras = learner_module.tf, learner_module.keras
Epoch, Learner, Progress, Trainable = phases.Epoch, phases.Learner, phases.Progress, learner_module.Trainable


def phase(epochs: int = 4, **more: Any) -> Phase:
    return Phase(**{"epochs": epochs, "rate": 0.1, "batch": 4, **more})


@pytest.mark.parametrize("values", [[0, 0, 0, 1], [2, 0, 0, 1, 1, 1, 1, 2, 2]])
def test_balanced_weights_are_those_of_scikit_learn(values: list[int]) -> None:
    expected = compute_class_weight("balanced", classes=np.unique(values), y=values)
    assert learner_module.class_weights("balanced", np.array(values), max(values) + 1) == pytest.approx(expected)
    assert list(learner_module.class_weights("none", np.array(values), 3)) == [1, 1, 1]


def test_a_class_without_examples_has_no_weight() -> None:
    assert list(learner_module.class_weights("balanced", np.array([0, 2, 2, 2]), 4)) == pytest.approx([2, 0, 2 / 3, 0])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [0.1] * 10),
        ({"warm_up": 0.2}, [0.05] + [0.1] * 9),
        ({"warm_up": 0.1, "decay": "cosine"}, [0.05 * (1 + math.cos(math.pi * step / 10)) for step in range(10)]),
        ({"decay": "cosine"}, [0.05 * (1 + math.cos(math.pi * step / 10)) for step in range(10)]),
        ({"decay": "cosine", "warm_up": 0.2}, [0.05] + [0.05 * (1 + math.cos(math.pi * step / 9)) for step in range(9)]),
    ],
    ids=["constant", "warm-up", "warm-up of one step", "cosine", "both"],
)
def test_the_rate_of_every_step(settings: dict[str, Any], expected: list[float]) -> None:
    rates = learner_module.rates(phase(**settings), 10)
    assert [float(rates(step)) if callable(rates) else rates for step in range(10)] == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("settings", [{}, {"warm_up": 0.9}, {"decay": "cosine"}, {"decay": "cosine", "warm_up": 0.9}])
def test_a_training_of_one_step_learns_at_the_peak(settings: dict[str, Any]) -> None:
    rates = learner_module.rates(phase(**settings), 1)
    assert float(rates(0) if callable(rates) else rates) == pytest.approx(0.1)


def test_the_rate_before_any_step_is_that_of_the_first() -> None:
    layer = dense()
    assert Learner(Trainable(layer, layer.trainable_weights), phase(decay="cosine"), 4, half=True).rate() == pytest.approx(0.1)


def test_an_epoch_has_every_example_once_in_an_order_of_its_own() -> None:
    order = learner_module.order(10, 1, 0)
    assert sorted(order) == list(range(10))
    assert list(learner_module.order(10, 1, 0)) == list(order)
    assert list(learner_module.order(10, 1, 1)) != list(order) != list(learner_module.order(10, 2, 0))


def dense() -> Any:
    """Two inputs, three classes, with a penalty on its weights."""
    layer = keras.layers.Dense(3, kernel_initializer="ones", kernel_regularizer=keras.regularizers.L2(0.1))
    layer.build((None, 2))
    return layer


@pytest.mark.parametrize("half", [False, True], ids=["float32", "scaled loss"])
def test_the_step_is_that_of_keras(half: bool) -> None:
    chance = np.random.default_rng(3)
    inputs, values = chance.random((8, 2), np.float32), chance.integers(0, 3, 8)
    weights = learner_module.class_weights("balanced", values, 3)[values]
    layer, reference = dense(), dense()
    learner = Learner(Trainable(layer, layer.trainable_weights, lambda: layer.losses), phase(), 8, half)
    model = keras.Sequential([reference])
    model.compile(keras.optimizers.Adam(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    step = tf.function(learner.step)
    for batch in (slice(0, 4), slice(4, 8), slice(0, 3)):
        size = np.float32(len(values[batch]))
        loss, _ = step(inputs[batch], values[batch], weights[batch], size).numpy()
        penalty = float(reference.losses[0])
        expected = model.train_on_batch(inputs[batch], values[batch], sample_weight=weights[batch])
        assert loss / size + penalty == pytest.approx(expected, rel=1e-5)
    for found, expected in zip(layer.get_weights(), reference.get_weights(), strict=True):
        assert found == pytest.approx(expected, abs=1e-5)


def test_an_example_that_does_not_count_teaches_nothing() -> None:
    layers = dense(), dense()
    for layer, padding in zip(layers, (0, 2), strict=True):
        learner = Learner(Trainable(layer, layer.trainable_weights), phase(), 1)
        inputs = np.array([[1, 2]] + [[5, 6]] * padding, np.float32)
        weights = np.array([1] + [0] * padding, np.float32)
        sums = learner.step(inputs, np.zeros(1 + padding, np.int64), weights, np.float32(1)).numpy()
        assert sums.tolist() == pytest.approx([math.log(3), 1])
    assert np.array_equal(layers[0].get_weights()[0], layers[1].get_weights()[0])


def history(*losses: float) -> list[Any]:
    return [Epoch(1.0, 0.5, 0.1, loss, 0.5) for loss in losses]


@pytest.mark.parametrize(
    ("start", "losses", "patience", "ended"),
    [
        (4, (), 1, False),
        (4, (3, 2), 1, False),
        (4, (3, 2, 2), 1, True),  # as good as before is not better
        (4, (3, 2, 4, 1.5), 2, False),
        (4, (3, 2, 4, 3), 2, True),
        (1, (2,), 2, False),
        (1, (3, 2), 2, True),  # none as good as the start
        (1, (2, 3, 4, 5), 0, False),
        (None, (), 0, False),  # no validation
        (7, (6, 5, 4, 3, 2, 1), 1, True),  # the last epoch
    ],
)
def test_a_phase_ends_when_it_has_been_patient(
    start: float | None, losses: tuple[float, ...], patience: int, ended: bool
) -> None:
    assert phases.finished(Progress(history(*losses), start), phase(6, patience=patience)) is ended


PHASES = pytest.mark.parametrize("name", ["head", "fine_tune"])
START = 9.0  # the weights before any epoch


def fitted(settings: Phase, losses: list[float], progress: Any, name: str = "head") -> tuple[Any, list[int], list[Any]]:
    """A phase whose weights after epoch n are n. `losses` are those of validation, from the start if it is not known yet.

    Gives the last weights, the numbers of the epochs logged, and of each save how many epochs there were and the best weights.
    """
    layer = dense()
    learner = Learner(Trainable(layer, layer.trainable_weights), settings, 4)
    learner.assign([np.full(weight.shape, len(progress.history) or START) for weight in learner.weights])
    logged, saved, left = [], [], iter(losses)

    def train(epoch: int) -> tuple[float, float]:
        learner.assign([np.full(weight.shape, epoch + 1) for weight in learner.weights])
        return 1.0, 0.5

    def log(of: str, number: int, epoch: Any) -> None:
        assert of == name
        logged.append(number)

    def save(progress: Any) -> None:
        saved.append((len(progress.history), progress.start, *(float(array.flat[0]) for array in progress.best[:1])))

    passes = phases.Passes(train, (lambda: (next(left), 0.5)) if losses else None)
    phases.fit(name, learner, passes, progress, phases.Notes(log, save))
    assert not list(left)
    return float(layer.get_weights()[0][0, 0]), logged, saved


@PHASES
def test_the_best_weights_are_kept_if_there_is_patience(name: str) -> None:
    losses = [4.0, 3.0, 1.0, 2.0, 2.0]
    saved = [(1, 4.0, 1.0), (2, 4.0, 2.0), (3, 4.0, 2.0), (4, 4.0, 2.0)]
    assert fitted(phase(5, patience=2), losses, Progress(), name) == (2.0, [1, 2, 3, 4], saved)
    assert fitted(phase(4), losses, Progress(), name) == (4.0, [1, 2, 3, 4], [(number, 4.0) for number in (1, 2, 3, 4)])
    assert fitted(phase(2), [], Progress(), name) == (2.0, [1, 2], [(1, None), (2, None)])  # no validation


@PHASES
def test_the_weights_at_the_start_compete_if_there_is_patience(name: str, caplog: pytest.LogCaptureFixture) -> None:
    found = fitted(phase(5, patience=2), [0.3, 3.0, 0.3], Progress(), name)
    assert found == (START, [1, 2], [(1, 0.3, START), (2, 0.3, START)])
    warning = (
        f"{name}: no epoch was better than the weights it started from, which are kept: lower train.{name}.rate in params.yaml"
    )
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [warning]


@pytest.mark.parametrize(
    ("losses", "warning"),
    [
        ([0.3, 0.1, 3.0], "fine_tune: the validation loss has grown from 0.3 to 3: lower train.fine_tune.rate in params.yaml"),
        ([0.3, 3.0, 0.3], ""),
        ([0.3, 3.0, 0.1], ""),
        ([], ""),
    ],
)
def test_without_patience_the_last_weights_stay_but_a_higher_loss_is_told(
    caplog: pytest.LogCaptureFixture, losses: list[float], warning: str
) -> None:
    assert fitted(phase(2), losses, Progress(), "fine_tune")[0] == 2.0
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == ([f"{warning}, or set patience"] if warning else [])


def test_a_phase_without_epochs_is_not_validated() -> None:
    assert fitted(phase(0), [], Progress()) == (START, [], [])
    layer = dense()
    learner = Learner(Trainable(layer, layer.trainable_weights), phase(0, patience=1), 4)
    passes = phases.Passes(pytest.fail, lambda: pytest.fail("validated"))
    phases.fit("head", learner, passes, Progress(), phases.Notes(pytest.fail))


def kept(weight: float) -> list[np.ndarray]:
    return [np.full((2, 3), weight), np.full(3, weight)]


@pytest.mark.parametrize(("start", "best"), [(4.0, 2.0), (0.5, START)])
def test_a_resumed_phase_says_all_its_epochs_and_knows_its_start_and_its_best(start: float, best: float) -> None:
    before = Progress(history(3.0, 1.0, 2.0), start, kept(best))
    patience = 2 if best == 2.0 else 4
    assert fitted(phase(5, patience=patience), [2.0], before) == (best, [1, 2, 3, 4], [(4, start, best)])


@pytest.mark.parametrize(("patience", "start", "weight"), [(0, 4.0, 2.0), (1, 4.0, 1.0), (2, 0.5, START)])
def test_a_training_killed_after_its_last_epoch_only_ends(patience: int, start: float, weight: float) -> None:
    before = Progress(history(1.0, 3.0), start, kept(weight) if patience else [])
    assert fitted(phase(2, patience=patience), [], before) == (weight, [1, 2], [])


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_an_error(loss: float) -> None:
    with pytest.raises(SenguError, match=r"the loss of head is not a finite number after epoch 2: lower train\.head\.rate"):
        fitted(phase(), [2.0, 1.0, loss], Progress())
    with pytest.raises(SenguError, match="the validation loss of head is not a finite number before its first epoch: check"):
        fitted(phase(), [loss], Progress())


def test_a_checkpoint_brings_back_weights_optimizer_and_loss_scale(tmp_path: Path) -> None:
    inputs, values = np.random.default_rng(5).random((4, 2), np.float32), np.array([0, 1, 2, 0])
    arguments = inputs, values, np.ones(4, np.float32), np.float32(4)

    def made() -> tuple[Any, Any]:
        layer = dense()
        learner = Learner(Trainable(layer, layer.trainable_weights), phase(), 4, half=True)
        return learner, checkpoints.Checkpoint(tmp_path / "key", learner.weights, learner.optimizer)

    learner, kept = made()
    assert kept.load() is None
    learner.step(*arguments)
    kept.save(1, ["an epoch"], [])
    learner.step(*arguments)
    best = [np.arange(3.0), np.eye(2)]
    kept.save(2, ["an epoch", 0.1], best)
    learner.step(*arguments)
    expected = learner.values()

    learner, kept = made()
    notes, arrays = kept.load()
    assert notes == ["an epoch", 0.1]
    assert [array.tolist() for array in arrays] == [array.tolist() for array in best]
    assert int(learner.optimizer.dynamic_counter) == 2
    learner.step(*arguments)
    assert all(np.array_equal(a, b) for a, b in zip(learner.values(), expected, strict=True))


def flipped(whole: bytes) -> bytes:
    """One bit in the middle of the first array."""
    return bytes(byte ^ (number == 200) for number, byte in enumerate(whole))


@pytest.mark.parametrize("name", ["rest.npz", "state.index", "state.data-00000-of-00001"])
@pytest.mark.parametrize("damage", [lambda whole: b"", lambda whole: whole[:-30], flipped], ids=["empty", "cut", "flipped"])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, name: str, damage: Callable[[bytes], bytes]) -> None:
    layer = dense()
    kept = checkpoints.Checkpoint(tmp_path / "key", layer.trainable_weights, keras.optimizers.Adam())
    kept.save(1, ["an epoch" * 50], [np.zeros(9)])
    path = tmp_path / "key/000001" / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(SenguError, match=r"key/000001.* is damaged.*: remove .*key, and the training starts anew"):
        kept.load()


def test_one_training_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        with (
            checkpoints.alone(),
            pytest.raises(SenguError, match="another training holds .sengu/training/lock"),
            checkpoints.alone(),
        ):
            pass


def test_few_unfinished_trainings_are_kept(tmp_path: Path) -> None:
    layer = dense()
    (tmp_path / "lock").touch()
    for name in "abcd":
        checkpoints.Checkpoint(tmp_path / name, layer.trainable_weights, keras.optimizers.Adam()).save(1, [], [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "c", "d", "lock"]
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["000001"]


def of_ones() -> Any:
    layer = keras.layers.Dense(3)
    layer.build((None, 2))
    layer.set_weights([np.ones((2, 3), np.float32), np.ones(3, np.float32)])
    return layer


def after_a_step(layer: Any, learner: Any) -> list[np.ndarray]:
    inputs, values = np.array([[0.5, -1.0], [2.0, 0.1]], np.float32), np.array([0, 2])
    learner.step(inputs, values, np.ones(2, np.float32), np.float32(2))
    return [weight.numpy() for weight in layer.trainable_weights]


def test_a_weight_learns_at_its_share_of_the_rate_and_a_frozen_one_not_at_all() -> None:
    whole = of_ones()
    full = after_a_step(whole, Learner(Trainable(whole, whole.trainable_weights), phase(), 4))
    part = of_ones()
    kernel, bias = after_a_step(part, Learner(Trainable(part, part.trainable_weights, shares=[0.25, 1.0]), phase(), 4))
    assert kernel - 1 == pytest.approx((full[0] - 1) / 4, abs=1e-6) and np.abs(full[0] - 1).max() > 0.05
    assert np.array_equal(bias, full[1])
    still = of_ones()
    kernel, bias = after_a_step(still, Learner(Trainable(still, still.trainable_weights, shares=[0.0, 1.0]), phase(), 4))
    assert np.array_equal(kernel, np.ones((2, 3))) and np.array_equal(bias, full[1])


def test_kernels_decay_and_biases_do_not() -> None:
    plain, decaying = of_ones(), of_ones()
    without = after_a_step(plain, Learner(Trainable(plain, plain.trainable_weights), phase(), 4))
    found = after_a_step(decaying, Learner(Trainable(decaying, decaying.trainable_weights), phase(weight_decay=0.5), 4))
    assert found[0] == pytest.approx(without[0] - 0.1 * 0.5, abs=1e-6)  # the rate times the decay times a weight of 1
    assert np.array_equal(found[1], without[1])


def test_a_weight_decays_at_its_share_of_the_rate() -> None:
    whole, part = of_ones(), of_ones()
    settings = phase(weight_decay=0.5)
    full = after_a_step(whole, Learner(Trainable(whole, whole.trainable_weights), settings, 4))
    kernel, _ = after_a_step(part, Learner(Trainable(part, part.trainable_weights, shares=[0.25, 1.0]), settings, 4))
    assert kernel - 1 == pytest.approx((full[0] - 1) / 4, abs=1e-6)


def test_smoothing_is_that_of_keras_and_not_of_validation() -> None:
    layer = of_ones()
    inputs, values, ones = np.array([[0.5, -1.0], [2.0, 0.1]], np.float32), np.array([0, 2]), np.ones(2, np.float32)
    layer.set_weights([np.arange(6, dtype=np.float32).reshape(2, 3) / 5, np.zeros(3, np.float32)])
    learner = Learner(Trainable(layer, layer.trainable_weights), phase(label_smoothing=0.3), 4)
    logits = layer(inputs)
    smooth = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3, reduction="sum")
    expected = float(smooth(np.eye(3)[values], logits))
    plain = float(keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")(values, logits))
    assert float(learner.measure(inputs, values, ones)[0]) == pytest.approx(plain, rel=1e-5)
    assert float(learner.step(inputs, values, ones, np.float32(2))[0]) == pytest.approx(expected, rel=1e-5)
