"""The backbone, a trained head and pictures -> the fine-tuned network: one worker's part of each batch."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from tqdm import tqdm

from sengu.base.params import Train
from sengu.examples import Examples
from sengu.networks.runtime import tf
from sengu.training import augmentation, learner
from sengu.training.learner import Learner, Means, Trainable
from sengu.training.network import Network
from sengu.training.workers import Place

AHEAD = 3  # batches that are read while the network learns from an earlier one

Arrays = tuple[np.ndarray, ...]


def half(settings: Train) -> bool:
    """True if float16 is used on this machine."""
    return settings.mixed_precision == "auto" and bool(tf.config.list_logical_devices("GPU"))


def batches(positions: np.ndarray, size: int) -> list[np.ndarray]:
    """Batches of `size` positions each; the last one may be smaller."""
    return [positions[start : start + size] for start in range(0, len(positions), size)]


def share(batch: np.ndarray, rank: int, workers: int) -> tuple[np.ndarray, np.ndarray]:
    """One worker's part of a batch of positions, and float32 ones; never empty: a zero marks an example that does not count."""
    own = np.array_split(batch, workers)[rank]
    return (own, np.ones(len(own), np.float32)) if len(own) else (batch[:1], np.zeros(1, np.float32))


def ahead(read: Callable[[np.ndarray], Arrays], batches: Iterable[np.ndarray]) -> Iterator[Arrays]:
    """Yields what `read` makes of each batch, read in a thread while the batches before it are in use."""
    # not tf.data, which does not read ahead if operations must be deterministic
    with ThreadPoolExecutor(1) as thread:
        waiting: deque[Future[Arrays]] = deque()
        for batch in batches:
            waiting.append(thread.submit(read, batch))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class FineTuning:
    """The epochs of fine-tuning, made and used in the scope of the workers' strategy. The pictures may be larger than memory."""

    def __init__(self, network: Network, pixels: Examples, settings: Train, place: Place):
        self.pixels, self.seed, self.phase, self.place = pixels, settings.seed, settings.fine_tune, place
        self.values = pixels.values
        types = pixels.rows["type"].to_numpy()
        self.train, self.validation = (np.flatnonzero(types == name) for name in ("train", "validation"))
        self.class_weights = learner.class_weights(settings.class_weights, self.values[self.train], network.head.units)
        self.half = half(settings)
        # a Keras policy does not reach the backbone, whose graph is float32; this rewrites the graph
        tf.config.optimizer.set_experimental_options({"auto_mixed_precision": self.half})
        is_slower = self.phase.frozen or self.phase.lowest_rate < 1
        shares = network.shares(self.phase.frozen, self.phase.lowest_rate) if is_slower else ()
        self.weights = network.weights
        trainable = Trainable(network.logits, self.weights, lambda: network.backbone.losses, shares)
        self.learner = Learner(trainable, self.phase, len(self.train), self.half)
        strategy = tf.distribute.get_strategy()
        # the number of pictures is left open: the last batch of an epoch is smaller, and tracing takes long
        batch = [
            tf.TensorSpec((None, *pixels.arrays.shape[1:]), tf.uint8),
            tf.TensorSpec((None,), tf.int64),
            tf.TensorSpec((None,), tf.float32),
        ]

        def step(pictures: tf.Tensor, values: tf.Tensor, weights: tf.Tensor, size: tf.Tensor, chances: tf.Tensor) -> tf.Tensor:
            changed = augmentation.augment(pictures, chances, self.phase.augmentation)
            return strategy.run(self.learner.step, (changed, values, weights, size))

        def measure(pictures: tf.Tensor, values: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
            return strategy.run(self.learner.measure, (pictures, values, weights))

        more = [tf.TensorSpec((), tf.float32), tf.TensorSpec((None, augmentation.CHANCES), tf.float32)]
        self.step, self.measure = tf.function(step, [*batch, *more]), tf.function(measure, batch)

    def batches(self, epoch: int) -> Iterator[Arrays]:
        """Yields the arguments of `step`, batch by batch; all depends on seed and epoch only."""
        chances = augmentation.chances(len(self.train), self.seed, epoch)

        def read(batch: np.ndarray) -> Arrays:
            own, counts = share(batch, self.place.rank, self.place.workers)
            values = self.values[self.train[own]]
            weights = self.class_weights[values] * counts
            return self.pixels.arrays[self.train[own]], values, weights, np.array(len(batch), np.float32), chances[own]

        order = learner.order(len(self.train), self.seed, epoch)
        return ahead(read, batches(order, self.phase.batch))

    def trained(self, epoch: int) -> Means:
        """Trains for one epoch."""
        batches = self._shown(self.batches(epoch), len(self.train), f"fine_tune, epoch {epoch + 1}")
        return learner.means([self.step(*batch) for batch in batches], len(self.train))

    def validated(self) -> Means:
        """Loss and accuracy on the validation examples, without learning, augmentation or class weights."""

        def read(batch: np.ndarray) -> Arrays:
            own, counts = share(batch, self.place.rank, self.place.workers)
            chosen = self.validation[own]
            return self.pixels.arrays[chosen], self.values[chosen], counts

        parts = batches(np.arange(len(self.validation)), self.phase.batch)
        read_parts = self._shown(ahead(read, parts), len(self.validation), "validation")
        return learner.means([self.measure(*part) for part in read_parts], len(self.validation))

    def _shown(self, batches: Iterator[Arrays], examples: int, what: str) -> Iterable[Arrays]:
        count = -(-examples // self.phase.batch)
        return tqdm(batches, what, count, leave=False, unit="batch", disable=None if self.place.chief else True)
