"""What is written of a document, and where: formats, names, and files that are whole or absent."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ppocr_client.documents.documents import Document
from ppocr_client.exports.alto import to_alto
from ppocr_client.exports.hocr import to_hocr
from ppocr_client.exports.tsv import to_tsv
from ppocr_client.results import Line, OcrResult


class ReadPage(NamedTuple):
    """A page that was read; `picture` is kept where an output needs it.

    A page of a PDF file has the whole file as `pdf`.
    """

    number: int
    result: OcrResult
    picture: bytes | None
    pdf: bytes | None = None


@dataclass(frozen=True)
class ReadDocument:
    """A document of which all pages were read, or the reason why not.

    `count` is how many pages the document has, of which `pages` may be a choice. `away` says that
    it was not read because the server was away or busy: no fault of the document.
    """

    document: Document
    count: int
    pages: Sequence[ReadPage]
    error: str | None = None
    away: bool = False

    @property
    def results(self) -> list[OcrResult]:
        """What was read, page by page."""
        return [page.result for page in self.pages]


class Format(NamedTuple):
    """One way to write a document; `many` says that several can follow each other."""

    suffix: str
    write: Callable[[ReadDocument, float], str | bytes]
    help: str
    many: bool = False


def write_lines(read: ReadDocument, dpi: float) -> str:
    """A row a line: text, score and corners."""
    return _paged(["".join(f"{_row(line)}\n" for line in result.lines) for result in read.results])


def write_text(read: ReadDocument, dpi: float) -> str:
    """The text alone, a form feed between pages."""
    return _paged([f"{result.text}\n" if result.lines else "" for result in read.results])


def write_json(read: ReadDocument, dpi: float) -> str:
    """One object, indented."""
    return json.dumps(_record(read), ensure_ascii=False, indent=2) + "\n"


def write_jsonl(read: ReadDocument, dpi: float) -> str:
    """An object a page, each on its own line."""
    records: list[dict[str, Any]] = [
        {"image": read.document.source, **_page_number(read, page), **page.result.to_dict()}
        for page in read.pages
    ]
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def write_hocr(read: ReadDocument, dpi: float) -> str:
    """A page of hOCR for each page."""
    return to_hocr(read.results, names=[read.document.source] * len(read.pages))


def write_alto(read: ReadDocument, dpi: float) -> str:
    """ALTO 4."""
    return to_alto(read.results, names=[read.document.source])


def write_pdf(read: ReadDocument, dpi: float) -> bytes:
    """Searchable PDF: of a PDF file its own pages, of pictures new ones."""
    from ppocr_client.exports.pdf import to_pdf
    from ppocr_client.exports.pdf_over import to_pdf_over

    original = read.pages[0].pdf
    if original is not None:
        return to_pdf_over(original, {page.number: page.result for page in read.pages}, dpi=dpi)
    return to_pdf([(page.picture or b"", page.result) for page in read.pages], dpi=dpi)


FORMATS = {
    "lines": Format(".txt", write_lines, "text, score and corners, tab-separated", many=True),
    "text": Format(".txt", write_text, "the text alone", many=True),
    "json": Format(".json", write_json, "one indented object"),
    "jsonl": Format(".jsonl", write_jsonl, "one object a page, on one line", many=True),
    "tsv": Format(".tsv", lambda read, dpi: to_tsv(read.results), "a table with a head"),
    "hocr": Format(".hocr", write_hocr, "hOCR"),
    "alto": Format(".xml", write_alto, "ALTO 4 XML"),
    "pdf": Format(".pdf", write_pdf, "searchable PDF"),
}


def target(base: Path, document: Document, suffix: str, *, several: bool) -> Path:
    """The file that is written for a document: `base` itself for a single one, if it has a suffix.

    Else it is in the folder `base`, called as the document with the new suffix after its own.
    """
    if base.suffix and not base.is_dir() and not several:
        return base
    return base / f"{document.name}{suffix}"


def write_whole(path: Path, data: str | bytes) -> None:
    """Write a file so that it is there with all of its content, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(data.encode() if isinstance(data, str) else data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def is_done(path: Path, document: Document) -> bool:
    """Whether a document's output is there and not older than the document."""
    try:
        written = path.stat().st_mtime_ns
    except FileNotFoundError:
        return False
    try:
        return Path(document.source).stat().st_mtime_ns <= written
    except OSError:  # standard input, an address, or a file that is gone
        return True


def _paged(texts: list[str]) -> str:
    return "\f".join(texts)


def _row(line: Line) -> str:
    corners = " ".join(f"{x:g},{y:g}" for x, y in line.box.tolist())
    return f"{line.text}\t{line.score:.3f}\t{corners}"


def _record(read: ReadDocument) -> dict[str, Any]:
    if read.count == 1:
        return {"image": read.document.source, **read.pages[0].result.to_dict()}
    pages = [{"page": page.number, **page.result.to_dict()} for page in read.pages]
    return {"image": read.document.source, "pages": pages}


def _page_number(read: ReadDocument, page: ReadPage) -> dict[str, int]:
    return {} if read.count == 1 else {"page": page.number}
