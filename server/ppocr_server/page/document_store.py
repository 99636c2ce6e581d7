"""The uploaded documents, up to a total size, and their pictures as every browser shows them."""

from __future__ import annotations

import contextlib
import io
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageOps

from ppocr_client.documents.inputs import Document
from ppocr_client.documents.pages import Page, pages_of
from ppocr_client.documents.pictures import encode_pillow
from ppocr_client.documents.reading import DocumentResult, PageResult, as_jpeg
from ppocr_client.errors import ImageError
from ppocr_client.results import OcrResult
from ppocr_pipeline.formats import known_format

CAPACITY = 1024 * 2**20  # bytes of all documents
SHOWN = {"JPEG": "image/jpeg", "PNG": "image/png", "BMP": "image/bmp", "WEBP": "image/webp"}
THUMBNAIL = 240  # pixels of the longer side


@dataclass
class StoredDocument:
    """A document, its pages, and their latest results by page number."""

    path: Path
    name: str
    size: int
    pages: list[Page]
    results: dict[int, OcrResult] = field(default_factory=dict)

    def picture(self, number: int) -> bytes:
        """A page's encoded picture, a rendered PDF page as JPEG.

        An ImageError or MissingExtra says why there is none.
        """
        page = self.pages[number - 1]
        return as_jpeg(page.load()) if page.pdf else page.load()

    def read_document(self, *, pictures: bool) -> DocumentResult:
        """All results, for the output formats."""
        pages = []
        for number, result in sorted(self.results.items()):
            picture = self.picture(number) if pictures else None
            pages.append(PageResult(number, result, picture, self.pages[number - 1].pdf))
        return DocumentResult(Document(self.name, self.name), len(self.pages), pages)


class DocumentStore:
    """Keeps documents in a folder; the oldest are deleted if a new one exceeds the capacity."""

    def __init__(self, folder: Path, *, dpi: float, capacity: int = CAPACITY) -> None:
        self._folder, self.dpi, self._capacity = folder, dpi, capacity
        self._documents: dict[str, StoredDocument] = {}
        self._lock = threading.Lock()

    def new_path(self) -> Path:
        """The path for a new document."""
        return self._folder / secrets.token_urlsafe(12)

    def add(self, path: Path, name: str) -> tuple[str, StoredDocument]:
        """Add a file; its key and the document. A file that cannot be opened is deleted."""
        try:
            pages = pages_of(Document(str(path), name), dpi=self.dpi, ranges=None)
        except BaseException:
            path.unlink()
            raise
        document = StoredDocument(path, name, path.stat().st_size, pages)
        with self._lock:
            self._documents[path.name] = document
            while sum(each.size for each in self._documents.values()) > self._capacity:
                oldest = next(iter(self._documents))
                if oldest == path.name:
                    break
                self._documents.pop(oldest).path.unlink()
        return path.name, document

    def get(self, key: str) -> StoredDocument | None:
        """A document by its key; None if it was deleted."""
        return self._documents.get(key)

    def remove(self, key: str) -> None:
        """Delete a document, if it is still there."""
        with self._lock:
            document = self._documents.pop(key, None)
        if document is not None:
            document.path.unlink()


def shown(data: bytes) -> tuple[bytes, str]:
    """A picture and its media type; formats that browsers do not know become BMP or PNG."""
    if known_format(data) not in SHOWN:
        with _opened(data) as image:
            data = encode_pillow(image)
    return data, SHOWN[known_format(data) or ""]


def thumbnail(data: bytes) -> tuple[bytes, str]:
    """A small upright picture and its media type."""
    file = io.BytesIO()
    with _opened(data) as image:
        image.draft("RGB", (2 * THUMBNAIL, 2 * THUMBNAIL))
        upright = ImageOps.exif_transpose(image)
        upright.thumbnail((THUMBNAIL, THUMBNAIL))
        upright.convert("RGBA").save(file, "WEBP")
    return file.getvalue(), "image/webp"


@contextlib.contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """An ImageError says why it is no picture."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            yield image
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"cannot show the picture: {error}") from error
