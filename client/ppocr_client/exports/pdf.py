"""Searchable PDF of pictures: the pictures, and over them their text, invisible.

Needs pypdfium2 and Pillow (`pip install "ppocr-triton[pdf]"`), which load only here.
"""

from __future__ import annotations

import ctypes
import io
import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ppocr_client.documents.pdfium import LOCK, POINTS
from ppocr_client.errors import ImageError, needs
from ppocr_client.exports.glyphless import character_codes, font_file, to_unicode
from ppocr_client.lines import Line
from ppocr_client.results import OcrResult

if TYPE_CHECKING:
    from PIL.Image import Image

# Lines with a larger slope are laid straight: from about 4 degrees on, pdftotext splits tilted
# lines apart, and finding the text matters more than the tilt of its highlight.
STRAIGHT = 0.05
SHORTEST = 1e-3  # share of a line that a word takes, at least: a text of no length is not found
ORIENTATION = 0x0112

Matrix = tuple[float, float, float, float, float, float]


def to_pdf(pages: Sequence[tuple[bytes, OcrResult]], *, dpi: float = POINTS) -> bytes:
    """A PDF file.

    An upright JPEG is embedded byte for byte; other pictures are compressed losslessly.

    Args:
        pages: Each page's encoded picture and what was read from it.
        dpi: Pixels per inch of the page.

    Raises:
        MissingExtra: If pypdfium2 or Pillow is missing.
        ImageError: If a picture cannot be decoded.
        ValueError: If there is no page, or `dpi` is not above 0.
    """
    with needs("PDF files", "pypdfium2", "pdf"):
        import pypdfium2
    if not pages or not dpi > 0:
        raise ValueError(f"{len(pages)} pages at {dpi} dpi make no PDF")
    codes = character_codes(line.text for _, result in pages for line in result.lines)
    with LOCK:
        document = pypdfium2.PdfDocument.new()
        font = load_font(document, codes)
        for data, result in pages:
            _add_page(document, data, result, codes, font, POINTS / dpi)
        file = io.BytesIO()
        document.save(file)
        document.close()
    return file.getvalue()


def load_font(document: Any, codes: dict[str, int]) -> Any:
    """Load the glyphless font into a document; every code uses its second glyph."""
    from pypdfium2 import raw

    font, glyphs = font_file(), b"\0\1" * (len(codes) + 1)
    loaded = raw.FPDFText_LoadCidType2Font(
        document,
        (ctypes.c_uint8 * len(font)).from_buffer_copy(font),
        len(font),
        to_unicode(codes).encode(),
        (ctypes.c_uint8 * len(glyphs)).from_buffer_copy(glyphs),
        len(glyphs),
    )
    if not loaded:
        raise RuntimeError("PDFium did not take the font of the text layer")
    return loaded


def _add_page(
    document: Any, data: bytes, result: OcrResult, codes: dict[str, int], font: Any, scale: float
) -> None:
    import pypdfium2

    picture, (width, height) = _picture(document, data)
    page = document.new_page(width * scale, height * scale)
    picture.set_matrix(pypdfium2.PdfMatrix().scale(width * scale, height * scale))
    page.insert_obj(picture)
    for line in result.lines:
        for text, matrix in text_matrices(line, scale, page.get_height()):
            add_text(document, page, [codes[letter] for letter in text], font, matrix)
    page.gen_content()
    page.close()


def add_text(document: Any, page: Any, codes: list[int], font: Any, matrix: Matrix) -> None:
    """Add invisible text to a page; `matrix` places the characters, each 1 by 1."""
    from pypdfium2 import raw

    text = raw.FPDFPageObj_CreateTextObj(document, font, 1.0)
    raw.FPDFText_SetCharcodes(text, (ctypes.c_uint32 * len(codes))(*codes), len(codes))
    raw.FPDFTextObj_SetTextRenderMode(text, raw.FPDF_TEXTRENDERMODE_INVISIBLE)
    raw.FPDFPageObj_Transform(text, *matrix)
    raw.FPDFPage_InsertObject(page, text)


def text_matrices(line: Line, scale: float, page_height: float) -> Iterator[tuple[str, Matrix]]:
    """The texts of a line, cut where words begin, each with its place on the page.

    All of them stand on the base of the line, and each reaches to the next one, so that programs
    which look for gaps between words find no others than the spaces of the text.

    Args:
        line: The line.
        scale: Points per pixel.
        page_height: In points; the origin of PDF is at the bottom.

    Yields:
        A text, and a, b, c, d, e, f of PDF's matrix that places its characters, each 1 by 1.
    """
    top_left, top_right, _, bottom_left = line.reading_box.astype(float) * (scale, -scale)
    along, up, start = top_right - top_left, top_left - bottom_left, bottom_left
    if min(abs(along)) > STRAIGHT * max(abs(along)):
        along, up, start = _straightened(along, up, start)
    for text, (left, right) in zip(line.pieces, itertools.pairwise(_starts(line)), strict=True):
        if text:
            step = along * (right - left) / len(text)
            at = start + along * left + (0, page_height)
            a, b, c, d, e, f = (float(number) for number in (*step, *up, *at))
            yield text, (a, b, c, d, e, f)


def _starts(line: Line) -> list[float]:
    """Where each of a line's pieces begins, and the last one ends, as shares of its length."""
    if not line.words:
        return [0.0, 1.0]
    top_left, top_right, _, bottom_left = line.reading_box.astype(float)
    along = top_right - top_left
    sides = [word.box[[0, 3]].mean(axis=0) for word in line.words]
    sides.append(line.words[-1].box[[1, 2]].mean(axis=0))
    shares = (np.array(sides) - (top_left + bottom_left) / 2) @ along / (along @ along)
    steps = np.maximum(np.diff(shares), SHORTEST)
    return (shares[0] + np.append(0, np.cumsum(steps))).tolist()


def _straightened(along: Any, up: Any, start: Any) -> tuple[Any, Any, Any]:
    """The same text exactly horizontal or vertical, with the same centre."""
    middle = start + (along + up) / 2
    along = along * (abs(along) == max(abs(along)))
    up = np.array([-along[1], along[0]]) * (_length(up) / _length(along))
    return along, up, middle - (along + up) / 2


def _length(vector: Any) -> float:
    return float((vector**2).sum()) ** 0.5


def _picture(document: Any, data: bytes) -> tuple[Any, tuple[int, int]]:
    """A picture as an object of the document, and its width and height in pixels."""
    with needs("PDF files", "Pillow", "pdf"):
        from PIL import Image, ImageOps, UnidentifiedImageError
    import pypdfium2

    picture = pypdfium2.PdfImage.new(document)
    try:
        with Image.open(io.BytesIO(data)) as file:
            turned = file.getexif().get(ORIENTATION, 1) != 1
            if file.format == "JPEG" and file.mode in ("RGB", "L") and not turned:
                picture.load_jpeg(io.BytesIO(data), inline=True)
                return picture, file.size
            upright = _on_white(ImageOps.exif_transpose(file))
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError) as error:
        raise ImageError(f"cannot put the picture into a PDF: {error}") from error
    bitmap = pypdfium2.PdfBitmap.from_pil(upright)
    picture.set_bitmap(bitmap)
    bitmap.close()
    return picture, upright.size


def _on_white(image: Image) -> Image:
    from PIL import Image as pillow

    if image.mode in ("1", "L"):
        return image.convert("L")
    if not image.has_transparency_data:
        return image.convert("RGB")
    sheet = pillow.new("RGB", image.size, "white")
    layer = image.convert("RGBA")
    sheet.paste(layer, mask=layer)
    return sheet
