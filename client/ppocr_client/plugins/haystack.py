"""A converter of Haystack: a document for each file, with a form feed between its pages.

    from ppocr_client.plugins.haystack import PpocrToDocument

    documents = PpocrToDocument(url="grpc://127.0.0.1:8001").run(["contract.pdf"])["documents"]

Needs haystack-ai (`pip install "ppocr-triton[haystack]"`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ppocr_client.errors import MissingExtra, OcrError, needs
from ppocr_client.plugins.reading import Reader

with needs("Haystack's documents", "haystack-ai", "haystack"):
    from haystack import Document, component, default_to_dict, logging
    from haystack.components.converters.utils import get_bytestream_from_source, normalize_metadata
    from haystack.dataclasses import ByteStream
    from haystack.utils import Secret

TOKEN = Secret.from_env_var("PPOCR_TOKEN", strict=False)

log = logging.getLogger(__name__)


@component
class PpocrToDocument:
    """Converts pictures, and PDF and TIFF files of many pages.

    A file that cannot be read is logged and left out, as Haystack's own converters do.
    """

    def __init__(self, token: Secret | None = TOKEN, **settings: Any) -> None:
        """Take the server's token and the settings of `ppocr_client.plugins.reading.Reader`."""
        self._token, self._settings = token, settings
        self._reader = Reader(token=token.resolve_value() if token else None, **settings)

    def to_dict(self) -> dict[str, Any]:
        """The component as a pipeline's file holds it; of the token only the variable's name."""
        values: dict[str, Any] = default_to_dict(self, token=self._token, **self._settings)
        return values

    @component.output_types(documents=list[Document])
    def run(
        self,
        sources: list[str | Path | ByteStream],
        meta: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> dict[str, list[Document]]:
        """Convert paths, or `ByteStream`s that hold whole files.

        `documents` have their source's `meta`, the given `meta` (one for all, or one for each), and
        `page_count`.
        """
        documents = []
        for source, given in zip(sources, normalize_metadata(meta, len(sources)), strict=True):
            try:
                stream = get_bytestream_from_source(source)
                pages = [text for _, text in self._reader.pages(stream.data)]
            except (OSError, OcrError, MissingExtra) as error:
                log.warning("Could not read {source}: {error}", source=source, error=error)
                continue
            about = {**stream.meta, **given, "page_count": len(pages)}
            documents.append(Document(content="\f".join(pages), meta=about))
        return {"documents": documents}
