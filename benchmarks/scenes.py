"""Pictures of one scene, each of which shows something else, so that no two are near-duplicates."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont


def sign(text: str, colour: str = "#c81414") -> Image.Image:
    picture = Image.new("RGB", (400, 400), "#78a0c8")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((40, 40, 360, 360), fill=colour)
    draw.ellipse((80, 80, 320, 320), fill="white")
    draw.text((200, 200), text, font=ImageFont.load_default(150), fill="black", anchor="mm")
    return picture


def letter(text: str) -> Image.Image:
    picture = Image.new("RGB", (256, 256), "white")
    ImageDraw.Draw(picture).text((128, 128), text, font=ImageFont.load_default(200), fill="black", anchor="mm")
    return picture


def fixed_camera(side: int, x: int = 300, y: int = 200) -> Image.Image:
    """A bin seen from above, 640 x 480 pixels, empty or with one white square."""
    rows, columns = np.mgrid[:480, :640]
    picture = Image.fromarray((100 + 40 * np.sin(columns / 50) * np.cos(rows / 40)).astype(np.uint8)).convert("RGB")
    if side:
        ImageDraw.Draw(picture).rectangle((x, y, x + side, y + side), fill="white")
    return picture
