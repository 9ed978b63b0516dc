"""Pictures and lines of text -> one JPEG that shows them all."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from sengu.drawing import fonts

TILE, COLUMNS, LINE, MARGIN = 160, 6, 16, 8  # pixels of a contact sheet, and how many pictures stand side by side
LETTERS = 11  # pixels of their height: 22 digits of an object id fit below a picture


def contact_sheet(title: str, pictures: Sequence[np.ndarray], captions: Sequence[Sequence[str]], path: Path) -> None:
    """One JPEG with all pictures, uint8 (height, width, 3), each above its lines of text, which are broken to fit."""
    wrapped = [[part for line in lines for part in fonts.wrapped(line, LETTERS, TILE)] for lines in captions]
    text = max(map(len, wrapped), default=0) * LINE + MARGIN
    rows = -(-len(pictures) // COLUMNS)
    size = (COLUMNS * (TILE + MARGIN) + MARGIN, LINE + 2 * MARGIN + rows * (TILE + text + MARGIN))
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    heading = fonts.shortened(title if pictures else f"{title}: none", LETTERS, size[0] - 2 * MARGIN)
    draw.text((MARGIN, MARGIN), heading, "black", fonts.loaded(heading, LETTERS))
    for number, (picture, lines) in enumerate(zip(pictures, wrapped, strict=True)):
        row, column = divmod(number, COLUMNS)
        left, top = MARGIN + column * (TILE + MARGIN), LINE + 2 * MARGIN + row * (TILE + text + MARGIN)
        sheet.paste(Image.fromarray(picture).resize((TILE, TILE)), (left, top))
        for i, line in enumerate(lines):
            draw.text((left, top + TILE + i * LINE), line, "black", fonts.loaded(line, LETTERS))
    sheet.save(path, "JPEG", quality=90)
