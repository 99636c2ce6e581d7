"""The pictures on which accuracy is measured: ten languages, as people photograph and scan them.

Texts are in `sentences.yml`, kinds in `evaluation.yml`.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
import yaml
from PIL import Image, ImageFilter

from ppocr_converters.pictures import render_canvas as drawing
from ppocr_converters.pictures.render import random_number
from ppocr_converters.pictures.render_canvas import Canvas, Colour, Face, Page
from ppocr_converters.pictures.render_layouts import render_layout

PAPER: Colour = (250, 249, 245)
DESK: Colour = (104, 96, 88)
INKS: tuple[Colour, ...] = ((22, 22, 26), (26, 44, 104), (122, 24, 30), (20, 82, 52))
FACES: tuple[Face, ...] = ("sans", "serif")
CHINESE_TOO = ("zh", "zh-TW", "ja")


def _read(name: str) -> Any:
    return yaml.safe_load(resources.files(__package__).joinpath(name).read_text("utf-8"))


#: By language, as IETF tags name it.
SENTENCES: Mapping[str, Sequence[str]] = _read("sentences.yml")


def plain(language: str, rng: random.Random, *, paper: Colour = PAPER, contrast: int = 0) -> Canvas:
    """A page of twelve lines of several sizes; `contrast` is how far its ink is from its paper."""
    lines = rng.sample(SENTENCES[language], 12)
    sizes = [rng.randint(22, 40) for _ in lines]
    canvas = Canvas(Image.new("RGB", (1000, sum(round(1.7 * size) for size in sizes) + 110), paper))
    y = 55
    for text, size in zip(lines, sizes, strict=True):
        red, green, blue = (channel - contrast for channel in paper)
        ink = (red, green, blue) if contrast else rng.choice(INKS)
        face = rng.choice(FACES)
        while drawing.font(face, size).getlength(text) > 880:
            size -= 1
        canvas.write(50 + rng.choice((0, 0, 24)), y, text, size, ink=ink, face=face)
        y += round(1.7 * size)
    return canvas


def noise(language: str, rng: random.Random) -> Canvas:
    """The grain of a dark room."""
    canvas = plain(language, rng)
    canvas.picture = drawing.add_grain(canvas.picture, rng.randrange(1000), 34)
    return canvas


def blur(language: str, rng: random.Random) -> Canvas:
    """A camera that was not in focus."""
    canvas = plain(language, rng)
    canvas.picture = canvas.picture.filter(ImageFilter.GaussianBlur(1.8))
    return canvas


def low_contrast(language: str, rng: random.Random) -> Canvas:
    """Grey on grey, darker towards the bottom."""
    canvas = plain(language, rng, paper=(196, 194, 188), contrast=rng.randint(36, 60))
    shade = np.linspace(1, 0.6, canvas.picture.height)[:, None, None]
    canvas.picture = Image.fromarray((np.asarray(canvas.picture) * shade).astype(np.uint8))
    canvas.picture = drawing.add_grain(canvas.picture, rng.randrange(1000), 4)
    return canvas


def background(language: str, rng: random.Random) -> Canvas:
    """Light letters on dark stripes and spots of colour."""
    stops = [(rng.randint(10, 90), rng.randint(10, 90), rng.randint(20, 110)) for _ in range(3)]
    wide, high = 1000, 760
    canvas = Canvas(drawing.gradient(wide, high, stops), full_height=True)
    for _ in range(60):
        x, y, r = rng.randrange(wide), rng.randrange(high), rng.randint(10, 90)
        colour = tuple(rng.randint(20, 120) for _ in range(3))
        canvas.pen.ellipse((x - r, y - r, x + r, y + r), outline=colour, width=rng.randint(1, 6))
        canvas.pen.line((x, 0, y, high), colour, rng.randint(1, 3))
    for row, text in enumerate(rng.sample(SENTENCES[language], 9)):
        ink = (255, rng.randint(220, 255), rng.randint(150, 255))
        canvas.write(60, 60 + 76 * row, text, rng.randint(28, 34), ink=ink, face=FACES[row % 2])
    return canvas


def skew(language: str, rng: random.Random) -> Canvas:
    """A sheet that lies askew, up to 15 degrees either way."""
    return drawing.tilt(plain(language, rng), rng.choice((-15, -8, -4, 3, 6, 12)), DESK)


def perspective(language: str, rng: random.Random) -> Canvas:
    """A sheet photographed from one side."""
    return drawing.from_one_side(plain(language, rng), DESK, rng.uniform(0.06, 0.14))


def strip(language: str, rng: random.Random) -> Canvas:
    """One line on a strip of 992x48 pixels."""
    canvas = Canvas(Image.new("RGB", (992, 48), PAPER), full_height=True)
    words = f"{rng.choice(SENTENCES[language])} {random_number(rng)}"
    canvas.write(14, 24, words, 26 if language in CHINESE_TOO else 22, anchor="lm")
    return canvas


def long_line(language: str, rng: random.Random) -> Canvas:
    """Three lines of mixed languages of 1,300 to 3,600 pixels."""
    wide = rng.choice((1400, 2200, 3600))
    canvas = Canvas(Image.new("RGB", (wide, 330), PAPER), full_height=True)
    for row in range(3):
        text, size = "", rng.randint(34, 44)
        while drawing.font("sans", size).getlength(text) < wide - 900:
            other = rng.choice((language, language, "en", "zh"))
            text += rng.choice(SENTENCES[other]) + " " + random_number(rng) + " "
        canvas.write(40, 40 + 90 * row, _fitting(text.rstrip(), size, wide - 80), size)
    return canvas


def gaps(language: str, rng: random.Random) -> Canvas:
    """Rows of two or three texts far apart, as on a list of contents or of prices."""
    canvas = Canvas(Image.new("RGB", (1500, 720), PAPER), full_height=True)
    for row in range(10):
        y, size = 40 + 66 * row, rng.randint(24, 32)
        text = rng.choice(SENTENCES[language])
        right = canvas.write(50, y, text, size)[2]
        if right < 900:
            canvas.write(right / 2 + 640, y, random_number(rng), size, anchor="ma")
        canvas.write(1450, y, f"{rng.uniform(1, 9000):,.2f}", size, anchor="ra")
    return canvas


def small(language: str, rng: random.Random) -> Canvas:
    """A scanned sheet of 2,480x1,754 pixels: three columns of running text in small print."""
    canvas = Canvas(Image.new("RGB", (2480, 1754), PAPER), full_height=True)
    part = "" if language in CHINESE_TOO else " "
    for column, row in itertools.product(range(3), range(16)):
        at, size = (110 + 780 * column, 110 + 42 * row), 20 + row % 3 * 3
        text = part.join(rng.choices(SENTENCES[language], k=5))
        canvas.write(*at, _fitting(text, size, 700), size)
    return canvas


def tall(language: str, rng: random.Random) -> Canvas:
    """A screenshot of 600x6,000 pixels."""
    canvas = Canvas(Image.new("RGB", (600, 6000), (255, 255, 255)), full_height=True)
    for row in range(60):
        text, size = rng.choice(SENTENCES[language]), rng.choice((20, 22, 26))
        canvas.write(24, 40 + 98 * row, _fitting(text, size, 560), size)
    return canvas


def dark(language: str, rng: random.Random) -> Canvas:
    """A dark screen of 380x600 pixels: short texts at the top, nothing below."""
    canvas = Canvas(Image.new("RGB", (380, 600), (18, 18, 20)))
    for row, size in enumerate((28, 14, 15, 14, 16, 14)):
        words = rng.choice(SENTENCES[language]).split()
        text = words[0][:6] if language in CHINESE_TOO else " ".join(words[:2])
        canvas.write(30, 36 + 36 * row, text.strip(",;:"), size, ink=(232, 232, 236))
        canvas.write(350, 36 + 36 * row, random_number(rng), 14, ink=(170, 174, 190), anchor="ra")
    return canvas


def turned(language: str, rng: random.Random, quarters: int) -> Canvas:
    """A page that lies on its side or on its head: so many quarter turns clockwise."""
    canvas = plain(language, rng)
    for _ in range(quarters):
        canvas = drawing.quarter_turn(canvas)
    return canvas


def layout(language: str, rng: random.Random, name: str, **how: Any) -> Canvas:
    """One of `render_layouts`: columns, receipts, tables, vertical text."""
    page = render_layout(name, rng.randrange(1000), texts=SENTENCES[language], **how)
    return Canvas(Image.fromarray(page.image[:, :, ::-1]), list(page.lines))


Draw = Callable[[str, random.Random], Canvas]
DRAWS: tuple[Callable[..., Canvas], ...] = (
    *(plain, noise, blur, low_contrast, background, skew, perspective, strip, long_line),
    *(gaps, small, tall, dark, turned, layout),
)
BY_NAME = {draw.__name__: draw for draw in DRAWS}


def _row(kind: str, row: dict[str, Any]) -> tuple[Draw, Sequence[str]]:
    draw, languages = BY_NAME[row.pop("draw", kind)], row.pop("in")
    return functools.partial(draw, **row), languages


#: By kind: how it is drawn, and in which languages, one picture each.
KINDS = {k: [_row(k, row) for row in rows] for k, rows in _read("evaluation.yml").items()}


def evaluation_pages(
    kinds: Sequence[str] | None = None, limit: int | None = None, seed: int = 0
) -> Iterator[tuple[str, Page]]:
    """The pictures of some kinds or all, each with its kind; at most `limit` of each.

    Those of a kind differ by language and seed; the same arguments give the same pictures.

    Raises:
        KeyError: there is no such kind.
    """
    for kind in kinds or KINDS:
        pictures = ((draw, language) for draw, languages in KINDS[kind] for language in languages)
        for number, (draw, language) in enumerate(itertools.islice(pictures, limit)):
            rng = random.Random(f"{seed} {kind} {number}")  # nosec B311 # not for secrets
            suffix = ".jpg" if number % 2 else ".png"
            yield kind, draw(language, rng).page(f"{kind}_{number}_{language}{suffix}")


def _fitting(text: str, size: int, width: float) -> str:
    """The text without the words at its end that do not fit."""
    while drawing.font("sans", size).getlength(text) > width:
        text = text[: text.rfind(" ")] if " " in text else text[:-1]
    return text
