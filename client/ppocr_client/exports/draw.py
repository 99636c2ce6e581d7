"""Drawing of a result: boxes on the left, the texts at the same places on the right.

Needs Pillow (`pip install "ppocr-triton[draw]"`), which loads only when something is drawn.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ppocr_client.documents.pictures import ImageSource, read_image
from ppocr_client.errors import ImageError
from ppocr_client.lines import TALL, Line
from ppocr_client.results import OcrResult

if TYPE_CHECKING:
    from PIL import Image, ImageFont

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
    """A result beside its picture: an RGB picture, twice as wide as `image` upright.

    Args:
        image: The picture that was read, in any form that `OcrClient.read` takes but an array.
        result: Its result.
        font: A font file with the characters of the texts; None: see `find_font`.

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
        tint = tuple(channel + (255 - channel) * 2 // 3 for channel in colour)
        pen.polygon([(x + width, y) for x, y in corners], None, tint)
        _paste_text(sheet, line, width, font_file)
    sheet.paste(veil, mask=veil)
    return sheet


def find_font(font: str | os.PathLike[str] | None = None) -> Path:
    """The font file to draw with, or a DrawError: the given one, or one with Chinese characters.

    It searches Noto Sans SC of the package pylopdf-fonts-zh-cn, then the fonts of the system.
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
    """Write a line's text into its box, `shift` pixels to the right, turned as the box is.

    Of a box much higher than wide, plain Latin runs along it and other letters below each other.
    """
    from PIL import Image, ImageDraw

    stacked = not line.text.isascii()
    box = line.box if stacked else line.reading_box
    across, down = (float(np.linalg.norm(box[corner] - box[0])) for corner in (1, 3))
    if min(across, down) < 2 or not line.text.strip():
        return
    text = "\n".join(line.text) if stacked and down >= TALL * across else line.text
    label = Image.new("L", (max(1, round(across)), max(1, round(down))))
    letters = _fitting_font(text, label.size, font_file)
    middle = label.width / 2, label.height / 2
    ImageDraw.Draw(label).text(middle, text, 255, letters, anchor="mm", align="center", spacing=0)
    left, top = np.floor(box.min(axis=0)).astype(int).tolist()
    right, bottom = np.ceil(box.max(axis=0)).astype(int).tolist()
    # Three corners of the box, and where they are on the label, give Pillow's six coefficients.
    corners = np.column_stack([box[[0, 1, 3]] - (left, top), np.ones(3)])
    places = np.array([(0, 0), (label.width, 0), (0, label.height)])
    placed = label.transform(
        (right - left + 1, bottom - top + 1),
        Image.Transform.AFFINE,
        np.linalg.lstsq(corners, places, rcond=None)[0].T.ravel().tolist(),
        Image.Resampling.BICUBIC,
    )
    sheet.paste((24, 24, 28), (left + shift, top), placed)


def _fitting_font(text: str, size: tuple[int, int], font_file: str) -> ImageFont.FreeTypeFont:
    """The font in the largest size in which the text fits."""
    from PIL import Image, ImageDraw

    lines = text.count("\n") + 1
    largest = max(1, round(0.9 * min(size[1] / lines, size[0] if lines > 1 else size[1])))
    pen, letters = ImageDraw.Draw(Image.new("L", (1, 1))), _font(font_file, largest)
    left, top, right, bottom = pen.multiline_textbbox((0, 0), text, letters, spacing=0)
    fits = min(1.0, size[0] / max(1, right - left), size[1] / max(1, bottom - top))
    return _font(font_file, max(1, int(largest * fits)))


@functools.lru_cache(maxsize=256)
def _font(font_file: str, size: int) -> ImageFont.FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.truetype(font_file, size)
