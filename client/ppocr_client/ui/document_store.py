"""The documents that the page was given, for as long as there is room."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field
from pathlib import Path

from ppocr_client.documents.documents import Document, Page, pages_of
from ppocr_client.documents.reading import as_jpeg
from ppocr_client.exports.writers import ReadDocument, ReadPage
from ppocr_client.results import OcrResult

ROOM = 1024 * 2**20  # bytes of all documents together


@dataclass
class Kept:
    """A document, its pages, and what was read from them last, by the page's number."""

    path: Path
    name: str
    size: int
    pages: list[Page]
    results: dict[int, OcrResult] = field(default_factory=dict)

    def picture(self, number: int) -> bytes:
        """A page's encoded picture, one drawn of a PDF file's page as JPEG.

        Raises:
            ImageError: If it cannot be opened or drawn.
            MissingExtra: If a package is missing for that.
        """
        page = self.pages[number - 1]
        return as_jpeg(page.load()) if page.pdf else page.load()

    def read_document(self, *, pictures: bool) -> ReadDocument:
        """All that was read, as the outputs take it."""

        def picture(number: int) -> bytes | None:
            return self.picture(number) if pictures else None

        pages = [
            ReadPage(number, result, picture(number), self.pages[number - 1].pdf)
            for number, result in sorted(self.results.items())
        ]
        return ReadDocument(Document(self.name, self.name), len(self.pages), pages)


class Shelf:
    """Keeps documents in a folder; the oldest make room for new ones."""

    def __init__(self, folder: Path, *, dpi: float, room: int = ROOM) -> None:
        self._folder, self.dpi, self._room = folder, dpi, room
        self._kept: dict[str, Kept] = {}
        self._lock = threading.Lock()

    def new_path(self) -> Path:
        """Where a document that comes in is written to."""
        return self._folder / secrets.token_urlsafe(12)

    def add(self, path: Path, name: str) -> tuple[str, Kept]:
        """Take a file in; its key and what it is.

        Raises:
            ImageError: If it cannot be opened; it is removed then, as for other errors.
            MissingExtra: If a package is missing for that.
        """
        try:
            pages = pages_of(Document(str(path), name), dpi=self.dpi, ranges=None, timeout=1)
        except BaseException:
            path.unlink()
            raise
        kept = Kept(path, name, path.stat().st_size, pages)
        with self._lock:
            self._kept[path.name] = kept
            while sum(each.size for each in self._kept.values()) > self._room:
                oldest = next(iter(self._kept))
                if oldest == path.name:
                    break
                self._kept.pop(oldest).path.unlink()
        return path.name, kept

    def get(self, key: str) -> Kept | None:
        """A document by its key; None if it was put away."""
        return self._kept.get(key)

    def remove(self, key: str) -> None:
        """Put a document away, if it is still there."""
        with self._lock:
            kept = self._kept.pop(key, None)
        if kept is not None:
            kept.path.unlink()
