"""A page being drawn: the picture and, beside it, what is written on it and where."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Face = Literal["sans", "serif"]


@dataclass(frozen=True)
class Truth:
    """One line that is written on a page.

    `box` is float32 [4, 2], x and y in pixels, clockwise from the corner that is top-left in the
    picture: the ink of the line with a margin of a tenth of the letter size around it.
    """

    text: str
    box: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Page:
    """A picture with its ground truth.

    `image` is uint8 BGR [H, W, 3], upright. `name` is a file name whose suffix is the format that
    the picture is meant to be stored in. `orientation` is the EXIF value the file gets: with one
    other than 1 the stored pixels lie turned, and a viewer that obeys EXIF sees `image`.
    """

    name: str
    image: npt.NDArray[np.uint8]
    lines: tuple[Truth, ...]
    orientation: int = 1


@dataclass
class Canvas:
    """An RGB picture to draw on that remembers its lines of text."""

    picture: Image.Image
    lines: list[Truth] = field(default_factory=list)

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
        weight: int = 0,
        anchor: str = "la",
    ) -> tuple[float, float, float, float]:
        """Write one line of text and remember it.

        Args:
            x: Where the anchor lies, in pixels.
            y: As `x`, downwards.
            text: What to write, one line.
            size: Letter size in pixels.
            ink: RGB colour.
            face: Which of the two fonts.
            weight: Extra thickness in pixels; the fonts come in one weight only.
            anchor: Which point of the text lies at `x`, `y`; Pillow's anchors ("la" left-ascender,
                "mm" middle, "ra" right-ascender).

        Returns:
            The left, top, right and bottom edge of the line's box.
        """
        letters = font(face, size)
        self.pen.text((x, y), text, ink, letters, anchor=anchor, stroke_width=weight)
        ink_box = self.pen.textbbox((x, y), text, letters, anchor=anchor, stroke_width=weight)
        left, top, right, bottom = grow(ink_box, 0.1 * size)
        self.lines.append(Truth(text, corners(left, top, right, bottom)))
        return left, top, right, bottom

    def write_down(
        self, x: float, y: float, text: str, size: int, *, ink: Colour, face: Face, weight: int = 0
    ) -> None:
        """Write one line downwards, each letter upright under the one before it.

        `x` is the middle of the column and `y` the top of the first letter.
        """
        step = 1.08 * size
        boxes = []
        for i, letter in enumerate(text):
            at = (x, y + (i + 0.5) * step)
            letters = font(face, size)
            self.pen.text(at, letter, ink, letters, anchor="mm", stroke_width=weight)
            boxes.append(self.pen.textbbox(at, letter, letters, anchor="mm", stroke_width=weight))
        edges = np.array(boxes)
        (left, top), (right, bottom) = edges[:, :2].min(axis=0), edges[:, 2:].max(axis=0)
        self.lines.append(Truth(text, corners(*grow((left, top, right, bottom), 0.1 * size))))

    def page(self, name: str, *, orientation: int = 1) -> Page:
        """The finished page."""
        bgr = np.ascontiguousarray(np.asarray(self.picture.convert("RGB"))[:, :, ::-1])
        return Page(name, bgr, tuple(self.lines), orientation)


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
        Truth(line.text, ((line.box - old_middle) @ turn.T + new_middle).astype(np.float32))
        for line in canvas.lines
    ]
    return Canvas(turned, lines)
