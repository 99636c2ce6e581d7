"""What the plugins of frameworks share: a server's settings, and a file read page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from ppocr_client.client import OcrClient
from ppocr_client.documents.pages import pages_in
from ppocr_client.options import ReadOptions
from ppocr_client.results import OcrResult
from ppocr_client.transport.base import DEFAULT_URL

Text = Literal["text", "markdown"]
WRITERS: dict[Text, Callable[[OcrResult], str]] = {
    "text": lambda result: result.text,
    "markdown": OcrResult.to_markdown,
}


@dataclass(frozen=True)
class Reader:
    """A server and how files are read with it.

    Attributes:
        url: As of `OcrClient`.
        model: The pipeline's name on the server.
        token: Sent as `Authorization: Bearer …`.
        timeout: Seconds for each page, retries included.
        concurrency: Pages in flight.
        dpi: Pixels per inch for the pages of PDF files.
        text: "text", a line of text a line, or "markdown", with paragraphs and simple tables.
        options: Of each request; see `ppocr_client.options.ReadOptions`.
    """

    url: str = DEFAULT_URL
    model: str = "ocr"
    token: str | None = None
    timeout: float = 60.0
    concurrency: int = 4
    dpi: float = 200
    text: Text = "text"
    options: ReadOptions = field(default_factory=lambda: ReadOptions())

    def __post_init__(self) -> None:
        if self.text not in WRITERS:
            raise ValueError(f"text is {self.text!r}; allowed: {', '.join(WRITERS)}")

    def pages(self, data: bytes) -> Iterator[tuple[int, str]]:
        """The number of pages in a whole PDF file or picture, and the text of each in turn.

        Raises:
            OcrError: If a page cannot be read; see `ppocr_client.errors`.
            MissingExtra: If a package is missing that opens such a file.
        """
        count, load = pages_in(data, self.dpi)
        pictures, write = map(load, range(count)), WRITERS[self.text]
        settings: dict[str, Any] = {"token": self.token, "timeout": self.timeout}
        with OcrClient(self.url, model=self.model, **settings) as client:
            for reading in client.read_many(pictures, concurrency=self.concurrency, **self.options):
                yield count, write(reading.get())
