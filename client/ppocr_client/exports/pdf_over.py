"""Searchable PDF of a PDF file: its pages as they are, and over them, unseen, what was read.

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
from ppocr_client.errors import ImageError, MissingExtra
from ppocr_client.exports.glyphless import character_codes
from ppocr_client.exports.pdf import Matrix, add_line, load_font, text_matrix
from ppocr_client.results import OcrResult

FINE = 1000  # steps of a page's side, between which PDFium's whole numbers are taken


def to_pdf_over(original: bytes, results: Mapping[int, OcrResult], *, dpi: float) -> bytes:
    """The PDF file with those of its pages that were read.

    A line is left out where the page has text of its own: it would be found twice.

    Args:
        original: The file.
        results: What was read from its pages, by their number from 1 on.
        dpi: With how many pixels to the inch they were drawn for that.

    Raises:
        MissingExtra: If pypdfium2 is missing.
        ImageError: If the file cannot be opened or written.
    """
    try:
        import pypdfium2
    except ImportError:
        raise MissingExtra("PDF files", "pypdfium2", "pdf") from None
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
    text, place = page.get_textpage(), _place(page)
    for line in result.lines:
        corners = (line.box.astype(float) * scale) @ place[:2] + place[2]
        (left, bottom), (right, top) = corners.min(axis=0), corners.max(axis=0)
        if line.text and not text.get_text_bounded(left, bottom, right, top).strip():
            matrix = _placed(text_matrix(line, scale, page_height=0), place)
            add_line(document, page, [codes[letter] for letter in line.text], font, matrix)
    text.close()
    page.gen_content()
    page.close()


def _place(page: Any) -> npt.NDArray[np.float64]:
    """Where the page, as it is seen, lies in its own coordinates, which may be turned and shifted.

    Returns:
        float64 [3, 2]: the steps for a point to the right and one down; the top-left corner.
    """
    from pypdfium2 import raw

    x, y = ctypes.c_double(), ctypes.c_double()
    corners = []
    for at in ((FINE, 0), (0, FINE), (0, 0)):
        raw.FPDF_DeviceToPage(page, 0, 0, FINE, FINE, 0, *at, x, y)
        corners.append((x.value, y.value))
    right, down, start = np.array(corners)
    width, height = page.get_size()
    return np.array([(right - start) / width, (down - start) / height, start])


def _placed(matrix: Matrix, place: npt.NDArray[np.float64]) -> Matrix:
    """A matrix that counts down from the page's top-left corner, in the page's own coordinates."""
    steps = (np.array(matrix).reshape(3, 2) * (1, -1)) @ place[:2]
    steps[2] += place[2]
    a, b, c, d, e, f = steps.ravel().tolist()
    return a, b, c, d, e, f
