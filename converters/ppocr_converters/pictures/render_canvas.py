"""A page being drawn: the picture and, beside it, what is written on it and where."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Face = Literal["sans", "serif"]

#: Scripts that part words by no space, with their punctuation and full-width forms.
ALONE = r"\u2e80-\u312f\u31a0-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff9f"
WORD = re.compile(f"[{ALONE}]|[^\\s{ALONE}]+")


@dataclass(frozen=True)
class Truth:
    """One line that is written on a page, or one word of it.

    `box` is float32 [4, 2], x and y in pixels, clockwise from the corner that is top-left in the
    picture: the ink of the line with a margin of a tenth of the letter size around it. The box of
    a word is as high as its line, and as wide as the pen moves. A word is one Chinese or Japanese
    character or mark, or the other letters between spaces.
    """

    text: str
    box: npt.NDArray[np.float32]
    words: tuple[Truth, ...] = ()

    def moved(self, move: Callable[[npt.NDArray[np.float32]], npt.NDArray]) -> Truth:
        """The same line elsewhere; `move` is given boxes, float32 [4, 2]."""
        box = move(self.box).astype(np.float32)
        words = tuple(word.moved(move) for word in self.words)
        return replace(self, box=box, words=words)


@dataclass(frozen=True)
class Page:
    """A picture with its ground truth.

    `image` is uint8 BGR [H, W, 3]. `name` is a file name whose suffix is the format that the
    picture is meant to be stored in.
    """

    name: str
    image: npt.NDArray[np.uint8]
    lines: tuple[Truth, ...]


@dataclass
class Canvas:
    """An RGB picture to draw on that remembers its lines of text.

    With `full_height` the box of a line is at least as high as a Chinese character, as people draw
    boxes around digits and small letters.
    """

    picture: Image.Image
    lines: list[Truth] = field(default_factory=list)
    full_height: bool = False

    @property
    def pen(self) -> ImageDraw.ImageDraw:
        """Pillow's own drawing functions on this picture."""
        return ImageDraw.Draw(self.picture)

    def write(
        self,
        x: float,
        y: float,
        text: str,
        size: int,
        *,
        ink: Colour = (30, 30, 34),
        face: Face = "sans",
        anchor: str = "la",
    ) -> tuple[float, float, float, float]:
        """Write one line of text and remember it; its anchor, one of Pillow's, is at `x`, `y`.

        All sizes are pixels, y runs downwards, and `ink` is RGB.

        Returns:
            The left, top, right and bottom edge of the line's box.
        """
        letters = font(face, size)
        self.pen.text((x, y), text, ink, letters, anchor=anchor)
        left, top, right, bottom = self.pen.textbbox((x, y), text, letters, anchor=anchor)
        begin = x if anchor[0] == "l" else left - letters.getbbox(text)[0]
        if self.full_height:
            _, high, _, low = self.pen.textbbox((x, y), "国", letters, anchor=anchor)
            top, bottom = min(top, high), max(bottom, low)
        left, top, right, bottom = grow((left, top, right, bottom), 0.1 * size)
        words = []
        for word in WORD.finditer(text):
            start, end = (begin + letters.getlength(text[:place]) for place in word.span())
            words.append(Truth(word.group(), corners(start, top, end, bottom)))
        self.lines.append(Truth(text, corners(left, top, right, bottom), tuple(words)))
        return left, top, right, bottom

    def write_down(
        self, x: float, y: float, text: str, size: int, *, ink: Colour, face: Face
    ) -> None:
        """Write one line downwards, each letter upright under the one before it.

        `x` is the middle of the column and `y` the top of the first letter.
        """
        letters, boxes = font(face, size), []
        for i, letter in enumerate(text):
            at = (x, y + (i + 0.5) * (1.08 * size))
            self.pen.text(at, letter, ink, letters, anchor="mm")
            boxes.append(self.pen.textbbox(at, letter, letters, anchor="mm"))
        edges = np.array(boxes)
        (left, top), (right, bottom) = edges[:, :2].min(axis=0), edges[:, 2:].max(axis=0)
        left, top, right, bottom = grow((left, top, right, bottom), 0.1 * size)
        words = tuple(
            Truth(letter, corners(left, high, right, low))
            for letter, (_, high, _, low) in zip(text, boxes, strict=True)
        )
        self.lines.append(Truth(text, corners(left, top, right, bottom), words))

    def page(self, name: str) -> Page:
        """The finished page."""
        bgr = np.ascontiguousarray(np.asarray(self.picture.convert("RGB"))[:, :, ::-1])
        return Page(name, bgr, tuple(self.lines))


