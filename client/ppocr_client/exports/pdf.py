"""Searchable PDF: pictures or a PDF file's own pages, and over them their text, invisible.

Needs pypdfium2 and Pillow (`pip install "ppocr-triton[pdf]"`), which load only here.
"""

from __future__ import annotations

import ctypes
import io
import itertools
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ppocr_client.documents.pages import LOCK, POINTS
from ppocr_client.errors import ImageError, needs
from ppocr_client.lines import Line
from ppocr_client.results import OcrResult

if TYPE_CHECKING:
    from PIL.Image import Image

# Lines with a larger slope are laid straight: from about 4 degrees on, pdftotext splits tilted
# lines apart, and finding the text matters more than the tilt of its highlight.
STRAIGHT = 0.05
SHORTEST = 1e-3  # share of a line that a word takes, at least: a text of no length is not found
ORIENTATION = 0x0112
GRID = 1000  # FPDF_DeviceToPage takes integers: steps along a page's side
UNIT = 1000  # of the font, along the em square
MAX_BFCHARS = 100  # entries that one block of a CMap may hold
CMAP = """/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000> <FFFF>
endcodespacerange
{blocks}endcmap
CMapName currentdict /CMap defineresource pop
end
end
"""


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
    with LOCK:
        document = pypdfium2.PdfDocument.new()
        layer = _TextLayer(document, [result for _, result in pages], POINTS / dpi)
        for data, result in pages:
            picture, (width, height) = _picture(document, data)
            page = document.new_page(width * POINTS / dpi, height * POINTS / dpi)
            picture.set_matrix(pypdfium2.PdfMatrix().scale(*page.get_size()))
            page.insert_obj(picture)
            layer.lay_over(page, result)
        return _saved(document)


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
    with LOCK:
        try:
            document = pypdfium2.PdfDocument(original)
            layer = _TextLayer(document, results.values(), POINTS / dpi)
            for index in reversed(range(len(document))):
                if index + 1 in results:
                    layer.lay_over(document[index], results[index + 1])
                else:
                    document.del_page(index)
            return _saved(document)
        except pypdfium2.PdfiumError as error:
            raise ImageError(f"cannot lay text over the PDF file: {error}") from error


def _saved(document: Any) -> bytes:
    file = io.BytesIO()
    document.save(file)
    document.close()
    return file.getvalue()


class _TextLayer:
    """Invisible text over the pages of a document, in a font without visible glyphs.

    The font's only glyph is a line of zero width across the em square; every character uses it. So
    text of any language costs a few hundred bytes, where a real font would take megabytes. (Empty
    glyphs have no extent, and PDFium does not find vertical text made of them.)
    """

    def __init__(self, document: Any, results: Collection[OcrResult], scale: float) -> None:
        """Load the font, with a code from 1 on for each letter; `scale` is points per pixel."""
        from pypdfium2 import raw

        letters = set().union(*(line.text for result in results for line in result.lines))
        self._codes = {letter: code for code, letter in enumerate(sorted(letters), 1)}
        self._document, self._scale = document, scale
        font, glyphs = _font_file(), b"\0\1" * (len(letters) + 1)
        self._font = raw.FPDFText_LoadCidType2Font(
            document,
            (ctypes.c_uint8 * len(font)).from_buffer_copy(font),
            len(font),
            _to_unicode(self._codes).encode(),
            (ctypes.c_uint8 * len(glyphs)).from_buffer_copy(glyphs),
            len(glyphs),
        )
        if not self._font:
            raise RuntimeError("PDFium did not take the font of the text layer")

    def lay_over(self, page: Any, result: OcrResult) -> None:
        """Add the lines where the page has no text of its own; it is closed then."""
        own, axes = page.get_textpage(), _page_axes(page)
        for line in result.lines:
            corners = (line.box.astype(float) * self._scale) @ axes[:2] + axes[2]
            (left, bottom), (right, top) = corners.min(axis=0), corners.max(axis=0)
            if line.text and not own.get_text_bounded(left, bottom, right, top).strip():
                for text, matrix in _text_matrices(line, self._scale):
                    place = matrix @ axes[:2]
                    place[2] += axes[2]
                    self._add(page, text, place)
        own.close()
        page.gen_content()
        page.close()

    def _add(self, page: Any, text: str, matrix: npt.NDArray[np.float64]) -> None:
        from pypdfium2 import raw

        codes = [self._codes[letter] for letter in text]
        item = raw.FPDFPageObj_CreateTextObj(self._document, self._font, 1.0)
        raw.FPDFText_SetCharcodes(item, (ctypes.c_uint32 * len(codes))(*codes), len(codes))
        raw.FPDFTextObj_SetTextRenderMode(item, raw.FPDF_TEXTRENDERMODE_INVISIBLE)
        raw.FPDFPageObj_Transform(item, *matrix.ravel().tolist())
        raw.FPDFPage_InsertObject(page, item)


