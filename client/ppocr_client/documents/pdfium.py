"""Pages of PDF files. PDFium is not thread-safe: all calls hold LOCK."""

from __future__ import annotations

import threading

from ppocr_client.documents.pictures import encode_pixels
from ppocr_client.errors import ImageError, needs

LOCK = threading.Lock()
POINTS = 72  # per inch
MAX_PIXELS = 100_000_000  # the server's own limit


class PdfPages:
    """The pages of a PDF file as pictures."""

    def __init__(self, data: bytes) -> None:
        """Open a file.

        Raises:
            MissingExtra: If pypdfium2 is missing.
            ImageError: If it is damaged or needs a password.
        """
        with needs("PDF files", "pypdfium2", "pdf"):
            import pypdfium2
        with LOCK:
            try:
                self._document = pypdfium2.PdfDocument(data)
            except pypdfium2.PdfiumError as error:
                if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD:
                    raise ImageError(
                        "the PDF file needs a password; decrypt it first: "
                        "qpdf --decrypt --password=… FILE NEW"
                    ) from None
                reason = str(error).rstrip(".")
                advice = "send the whole file, or save it anew with a PDF viewer"
                raise ImageError(f"cannot open the PDF file: {reason}; {advice}") from error
            self.count = len(self._document)

    def render(self, index: int, dpi: float) -> bytes:
        """A page, counted from 0, as an encoded picture with `dpi` pixels per inch.

        Raises:
            ImageError: If the page is damaged or would be too large.
        """
        import pypdfium2

        with LOCK:
            try:
                page = self._document[index]
                width, height = (side * dpi / POINTS for side in page.get_size())
                if width * height > MAX_PIXELS:
                    raise ImageError(
                        f"page {index + 1} has {width:.0f} x {height:.0f} pixels at {dpi:g} dpi; "
                        f"allowed: {MAX_PIXELS}; choose fewer dpi"
                    )
                bitmap = page.render(scale=dpi / POINTS)
                pixels = bitmap.to_numpy()[..., :3].copy()
                bitmap.close()
                page.close()
            except pypdfium2.PdfiumError as error:
                raise ImageError(f"cannot draw page {index + 1}: {error}") from error
        return encode_pixels(pixels, "BGR")