@functools.cache
def font(face: Face, size: int) -> ImageFont.FreeTypeFont:
    """Noto Sans SC or Noto Serif SC (SIL Open Font License) at `size` pixels."""
    import pylopdf_fonts_zh_cn as fonts

    path = fonts.sans_path() if face == "sans" else fonts.serif_path()
    # The basic layout engine is in every build of Pillow, so that a seed draws the same everywhere.
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def corners(left: float, top: float, right: float, bottom: float) -> npt.NDArray[np.float32]:
    """A rectangle's corners, float32 [4, 2], clockwise from top-left."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def grow(
    box: tuple[float, float, float, float], margin: float
) -> tuple[float, float, float, float]:
    """A left, top, right, bottom box with `margin` pixels added on every side."""
    left, top, right, bottom = box
    return left - margin, top - margin, right + margin, bottom + margin


def gradient(width: int, height: int, stops: Sequence[Colour]) -> Image.Image:
    """A picture that passes from the first colour at the top to the last at the bottom."""
    at = np.linspace(0, len(stops) - 1, height)
    channels = [np.interp(at, range(len(stops)), [stop[c] for stop in stops]) for c in range(3)]
    column = np.stack(channels, axis=1).round().astype(np.uint8)[:, None]
    return Image.fromarray(np.ascontiguousarray(np.broadcast_to(column, (height, width, 3))))


def add_grain(picture: Image.Image, seed: int, strength: float) -> Image.Image:
    """The picture with the grain of a camera: normal noise of `strength` levels of 255."""
    noise = np.random.default_rng(seed).normal(0, strength, (picture.height, picture.width, 1))
    grainy = np.asarray(picture).astype(np.float64) + noise
    return Image.fromarray(grainy.clip(0, 255).round().astype(np.uint8))


def tilt(canvas: Canvas, degrees: float, background: Colour) -> Canvas:
    """The canvas turned clockwise on a larger one, its boxes with it."""
    turned = canvas.picture.rotate(
        -degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=background
    )
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    old_middle = np.array(canvas.picture.size) / 2
    new_middle = np.array(turned.size) / 2
    lines = [
        line.moved(lambda box: (box - old_middle) @ turn.T + new_middle) for line in canvas.lines
    ]
    return Canvas(turned, lines)


def quarter_turn(canvas: Canvas) -> Canvas:
    """The canvas a quarter turn clockwise; the boxes begin at the line's own top-left corner."""
    high = canvas.picture.height
    turned = canvas.picture.transpose(Image.Transpose.ROTATE_270)
    lines = [
        line.moved(lambda box: np.stack([high - box[:, 1], box[:, 0]], axis=1))
        for line in canvas.lines
    ]
    return Canvas(turned, lines)


def from_one_side(canvas: Canvas, background: Colour, shorter: float) -> Canvas:
    """The canvas photographed from its left: the right edge is shorter at either end.

    `shorter` is in heights of the canvas; `background` is seen beside it.
    """
    width, height = canvas.picture.size
    far = shorter * height
    corners_now = np.array([[0, 0], [width, far], [width, height - far], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners(0, 0, width, height), corners_now)
    pixels = cv2.warpPerspective(
        np.asarray(canvas.picture), matrix, (width, height), borderValue=background
    )
    lines = [
        line.moved(lambda box: cv2.perspectiveTransform(box[None], matrix)[0])
        for line in canvas.lines
    ]
    return Canvas(Image.fromarray(pixels), lines)
