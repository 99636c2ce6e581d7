"""Searchable PDF of a PDF file: its pages are kept, and the text is found where it is seen."""

import io
from typing import Any

import numpy as np
import pytest
from client.samples import TEXTS, pdf_pages, rectangle
from paths import SIGN
from PIL import Image

from ppocr_client.cli import main
from ppocr_client.documents.pictures import Size
from ppocr_client.exports.pdf import to_pdf_over
from ppocr_client.lines import Line
from ppocr_client.results import OcrResult

pdfium = pytest.importorskip("pypdfium2")

DPI = 144  # two pixels to the point
WORDS = "茶 and tea"
# In pixels of the page as it is seen: 20 to 220 points to the right, 30 to 50 down.
BOX = rectangle(40, 60, 440, 100)


def result(text: str = WORDS) -> OcrResult:
    return OcrResult((Line(text, 0.9, BOX, 0.9),), Size(600, 800))


def pdf(
    rotation: int = 0, crop: tuple[int, int, int, int] | None = None, content: str = ""
) -> bytes:
    """A page of 400 by 500 points, written by hand."""
    drawing = f"0.9 0.2 0.1 rg 30 40 50 60 re f {content}".encode()
    view = f"/CropBox [{' '.join(map(str, crop))}]" if crop else ""
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 500] {view} /Rotate {rotation} "
        f"/Contents 4 0 R /Resources << /Font << /F1 {font} >> >> >>".encode(),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawing), drawing),
    ]
    file = io.BytesIO(b"%PDF-1.4\n")
    file.seek(0, io.SEEK_END)
    places = []
    for number, body in enumerate(objects, 1):
        places.append(file.tell())
        file.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = file.tell()
    file.write(b"xref\n0 5\n0000000000 65535 f \n")
    file.writelines(b"%010d 00000 n \n" % place for place in places)
    file.write(b"trailer << /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start)
    return file.getvalue()


def pixels(data: bytes, index: int = 0) -> Any:
    document = pdfium.PdfDocument(data)
    return document[index].render(scale=DPI / 72).to_numpy().copy()


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("crop", [None, (50, 60, 390, 480)])
def test_text_lies_where_it_is_seen_on_turned_and_cropped_pages(rotation, crop):
    # What is drawn leaves its coordinates changed behind it, as bad writers do.
    original = pdf(rotation, crop, "2 0 0 2 7 9 cm")
    over = to_pdf_over(original, {1: result()}, dpi=DPI)
    assert np.array_equal(pixels(over), pixels(original))
    page = pdfium.PdfDocument(over)[0]
    text = page.get_textpage()
    assert text.get_text_range() == WORDS
    boxes = np.array([text.get_charbox(index, loose=True) for index in range(len(WORDS))])
    left, bottom = boxes[:, :2].min(axis=0)
    right, top = boxes[:, 2:].max(axis=0)
    x0, y0, x1, y1 = crop or (0, 0, 400, 500)
    seen = {
        0: (x0 + 20, y1 - 50, x0 + 220, y1 - 30),
        90: (x0 + 30, y0 + 20, x0 + 50, y0 + 220),
        180: (x1 - 220, y0 + 30, x1 - 20, y0 + 50),
        270: (x1 - 50, y1 - 220, x1 - 30, y1 - 20),
    }[rotation]
    assert np.allclose((left, bottom, right, top), seen, atol=0.6)


def test_text_that_the_page_has_is_not_laid_over_it_again():
    own = pdf(content="BT /F1 16 Tf 24 453 Td (Own words) Tj ET")
    over = pdfium.PdfDocument(to_pdf_over(own, {1: result()}, dpi=DPI))
    assert over[0].get_textpage().get_text_range() == "Own words"


@pytest.mark.server
def test_a_scanned_file_keeps_its_pages(server, tmp_path):
    source, out = tmp_path / "scan.pdf", tmp_path / "found.pdf"
    sign, blank = Image.open(SIGN), Image.new("RGB", (300, 200), "white")
    blank.save(source, save_all=True, append_images=[sign, blank], resolution=100)
    order = ["read", str(source), "--format", "pdf", "--dpi", "150", "--out", str(out)]
    assert main([*order, "--url", server.grpc_url]) == 0
    assert np.array_equal(pixels(out.read_bytes(), 1), pixels(source.read_bytes(), 1))
    said = "".join(pdf_pages(out.read_bytes()))
    assert TEXTS[0] in said.replace(" ", "").replace("\n", "")
    assert "OPEN TODAY" in said
    assert main([*order, "--pages", "2", "--url", server.grpc_url]) == 0
    assert len(pdfium.PdfDocument(out)) == 1
    assert "OPEN TODAY" in pdfium.PdfDocument(out)[0].get_textpage().get_text_range()
