"""Output formats of a document, and files that are written completely or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ppocr_client.documents.inputs import Document
from ppocr_client.documents.reading import DocumentResult, PageResult
from ppocr_client.exports.markdown import to_markdown
from ppocr_client.exports.xml import to_alto, to_hocr
from ppocr_client.lines import Line, Word
from ppocr_client.results import OcrResult

CORNERS = [f"{axis}{corner}" for corner in range(1, 5) for axis in "xy"]
OF_LINES = ["page", "line", "text", "score", "box_score", *CORNERS]
OF_WORDS = ["page", "line", "word", "text", "score", *CORNERS]


class Format(NamedTuple):
    """An output format; `write` takes a document and its dpi.

    `many` says whether several documents can follow each other in one output.
    """

    suffix: str
    write: Callable[[DocumentResult, float], str | bytes]
    help: str
    many: bool = False


def to_tsv(pages: Sequence[OcrResult]) -> str:
    """A table for spreadsheets: one row a line under a header, or a word where any line has words.

    Pages, lines and words count from 1, corners go clockwise. Tabs and line breaks within a text
    become spaces.
    """
    words = any(result.words for result in pages)
    rows = [OF_WORDS if words else OF_LINES]
    for page, result in enumerate(pages, 1):
        for number, line in enumerate(result.lines, 1):
            place = [str(page), str(number)]
            if words:
                parts = enumerate(line.parts, 1)
                rows += [[*place, str(at), *_cells(part, [part.score])] for at, part in parts]
            else:
                rows.append([*place, *_cells(line, [line.score, line.box_score])])
    return "".join("\t".join(row) + "\n" for row in rows)


def _cells(part: Word, scores: Sequence[float]) -> list[str]:
    text = " ".join(part.text.replace("\t", " ").splitlines())
    return [text, *map(repr, scores), *(f"{value:g}" for value in part.box.ravel().tolist())]


def _lines(document: DocumentResult, dpi: float) -> str:
    """Text, score and corners of each line in a row; a form feed between pages."""
    pages = ["".join(f"{_row(line)}\n" for line in result.lines) for result in document.results]
    return "\f".join(pages)


def _row(line: Line) -> str:
    corners = " ".join(f"{x:g},{y:g}" for x, y in line.box.tolist())
    return f"{line.text}\t{line.score:.3f}\t{corners}"


def _text(document: DocumentResult, dpi: float) -> str:
    """The text alone, a form feed between pages."""
    return "\f".join(f"{result.text}\n" if result.lines else "" for result in document.results)


def _json(document: DocumentResult, dpi: float) -> str:
    """One indented object."""
    pages = [_page(document, page) for page in document.pages]
    content = pages[0] if document.count == 1 else {"pages": pages}
    record = {"image": document.document.source, **content}
    return json.dumps(record, ensure_ascii=False, indent=2) + "\n"


def _jsonl(document: DocumentResult, dpi: float) -> str:
    """An object for each page on its own line."""
    source = {"image": document.document.source}
    records = [{**source, **_page(document, page)} for page in document.pages]
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def _page(document: DocumentResult, page: PageResult) -> dict[str, Any]:
    number = {} if document.count == 1 else {"page": page.number}
    return {**number, **({"error": page.error} if page.error else page.result.to_dict())}


def _hocr(document: DocumentResult, dpi: float) -> str:
    return to_hocr(document.results, names=[document.document.source] * len(document.pages))


def _pdf(document: DocumentResult, dpi: float) -> bytes:
    """The pages of a PDF file, or the pictures as new pages."""
    from ppocr_client.exports.pdf import to_pdf, to_pdf_over

    original = document.pages[0].pdf
    if original is not None:
        return to_pdf_over(original, {page.number: page.result for page in document.pages}, dpi=dpi)
    return to_pdf([(page.picture, page.result) for page in document.pages if page.picture], dpi=dpi)


FORMATS = {
    "lines": Format(".txt", _lines, "text, score and corners, tab-separated", many=True),
    "text": Format(".txt", _text, "the text alone", many=True),
    "json": Format(".json", _json, "one indented object"),
    "jsonl": Format(".jsonl", _jsonl, "one object a page, on one line", many=True),
    "markdown": Format(
        ".md", lambda document, dpi: to_markdown(document.results), "paragraphs and simple tables"
    ),
    "tsv": Format(".tsv", lambda document, dpi: to_tsv(document.results), "a table with a header"),
    "hocr": Format(".hocr", _hocr, "hOCR"),
    "alto": Format(
        ".xml",
        lambda document, dpi: to_alto(document.results, names=[document.document.source]),
        "ALTO 4 XML",
    ),
    "pdf": Format(".pdf", _pdf, "searchable PDF"),
}


def output_path(base: Path, document: Document, suffix: str, *, several: bool) -> Path:
    """The output file of a document: `base` itself for a single one, if it has a suffix.

    Otherwise it is in the folder `base` and is named as the document with `suffix` appended.
    """
    if base.suffix and not base.is_dir() and not several:
        return base
    return base / f"{document.name}{suffix}"


def write_atomically(path: Path, data: str | bytes) -> None:
    """Write a file so that it appears with all of its content, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(data.encode() if isinstance(data, str) else data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def is_current(path: Path, document: Document) -> bool:
    """Whether a document's output exists and is not older than the document."""
    try:
        written = path.stat().st_mtime_ns
    except FileNotFoundError:
        return False
    try:
        return Path(document.source).stat().st_mtime_ns <= written
    except OSError:  # standard input, or a file that is gone
        return True
