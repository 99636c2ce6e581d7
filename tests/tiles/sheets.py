"""Sheets of any size with letters of one size: strips, tall screenshots, scans with small print."""

import random

from PIL import Image

from ppocr_converters.pictures.render import random_line
from ppocr_converters.pictures.render_canvas import Canvas, Page, font


def render_sheet(seed: int, width: int, height: int, *, size: int, lines: int) -> Page:
    """A sheet whose lines are evenly spread; the text of a single line fills it."""
    rng = random.Random(seed)
    canvas = Canvas(Image.new("RGB", (width, height), (250, 250, 248)))
    face = font("sans", size)
    for line in range(lines):
        text = random_line(rng)
        while lines == 1 and face.getlength(text) < width:
            text += random_line(rng)
        while face.getlength(text) > width - size:
            text = text[:-1]
        at = size / 2, height * (line + 0.5) / lines
        canvas.write(*at, text.strip(), size, anchor="lm")
    return canvas.page(f"sheet_{seed}_{width}x{height}.png")
