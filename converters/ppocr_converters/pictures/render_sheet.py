"""Sheets of any size with letters of one size: strips, tall screenshots, scans with small print."""

from __future__ import annotations

import random

from PIL import Image

from ppocr_converters.pictures.render_canvas import Canvas, Page, font
from ppocr_converters.pictures.render_texts import random_line

PAPER = (250, 250, 248)


def render_sheet(
    seed: int, width: int, height: int, *, size: int, lines: int, columns: int = 1
) -> Page:
    """A sheet whose lines are evenly spread; the same arguments give the same sheet.

    Args:
        seed: which texts.
        width: of the sheet, pixels.
        height: of the sheet, pixels.
        size: of the letters, pixels.
        lines: of each column; the texts of a single line fill its column.
        columns: beside each other.
    """
    rng = random.Random(seed)  # nosec B311 # not for secrets
    canvas = Canvas(Image.new("RGB", (width, height), PAPER))
    face, step = font("sans", size), width // columns
    for column in range(columns):
        for line in range(lines):
            text = random_line(rng)
            while lines == 1 and face.getlength(text) < step:
                text += random_line(rng)
            while face.getlength(text) > step - size:
                text = text[:-1]
            at = column * step + size / 2, height * (line + 0.5) / lines
            canvas.write(*at, text.strip(), size, anchor="lm")
    return canvas.page(f"sheet_{seed}_{width}x{height}.png")
