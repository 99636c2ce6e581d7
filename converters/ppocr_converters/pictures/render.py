"""Pages of text with ground truth, drawn with openly licensed fonts.

Conversion is proven on these pages, tests read them, benchmarks send them:

    page = render_page(seed=7)
    page.image          # uint8 BGR [H, W, 3]
    page.lines[0].text  # what is written there, and .box says where
"""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
from PIL import Image

from ppocr_converters.pictures import render_canvas as drawing
from ppocr_converters.pictures.render_canvas import Canvas, Colour, Face, Page
from ppocr_converters.pictures.render_texts import random_line, random_word

PAPERS: tuple[Colour, ...] = (
    (255, 255, 255),
    (252, 248, 238),
    (240, 244, 248),
    (247, 240, 226),
    (232, 240, 228),
    (250, 236, 236),
)
INKS: tuple[Colour, ...] = (
    (20, 20, 22),
    (28, 44, 96),
    (120, 20, 28),
    (18, 84, 50),
    (70, 44, 20),
    (84, 26, 110),
)
#: Letter sizes of a page, those of a dense one, pixels; the noise, levels of 255.
SMALLEST, LARGEST, DENSE, GRAIN = 22, 44, 22, 2.0
FACES: tuple[Face, ...] = ("sans", "serif")


def render_page(seed: int, lines: int = 20, *, width: int = 960) -> Page:
    """A random page; the same arguments give the same page.

    Lines of mixed language, size, font and colour stand under each other, now and then two side
    by side, on light paper. The page is `width` pixels wide, at least 320, and as high as it must.

    Raises:
        ValueError: If an argument is out of its range.
    """
    if lines < 0 or width < 320:
        raise ValueError(
            f"cannot render lines={lines}, width={width}: lines must be >= 0 and width >= 320"
        )
    rng = random.Random(seed)  # nosec B311 # not for secrets
    sizes = [rng.randint(SMALLEST, LARGEST) for _ in range(lines)]
    # Lines side by side leave room at the bottom, as at the end of a letter.
    height = max(64, 2 * LARGEST + sum(round(1.7 * size) for size in sizes))
    paper = rng.choice(PAPERS)
    levels = rng.randint(0, 12)
    red, green, blue = (max(0, channel - levels) for channel in paper)
    canvas = Canvas(drawing.gradient(width, height, (paper, (red, green, blue))))
    x, y, row = LARGEST, LARGEST, 0
    for size in sizes:
        face, ink = rng.choice(FACES), rng.choice(INKS)
        text = _fitting(random_line(rng), face, size, width - x - LARGEST)
        _, _, right, _ = canvas.write(x, y, text, size, ink=ink, face=face)
        row = max(row, size)
        # A second line goes to the right of this one if there is ample room and chance wills it.
        start = round(right) + 3 * LARGEST
        if start < 0.6 * width and rng.random() < 0.5:
            x = start
        else:
            x, y, row = LARGEST, y + round(1.7 * row), 0
    canvas.picture = drawing.add_grain(canvas.picture, seed, GRAIN)
    return canvas.page(f"page_{seed}_{lines}.png")


def render_dense_page(seed: int, lines: int = 1000) -> Page:
    """A random page with very many short lines in a grid, such as a table or an index has.

    Raises:
        ValueError: If an argument is out of its range.
    """
    if lines < 1:
        raise ValueError(f"cannot render lines={lines}: need lines >= 1")
    rng = random.Random(seed)  # nosec B311 # not for secrets
    cell_width, cell_height = round(6.5 * DENSE), round(2.1 * DENSE)
    columns = max(1, round((lines * cell_height / cell_width) ** 0.5))
    rows = -(-lines // columns)
    canvas = Canvas(
        Image.new("RGB", ((columns + 1) * cell_width, (rows + 2) * cell_height), PAPERS[0])
    )
    for i in range(lines):
        row, column = divmod(i, columns)
        at = (column + 0.5) * cell_width, (row + 1) * cell_height
        canvas.write(*at, random_word(rng), DENSE, ink=rng.choice(INKS))
    return canvas.page(f"dense_{seed}_{lines}.png")


def render_pages(seed: int, count: int = 8, lines: int = 20) -> list[Page]:
    """Several random pages; page `i` is that of seed `seed + i`."""
    return [render_page(seed + i, lines) for i in range(count)]


def encode_page(page: Page) -> bytes:
    """The page as the bytes of a file, in the format that its name's suffix says.

    Raises:
        ValueError: If the suffix is none of .png, .jpg.
    """
    picture = Image.fromarray(np.ascontiguousarray(page.image[:, :, ::-1]))
    file = io.BytesIO()
    match Path(page.name).suffix:
        case ".png":
            picture.save(file, "PNG", optimize=True)
        case ".jpg":
            picture.save(file, "JPEG", quality=88)
        case suffix:
            raise ValueError(f"{page.name} ends in {suffix!r}; pages are stored as .png or .jpg")
    return file.getvalue()


def _fitting(text: str, face: Face, size: int, width: float) -> str:
    """The text without the end that does not fit into `width` pixels, and without a cut word."""
    letters = drawing.font(face, size)
    while letters.getlength(text) > width and len(text) > 1:
        cut = max(text.rfind(" "), 0) if text.isascii() else len(text) - 1
        text = text[: cut or len(text) - 1]
    return text.rstrip("，、：, ")
