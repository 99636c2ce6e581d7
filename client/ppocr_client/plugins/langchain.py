"""A blob parser and a document loader of LangChain: a document for each page.

    from ppocr_client.plugins.langchain import PpocrLoader

    documents = PpocrLoader("contract.pdf", url="grpc://127.0.0.1:8001").load()

Needs langchain-core (`pip install "ppocr-triton[langchain]"`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from ppocr_client.errors import needs
from ppocr_client.plugins.reading import Reader

with needs("LangChain's documents", "langchain-core", "langchain"):
    from langchain_core.document_loaders import BaseBlobParser, BaseLoader
    from langchain_core.documents import Document
    from langchain_core.documents.base import Blob

Path = str | os.PathLike[str]


class PpocrParser(BaseBlobParser):
    """Parses blobs of pictures and PDF files; for loaders that find the blobs themselves."""

    def __init__(self, **settings: Any) -> None:
        """Take the settings of `ppocr_client.plugins.reading.Reader`."""
        self._reader = Reader(**settings)

    def lazy_parse(self, blob: Blob) -> Iterator[Document]:
        """A document for each page, or an OcrError (see `ppocr_client.errors`).

        It has the blob's own metadata, `source`, `page` counted from 0 and `total_pages`.
        """
        of_blob = {"source": blob.source, **blob.metadata}
        for page, (count, text) in enumerate(self._reader.pages(blob.as_bytes())):
            yield Document(text, metadata={**of_blob, "page": page, "total_pages": count})


class PpocrLoader(BaseLoader):
    """Loads files: pictures, and PDF and TIFF files of many pages."""

    def __init__(self, paths: Path | Iterable[Path], **settings: Any) -> None:
        """Take one path or several, and the settings of `ppocr_client.plugins.reading.Reader`."""
        self._paths = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
        self._parser = PpocrParser(**settings)

    def lazy_load(self) -> Iterator[Document]:
        """Read the files in their order; see `PpocrParser.lazy_parse`."""
        for path in self._paths:
            yield from self._parser.lazy_parse(Blob.from_path(os.fspath(path)))
