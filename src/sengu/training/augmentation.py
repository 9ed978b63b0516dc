"""Pictures and random numbers -> randomly changed pictures, inside the graph, for training only.

The numbers are an input, so that an example is changed in the same way for the same seed and epoch: in another batch, on
another worker, after a resume, on a GPU.
"""

from __future__ import annotations  # those of TensorFlow would load it

import math

import numpy as np

from sengu.base.params import Augmentation
from sengu.networks.runtime import tf

FIRST = 6  # random numbers that one example takes: flip, rotation, zoom, brightness, contrast, saturation
OF_CROP = 4  # and for its crop: area, proportions, place across and down
CHANCES = FIRST + OF_CROP
PROPORTIONS = 4 / 3  # of the sides of a crop, at most
GREY = (0.299, 0.587, 0.114)  # shares of red, green and blue in a grey level (ITU-R BT.601)


def chances(examples: int, seed: int, epoch: int) -> np.ndarray:
    """The random numbers of an epoch, float32 (examples, CHANCES) in 0..1."""
    # two streams: the first numbers stay what they were before there were crops
    streams = ((FIRST, np.random.default_rng([seed, epoch, FIRST])), (OF_CROP, np.random.default_rng([seed, epoch, OF_CROP, 1])))
    return np.concatenate([random.random((examples, count), np.float32) for count, random in streams], axis=1)


def augment(pictures: tf.Tensor, chance: tf.Tensor, how: Augmentation) -> tf.Tensor:
    """Changes pictures (n, size, size, 3), uint8 or float32 in 0..255, by float32 chances (n, CHANCES); gives float32."""
    pictures = tf.cast(pictures, tf.float32)
    flip, *others = tf.unstack(chance, axis=1)
    rotation, zoom, brightness, contrast, saturation = (2 * number - 1 for number in others[: FIRST - 1])  # -1..1
    if how.flip or how.rotation or how.zoom:
        pictures = _moved(
            pictures,
            tf.where(flip < 0.5, -1.0, 1.0) if how.flip else tf.ones_like(flip),
            rotation * (how.rotation * math.pi / 180),
            1 + zoom * how.zoom,
        )
    if how.crop:
        pictures = _cropped(pictures, tf.stack(others[FIRST - 1 :]), how.crop)
    if how.brightness:
        pictures += _each(brightness * (how.brightness * 255))
    if how.contrast:
        mean = tf.reduce_mean(pictures, axis=(1, 2), keepdims=True)
        pictures = mean + (pictures - mean) * _each(1 + contrast * how.contrast)
    if how.saturation:
        grey = tf.reduce_sum(pictures * GREY, axis=3, keepdims=True)
        pictures = grey + (pictures - grey) * _each(1 + saturation * how.saturation)
    return tf.clip_by_value(pictures, 0.0, 255.0)


def _each(numbers: tf.Tensor) -> tf.Tensor:
    """One number per picture, to be multiplied with all its pixels."""
    return numbers[:, None, None, None]


def _cropped(pictures: tf.Tensor, chance: tf.Tensor, most: float) -> tf.Tensor:
    """A part of each picture by chances (OF_CROP, n), brought back to its size; it lacks at most the share `most` of the area."""
    area, proportions, across, down = tf.unstack(chance)
    longer = tf.pow(PROPORTIONS, (2 * proportions - 1) / 2)
    side = tf.sqrt(1 - most * area)
    longer = tf.clip_by_value(longer, side, 1 / side)  # else the longer side would be cut at 1, and more left out
    width, height = tf.minimum(side * longer, 1.0), tf.minimum(side / longer, 1.0)
    left, top = across * (1 - width), down * (1 - height)
    boxes = tf.stack([top, left, top + height, left + width], axis=1)
    # one gather per picture: the gradient of the crop itself is not needed, so that determinism costs nothing
    size = tf.shape(pictures)[1:3]
    return tf.image.crop_and_resize(tf.stop_gradient(pictures), boxes, tf.range(tf.shape(pictures)[0]), size)


def _moved(pictures: tf.Tensor, sides: tf.Tensor, angles: tf.Tensor, scales: tf.Tensor) -> tf.Tensor:
    """Pictures mirrored where a side is -1, turned by radians and scaled about their centre; reflected at their edges."""
    size = tf.shape(pictures)[1]
    centre = tf.cast(size - 1, tf.float32) / 2
    # where in the picture each point of the new one comes from: (a0 x + a1 y + a2, b0 x + b1 y + b2)
    a0, a1 = tf.cos(angles) * scales * sides, -tf.sin(angles) * scales
    b0, b1 = tf.sin(angles) * scales * sides, tf.cos(angles) * scales
    zeros = tf.zeros_like(angles)
    transforms = tf.stack([a0, a1, centre * (1 - a0 - a1), b0, b1, centre * (1 - b0 - b1), zeros, zeros], axis=1)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=pictures,
        transforms=transforms,
        output_shape=tf.stack([size, size]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )
