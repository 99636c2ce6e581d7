"""Drawing of a result: boxes on the left, the texts at the same places on the right.

Needs Pillow (`pip install "ppocr-triton[draw]"`), which loads only when something is drawn.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ppocr_client.documents.pictures import ImageSource, read_image
from ppocr_client.errors import ImageError
from ppocr_client.lines import TALL, Line
from ppocr_client.results import OcrResult

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

# Colours that are distinct on white, used in turn.
COLOURS = (
    (0, 104, 201),
    (214, 60, 44),
    (20, 138, 80),
    (150, 70, 190),
    (204, 110, 0),
    (0, 134, 150),
)

# Fonts with Chinese, Japanese and Korean characters, best first; Pillow finds them in the system.
FONT_NAMES = (
    *("NotoSansCJK-Regular", "NotoSansSC-Regular", "SourceHanSansSC-Regular", "wqy-microhei"),
    *("wqy-zenhei", "DroidSansFallbackFull", "PingFang", "Hiragino Sans GB", "STHeiti Medium"),
    *("Arial Unicode", "msyh", "simsun"),
)


class DrawError(RuntimeError):
    """Pillow or a usable font is missing."""


def draw_result(
    image: ImageSource, result: OcrResult, *, font: str | os.PathLike[str] | None = None
) -> Image.Image:
    """Draw a result beside its picture.

    Args:
        image: The picture that was read, in any form that `OcrClient.read` takes but an array.
        result: Its result.
        font: A font file with the characters of the texts; None: see `find_font`.

    Returns:
        An RGB picture, twice as wide as `image` upright.

    Raises:
        DrawError: If Pillow or a usable font is missing.
        ImageError: If the picture cannot be decoded.
    """
    try:
        from PIL import Image, ImageDraw, ImageOps, UnidentifiedImageError
    except ImportError:
        raise DrawError('drawing needs Pillow: pip install "ppocr-triton[draw]"') from None
    try:
        with Image.open(io.BytesIO(read_image(image))) as file:
            photo = ImageOps.exif_transpose(file).convert("RGBA")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError) as error:
        raise ImageError(f"cannot draw the picture: {error}") from error
    width, height = photo.size
    sheet = Image.new("RGB", (2 * width, height), "white")
    sheet.paste(photo, mask=photo)
    font_file = str(find_font(font)) if result.lines else ""
    veil = Image.new("RGBA", photo.size)
    marker, pen = ImageDraw.Draw(veil), ImageDraw.Draw(sheet)
    stroke = max(1, round(max(photo.size) / 600))
    for i, line in enumerate(result.lines):
        colour = COLOURS[i % len(COLOURS)]
        corners = [(float(x), float(y)) for x, y in line.box]
        marker.polygon(corners, (*colour, 36), (*colour, 255), stroke)
        for word in line.words:
            marker.polygon([(float(x), float(y)) for x, y in word.box], None, (*colour, 130))
        pen.polygon([(x + width, y) for x, y in corners], None, _tint(colour))
        _paste_text(sheet, line, width, font_file)
    sheet.paste(veil, mask=veil)
    return sheet


def find_font(font: str | os.PathLike[str] | None = None) -> Path:
    """The font file to draw with: the given one, or one with Chinese characters.

    It searches Noto Sans SC of the package pylopdf-fonts-zh-cn, then the fonts of the system.

    Raises:
        DrawError: If the given file is not a font, or none is found.
    """
    from PIL import ImageFont

    if font is not None:
        try:
            ImageFont.truetype(str(font), 16)
        except OSError as error:
            raise DrawError(f"cannot use the font {font}: {error}") from error
        return Path(font)
    package = importlib.util.find_spec("pylopdf_fonts_zh_cn")
    if package is not None and package.origin is not None:
        return Path(package.origin).with_name("NotoSansSC-Regular.otf")
    for name in FONT_NAMES:
        with contextlib.suppress(OSError):
            return Path(str(ImageFont.truetype(name, 16).path))
    raise DrawError(
        "no font with Chinese characters was found; name one (--font FILE), or "
        "pip install pylopdf-fonts-zh-cn"
    )


def _paste_text(sheet: Image.Image, line: Line, shift: int, font_file: str) -> None:
    """Write a line's text into its box, `shift` pixels to the right, rotated as the box is."""
    from PIL import Image, ImageDraw

    top_left, top_right, _, bottom_left = line.box
    across = float(np.linalg.norm(top_right - top_left))
    down = float(np.linalg.norm(bottom_left - top_left))
    tall = down >= TALL * across
    stacked = tall and not line.text.isascii()
    length, thickness = (down, across) if tall else (across, down)
    if min(across, down) < 2 or not line.text.strip():
        return
    label = Image.new("L", (max(1, round(across)), max(1, round(down))))
    if stacked:
        _write_stacked(ImageDraw.Draw(label), line.text, label.size, font_file)
    else:
        strip = Image.new("L", (max(1, round(length)), max(1, round(thickness))))
        letters = _fitting_font(line.text, strip.width, strip.height, font_file)
        middle = strip.width / 2, strip.height / 2
        ImageDraw.Draw(strip).text(middle, line.text, 255, letters, anchor="mm")
        label = strip.transpose(Image.Transpose.ROTATE_270) if tall else strip
    left, top = np.floor(line.box.min(axis=0)).astype(int).tolist()
    right, bottom = np.ceil(line.box.max(axis=0)).astype(int).tolist()
    placed = label.transform(
        (right - left + 1, bottom - top + 1),
        Image.Transform.PERSPECTIVE,
        _perspective(line.box - np.array([left, top]), label.size),
        Image.Resampling.BICUBIC,
    )
    sheet.paste((24, 24, 28), (left + shift, top), placed)


def _write_stacked(
    pen: ImageDraw.ImageDraw, text: str, size: tuple[int, int], font_file: str
) -> None:
    """Write the characters below each other so that they fill the size."""
    width, height = size
    step = height / len(text)
    letters = _font(font_file, max(1, round(min(0.9 * width, 0.95 * step))))
    for i, letter in enumerate(text):
        pen.text((width / 2, (i + 0.5) * step), letter, 255, letters, anchor="mm")


def _fitting_font(text: str, width: int, height: int, font_file: str) -> ImageFont.FreeTypeFont:
    """The font in the largest size in which the text fits into width and height."""
    size = max(1, round(0.9 * height))
    needed = _font(font_file, size).getlength(text)
    return _font(font_file, max(1, int(size * min(1.0, width / needed))) if needed else size)


@functools.lru_cache(maxsize=256)
def _font(font_file: str, size: int) -> ImageFont.FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.truetype(font_file, size)


def _perspective(box: npt.NDArray[np.float32], size: tuple[int, int]) -> Sequence[float]:
    """The eight coefficients with which Pillow maps `box` to a label of `size`."""
    width, height = size
    label = [(0, 0), (width, 0), (width, height), (0, height)]
    rows = []
    for (x, y), (u, v) in zip(box.tolist(), label, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    targets = np.array(label, np.float64).ravel()
    numbers: list[float] = np.linalg.lstsq(np.array(rows), targets, rcond=None)[0].tolist()
    return numbers


def _tint(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    red, green, blue = (channel + (255 - channel) * 2 // 3 for channel in colour)
    return red, green, blue
