"""A random generator and a size -> a picture that no camera took: figures, patterns, pages of text, or nearly nothing.

Photographs alone do not show what a network does with flat colours, straight edges and text.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFont

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
Colour = tuple[int, ...]
Painter = Callable[[np.random.Generator, Image.Image], Image.Image]


def draw(random: np.random.Generator, size: int) -> Image.Image:
    """An RGB picture of size x size pixels; half of them are drawn larger, which smooths their edges."""
    edge = size * int(random.integers(1, 3))
    painter = PAINTERS[random.integers(len(PAINTERS))]
    picture = painter(random, _background(random, edge)).resize((size, size), Image.Resampling.BOX)
    grain = random.choice([0, 0, 4, 12])
    pixels = np.asarray(picture) + random.normal(0, grain, (size, size, 1)) if grain else np.asarray(picture)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _colour(random: np.random.Generator) -> Colour:
    return tuple(int(part) for part in random.integers(0, 256, 3))


def _background(random: np.random.Generator, edge: int) -> Image.Image:
    """One colour, or white, or one that changes evenly into another."""
    first, last = np.array(_colour(random)), np.array(_colour(random))
    kind = random.random()
    if kind < 0.2:
        return Image.new("RGB", (edge, edge), (255, 255, 255))
    if kind < 0.6:
        return Image.new("RGB", (edge, edge), tuple(int(part) for part in first))
    along = np.linspace(0, 1, edge)[:, None, None] * np.ones((1, edge, 1))
    pixels = (first + along * (last - first)).astype(np.uint8)
    return Image.fromarray(np.rot90(pixels, random.integers(4)).copy())


def _figures(random: np.random.Generator, picture: Image.Image) -> Image.Image:
    """Ellipses, rectangles, polygons and lines of any colour and size, or many of one kind and colour."""
    pen, edge = ImageDraw.Draw(picture), picture.width
    alike = random.random() < 0.5
    colour, kind = _colour(random), int(random.integers(4))
    largest = edge * random.uniform(0.08, 0.6)
    for _ in range(random.integers(1, 20)):
        if not alike:
            colour, kind = _colour(random), int(random.integers(4))
        left, top = random.uniform(-0.1, 1, 2) * edge
        width, height = random.uniform(0.1, 1, 2) * largest
        if alike:
            height = width
        box = (left, top, left + width, top + height)
        if kind == 0:
            pen.ellipse(box, fill=colour)
        elif kind == 1:
            pen.rectangle(box, fill=colour)
        elif kind == 2:
            corners = random.uniform(0, largest, (random.integers(3, 7), 2)) + np.array([left, top])
            pen.polygon([(float(x), float(y)) for x, y in corners], fill=colour)
        else:
            pen.line(box, fill=colour, width=int(random.integers(1, 2 + edge // 16)))
    return picture


def _pattern(random: np.random.Generator, picture: Image.Image) -> Image.Image:
    """Stripes at any angle, a grid, a chequered board or concentric rings, over the background."""
    edge = picture.width
    y, x = np.mgrid[0:edge, 0:edge] - random.uniform(0, edge, 2)[:, None, None]
    angle = random.uniform(0, np.pi)
    across, along = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    period = edge * np.exp(random.uniform(np.log(0.04), np.log(0.5)))
    share = random.uniform(0.2, 0.8)
    first, second = (np.mod(place / period, 1) < share for place in (across, along))
    masks = [first, first, first & second, first ^ second, np.mod(np.hypot(x, y) / period, 1) < share]
    pixels = np.asarray(picture).copy()
    pixels[masks[random.integers(len(masks))]] = _colour(random)
    return Image.fromarray(pixels)


def _page(random: np.random.Generator, picture: Image.Image) -> Image.Image:
    """Lines of text, with boxes among them."""
    pen, edge = ImageDraw.Draw(picture), picture.width
    ink = (0, 0, 0) if random.random() < 0.6 else _colour(random)
    height = edge * np.exp(random.uniform(np.log(0.05), np.log(0.4)))
    font = ImageFont.load_default(height)
    top = edge * random.uniform(-0.1, 0.2)
    while top < edge:
        words = ("".join(random.choice(list(LETTERS), random.integers(1, 10))) for _ in range(random.integers(1, 12)))
        pen.text((edge * random.uniform(-0.1, 0.2), top), " ".join(words), fill=ink, font=font)
        if random.random() < 0.15:
            box = (edge * random.uniform(0, 0.3), top, edge * random.uniform(0.5, 1), top + 2 * height)
            pen.rectangle(box, fill=_colour(random), outline=ink)
        top += height * random.uniform(1, 2)
    return picture


def _curves(random: np.random.Generator, picture: Image.Image) -> Image.Image:
    """Lines of measurements over axes, or scribbles."""
    pen, edge = ImageDraw.Draw(picture), picture.width
    across = np.linspace(0, edge, 40)
    for _ in range(random.integers(1, 6)):
        steps = np.cumsum(random.normal(0, edge * random.uniform(0.005, 0.08), len(across)))
        points = [(float(x), float(y)) for x, y in zip(across, edge * random.uniform(0, 1) + steps, strict=True)]
        pen.line(points, fill=_colour(random), width=int(random.integers(1, 2 + edge // 20)))
    if random.random() < 0.5:
        pen.line([(edge * 0.1, edge * 0.05), (edge * 0.1, edge * 0.9), (edge * 0.95, edge * 0.9)], fill=(0, 0, 0))
    return picture


def _nothing(_: np.random.Generator, picture: Image.Image) -> Image.Image:
    """The background alone."""
    return picture


PAINTERS: tuple[Painter, ...] = (_figures, _figures, _pattern, _pattern, _page, _curves, _nothing)
