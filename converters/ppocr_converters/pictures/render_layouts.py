"""Pages whose lines have a known reading order: columns, receipts, tables, vertical text.

The lines of a page are in the order in which a person reads them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image

from ppocr_converters.pictures.render import CHINESE, ENGLISH, random_word
from ppocr_converters.pictures.render_canvas import Canvas, Colour, Page, font, from_one_side, tilt

PAPER: Colour = (252, 250, 246)
INK: Colour = (24, 24, 28)
SIZE = 26  # of a letter, pixels
PITCH = 42  # from line to line, pixels
MARGIN = 60
PERSPECTIVE = 0.1  # of the width, by which the far edge of a page in perspective is shorter


def render_layout(
    name: str,
    seed: int = 0,
    *,
    skew: float = 0,
    perspective: bool = False,
    texts: Sequence[str] = CHINESE,
) -> Page:
    """One page of one of `LAYOUTS`; the same arguments give the same page.

    It is turned clockwise by `skew` degrees. In perspective its rows run towards each other.

    Raises:
        KeyError: there is no such layout.
    """
    rng = random.Random(seed)  # nosec B311 # not for secrets
    canvas = Canvas(Image.new("RGB", (1000, 1400), PAPER), full_height=True)
    LAYOUTS[name](_Writer(canvas, rng, texts))
    if perspective:
        canvas = from_one_side(canvas, PAPER, PERSPECTIVE)
    if skew:
        canvas = tilt(canvas, skew, PAPER)
    turned = f"_{skew:+g}" if skew else "_perspective" if perspective else ""
    return canvas.page(f"{name}{turned}_{seed}.png")


@dataclass(frozen=True)
class _Writer:
    canvas: Canvas
    rng: random.Random
    texts: Sequence[str] = CHINESE

    def write(self, x: float, y: float, text: str, size: int = SIZE, anchor: str = "la") -> None:
        self.canvas.write(x, y, text, size, ink=INK, anchor=anchor)

    def column(self, x: float, y: float, width: float, rows: int) -> None:
        """Lines of one paragraph after the other; the last of each is short."""
        for row in range(rows):
            part = self.rng.uniform(0.3, 0.8) if row % 6 == 5 or row == rows - 1 else 1
            self.write(x, y + row * PITCH, self.filled(width * part))

    def filled(self, width: float) -> str:
        """Running text that fills a line of `width` pixels."""
        letters, text = font("sans", SIZE), ""
        between = " " if " " in self.texts[0] else ""
        while letters.getlength(text) < width:
            text += between * bool(text) + self.rng.choice(self.texts)
        while letters.getlength(text) > width:
            text = text[: text.rfind(" ")] if " " in text and between else text[:-1]
        return text

    def down(self, x: float, y: float, letters: int) -> None:
        """A line of vertical text."""
        self.canvas.write_down(x, y, self.filled(SIZE * letters), SIZE, ink=INK, face="serif")


def _one_column(page: _Writer) -> None:
    page.column(MARGIN, MARGIN, 880, 28)


def _two_columns(page: _Writer) -> None:
    page.column(MARGIN, MARGIN, 410, 27)
    page.column(530, MARGIN + page.rng.choice((0, 17)), 410, 24)


def _three_columns(page: _Writer) -> None:
    for number, rows in enumerate((27, 27, 12)):
        page.column(MARGIN + 305 * number, MARGIN, 270, rows)


def _newspaper(page: _Writer) -> None:
    page.write(500, 50, page.filled(700)[:12], 60, "ma")
    page.write(500, 140, page.filled(400), SIZE, "ma")
    page.column(MARGIN, 210, 410, 12)
    page.column(530, 210, 410, 12)
    page.write(500, 760, page.filled(700)[:14], 48, "ma")
    for number in range(3):
        page.column(MARGIN + 305 * number, 850, 270, 11)


def _receipt(page: _Writer) -> None:
    page.write(500, 60, page.rng.choice(ENGLISH)[:22], 40, "ma")
    page.write(500, 125, "2026-03-18  14:05", SIZE, "ma")
    for row in range(16):
        y = 200 + row * 50
        page.write(230, y, random_word(page.rng))
        page.write(770, y, f"{page.rng.uniform(1, 200):.2f}", SIZE, "ra")
    page.write(230, 1030, "TOTAL", 34)
    page.write(770, 1030, f"{page.rng.uniform(500, 2000):.2f}", 34, "ra")
    page.write(500, 1110, "谢谢惠顾，欢迎再来", SIZE, "ma")


def _table(page: _Writer) -> None:
    for row in range(18):
        for column in range(4):
            number = f"{page.rng.uniform(1, 9000):.1f}"
            text = number if row and column > 1 else random_word(page.rng)
            page.write(MARGIN + 235 * column, MARGIN + row * 54, text[:9])


def _form(page: _Writer) -> None:
    page.write(500, 50, "登记表 REGISTRATION", 40, "ma")
    labels = [
        "姓名",
        "出生日期",
        "Address",
        "电话号码",
        "E-mail",
        "职业",
        "Date of issue",
        "签发机关",
    ]
    for row in range(16):
        y = 150 + row * 62
        page.write(MARGIN, y, labels[row % len(labels)])
        page.write(360, y, page.filled(page.rng.uniform(140, 540)))


def _poem(page: _Writer) -> None:
    for number in range(9):
        page.down(900 - number * 90, 120, page.rng.choice((5, 7, 7, 12)))


def _mixed(page: _Writer) -> None:
    page.write(500, 60, page.filled(500)[:9], 56, "ma")
    page.write(500, 150, page.filled(330), SIZE, "ma")
    for number in range(9):
        page.down(880 - number * 80, 240, page.rng.randint(9, 16))
    page.write(MARGIN, 960, page.filled(600))
    page.write(MARGIN, 960 + PITCH, page.filled(800))


LAYOUTS: dict[str, Callable[[_Writer], None]] = {
    draw.__name__[1:]: draw
    for draw in (
        *(_one_column, _two_columns, _three_columns, _newspaper),
        *(_receipt, _table, _form, _poem, _mixed),
    )
}
