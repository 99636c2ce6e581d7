"""Pages of random text with ground truth, drawn with openly licensed fonts."""

from __future__ import annotations

import io
import random
from importlib import resources
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from ppocr_converters.pictures import render_canvas as drawing
from ppocr_converters.pictures.render_canvas import Canvas, Colour, Face, Page

_PHRASES = yaml.safe_load(resources.files(__package__).joinpath("phrases.yml").read_text("utf-8"))
CHINESE: tuple[str, ...] = tuple(_PHRASES["chinese"])
ENGLISH: tuple[str, ...] = tuple(_PHRASES["english"])
ALPHANUMERIC = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
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


def random_line(rng: random.Random) -> str:
    """One line of random text: a Chinese or English phrase, or something with digits."""
    kind = rng.choices(("chinese", "english", "number"), weights=(6, 3, 3))[0]
    if kind == "chinese":
        return rng.choice(CHINESE)
    if kind == "english":
        return rng.choice(ENGLISH)
    return random_number(rng)


def random_number(rng: random.Random) -> str:
    """One line with digits in it: a date, time, price, telephone number, code or measurement."""
    day = f"{rng.randint(1990, 2035)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    code = "".join(rng.choices(ALPHANUMERIC, k=rng.randint(6, 12)))
    return rng.choice(
        (
            day,
            f"{rng.randint(6, 22):02d}:{rng.randint(0, 59):02d}",
            f"合计：{rng.randint(1, 9999)}.{rng.randint(0, 99):02d}元",
            f"电话：0{rng.randint(10, 99)}-{rng.randint(20000000, 89999999)}",
            f"No.{code}",
            f"编号{code}",
            f"{rng.randint(1, 99)}.{rng.randint(0, 9)}%",
            f"共{rng.randint(2, 300)}页",
            f"{rng.randint(100, 999)}kg",
            f"第{rng.randint(1, 40)}号楼{rng.randint(101, 2809)}室",
        )
    )


def random_word(rng: random.Random) -> str:
    """Two to six characters that fit into one small cell of a dense page."""
    if rng.random() < 0.5:
        return str(rng.randint(10, 99999))
    phrase = rng.choice([line for line in CHINESE if line.isalpha()])
    length = min(len(phrase), rng.randint(2, 4))
    start = rng.randint(0, len(phrase) - length)
    return phrase[start : start + length]


def _fitting(text: str, face: Face, size: int, width: float) -> str:
    """The text without the end that does not fit into `width` pixels, and without a cut word."""
    letters = drawing.font(face, size)
    while letters.getlength(text) > width and len(text) > 1:
        cut = max(text.rfind(" "), 0) if text.isascii() else len(text) - 1
        text = text[: cut or len(text) - 1]
    return text.rstrip("，、：, ")