def _font_file() -> bytes:
    """A TrueType file of 2 glyphs, the first empty; ascender 1, descender 0, advance 1."""
    outline = struct.pack(">5hHH2B4h", 1, 0, 0, UNIT, UNIT, 1, 0, 1, 1, 0, UNIT, 0, UNIT)
    tables = {
        "glyf": outline,
        "head": struct.pack(
            ">IIIIHHqqhhhhHHhhh",
            *(0x10000, 0x10000, 0, 0x5F0F3CF5, 0, UNIT, 0, 0),  # versions, magic, flags, dates
            *(0, 0, UNIT, UNIT, 0, 8, 2, 0, 0),  # bounds, style, smallest size, formats
        ),
        "hhea": struct.pack(">IhhhH11hH", 0x10000, UNIT, 0, 0, UNIT, 0, 0, UNIT, 1, *[0] * 7, 1),
        "hmtx": struct.pack(">Hhh", UNIT, 0, 0),
        "loca": struct.pack(">HHH", 0, 0, len(outline) // 2),
        "maxp": struct.pack(">IH13H", 0x10000, 2, 2, 1, 0, 0, 1, *[0] * 8),
    }
    directory, body = struct.pack(">IHHHH", 0x10000, len(tables), 64, 2, 32), b""
    start = len(directory) + 16 * len(tables)
    for tag, table in tables.items():
        padded = table + bytes(-len(table) % 4)
        checksum = sum(struct.unpack(f">{len(padded) // 4}I", padded)) & 0xFFFFFFFF
        directory += struct.pack(">4sIII", tag.encode(), checksum, start + len(body), len(table))
        body += padded
    return directory + body


def _to_unicode(codes: Mapping[str, int]) -> str:
    """The ToUnicode CMap: the character of each code."""
    pairs = [
        f"<{code:04X}> <{letter.encode('utf-16-be', 'surrogatepass').hex().upper()}>\n"
        for letter, code in codes.items()
    ]
    blocks = [pairs[i : i + MAX_BFCHARS] for i in range(0, len(pairs), MAX_BFCHARS)]
    written = (f"{len(block)} beginbfchar\n{''.join(block)}endbfchar\n" for block in blocks)
    return CMAP.format(blocks="".join(written))


def _page_axes(page: Any) -> npt.NDArray[np.float64]:
    """The displayed page in the page's own coordinates, which may be rotated and shifted.

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


def _text_matrices(line: Line, scale: float) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
    """The texts of a line, cut where words begin, each with its place on the page.

    All of them stand on the base of the line, and each reaches to the next one, so that programs
    which look for gaps between words find no others than the spaces of the text.

    Yields:
        A text, and float64 [3, 2]: how far one of its characters goes right and down, how far it
        rises, and where its base begins; in points from the displayed page's top-left corner.
    """
    top_left, top_right, _, bottom_left = line.reading_box.astype(float) * scale
    along, up, start = top_right - top_left, top_left - bottom_left, bottom_left
    if min(abs(along)) > STRAIGHT * max(abs(along)):
        # The same text exactly horizontal or vertical, with the same centre.
        middle = start + (along + up) / 2
        along = along * (abs(along) == max(abs(along)))
        up = np.array([along[1], -along[0]]) * (_length(up) / _length(along))
        start = middle - (along + up) / 2
    for text, (left, right) in zip(line.pieces, itertools.pairwise(_starts(line)), strict=True):
        if text:
            yield text, np.array([along * (right - left) / len(text), up, start + along * left])


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
