"""Searchable PDF of a PDF file: its own pages, and over them the text that was read, invisible.

Needs pypdfium2 (`pip install "ppocr-triton[pdf]"`), which loads only here.
"""

from __future__ import annotations

import ctypes
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ppocr_client.documents.pdfium import LOCK, POINTS
from ppocr_client.errors import ImageError, needs
from ppocr_client.exports.glyphless import character_codes
from ppocr_client.exports.pdf import Matrix, add_text, load_font, text_matrices
from ppocr_client.results import OcrResult

GRID = 1000  # FPDF_DeviceToPage takes integers: steps along a page's side


def to_pdf_over(original: bytes, results: Mapping[int, OcrResult], *, dpi: float) -> bytes:
    """The PDF file, reduced to the pages that were read, with their text.

    A line is omitted where the page has text of its own, or it would be found twice.

    Args:
        original: The file.
        results: The results of its pages by their number, from 1.
        dpi: Pixels per inch with which the pages were rendered.

    Raises:
        MissingExtra: If pypdfium2 is missing.
        ImageError: If the file cannot be opened or written.
    """
    with needs("PDF files", "pypdfium2", "pdf"):
        import pypdfium2
    codes = character_codes(line.text for result in results.values() for line in result.lines)
    with LOCK:
        try:
            document = pypdfium2.PdfDocument(original)
            font = load_font(document, codes)
            for index in reversed(range(len(document))):
                if index + 1 in results:
                    _lay_over(document, index, results[index + 1], codes, font, POINTS / dpi)
                else:
                    document.del_page(index)
            file = io.BytesIO()
            document.save(file)
            document.close()
        except pypdfium2.PdfiumError as error:
            raise ImageError(f"cannot lay text over the PDF file: {error}") from error
    return file.getvalue()


def _lay_over(
    document: Any, index: int, result: OcrResult, codes: dict[str, int], font: Any, scale: float
) -> None:
    page = document[index]
    text, axes = page.get_textpage(), _page_axes(page)
    for line in result.lines:
        corners = (line.box.astype(float) * scale) @ axes[:2] + axes[2]
        (left, bottom), (right, top) = corners.min(axis=0), corners.max(axis=0)
        if line.text and not text.get_text_bounded(left, bottom, right, top).strip():
            for piece, matrix in text_matrices(line, scale, page_height=0):
                place = _to_page(matrix, axes)
                add_text(document, page, [codes[letter] for letter in piece], font, place)
    text.close()
    page.gen_content()
    page.close()


def _page_axes(page: Any) -> npt.NDArray[np.float64]:
    """The displayed page in the page's own coordinates, which may be rotated and shifted.

    Returns:
        float64 [3, 2]: the vectors of one point right and one point down; the top-left corner.
    """
    from pypdfium2 import raw

    x, y = ctypes.c_double(), ctypes.c_double()
    corners = []
    for at in ((GRID, 0), (0, GRID), (0, 0)):
        raw.FPDF_DeviceToPage(page, 0, 0, GRID, GRID, 0, *at, x, y)
        corners.append((x.value, y.value))
    right, down, start = np.array(corners)
    width, height = page.get_size()
    return np.array([(right - start) / width, (down - start) / height, start])


def _to_page(matrix: Matrix, axes: npt.NDArray[np.float64]) -> Matrix:
    """A matrix relative to the displayed top-left corner, in the page's own coordinates."""
    steps = (np.array(matrix).reshape(3, 2) * (1, -1)) @ axes[:2]
    steps[2] += axes[2]
    a, b, c, d, e, f = steps.ravel().tolist()
    return a, b, c, d, e, f
