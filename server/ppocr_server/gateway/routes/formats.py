"""The formats of an answer, and which of them a request wants."""

from __future__ import annotations

from typing import NamedTuple

from ppocr_client.documents.inputs import Document
from ppocr_client.documents.reading import DocumentResult, PageResult
from ppocr_client.exports.writers import FORMATS as WRITERS
from ppocr_server.gateway.failures import Failure


class Format(NamedTuple):
    """A format: its media type, and whether it takes several files and failed pages."""

    media_type: str
    help: str
    several: bool = False
    aliases: tuple[str, ...] = ()


FORMATS = {
    "json": Format("application/json", "pages with lines, scores and boxes", several=True),
    "ndjson": Format(
        "application/x-ndjson",
        "an object a page, sent as soon as the page is read",
        several=True,
        aliases=("application/jsonl", "application/ndjson"),
    ),
    "text": Format("text/plain", "the text alone, a form feed between pages"),
    "markdown": Format("text/markdown", "paragraphs and simple tables"),
    "tsv": Format("text/tab-separated-values", "a table, a row for each line of text"),
    "hocr": Format("text/vnd.hocr+html", "hOCR", aliases=("text/html",)),
    "alto": Format("application/xml", "ALTO 4 XML", aliases=("text/xml", "application/alto+xml")),
    "pdf": Format("application/pdf", "searchable PDF: the pages, their text over them"),
}
BY_MEDIA_TYPE = {
    media: name for name, form in FORMATS.items() for media in (form.media_type, *form.aliases)
}
ANY = {"*/*": "json", "application/*": "json", "text/*": "text"}


def wanted_format(named: str | None, accept: str) -> str:
    """The name of the format that a request wants.

    Args:
        named: of `?format=`, which wins.
        accept: the header; an empty one, or one of a browser, means JSON.

    Raises:
        Failure: 400 for an unknown name, 406 if the header allows none of the formats.
    """
    if named is not None:
        if named in FORMATS:
            return named
        raise Failure(
            400, "invalid_option", f"format is {named[:40]!r}; allowed: {', '.join(FORMATS)}"
        )
    accepted = sorted(filter(None, map(_accepted, accept.split(","))), reverse=True)
    if not accepted or accept.startswith("text/html,"):
        return "json"
    for _, _, media in accepted:
        if found := BY_MEDIA_TYPE.get(media) or ANY.get(media):
            return found
    types = ", ".join(form.media_type for form in FORMATS.values())
    raise Failure(406, "not_acceptable", f"Accept is {accept[:80]!r}; possible: {types}")


def _accepted(part: str) -> tuple[float, int, str] | None:
    """A part of an Accept header, the most wanted greatest; of equals, an exact one."""
    media, *parameters = (word.strip().lower() for word in part.split(";"))
    weight = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            try:
                weight = float(value)
            except ValueError:
                weight = 0.0
    return (weight, "*" not in media, media) if media and weight > 0 else None


def write(name: str, source: str, count: int, pages: list[PageResult], dpi: float) -> bytes:
    """A document in one of the client's formats.

    Raises:
        ImageError: a picture cannot be put into a PDF.
        MissingExtra: a package is missing that writes it.
    """
    document = DocumentResult(Document(source, source), count, pages)
    content = WRITERS[name].write(document, dpi)
    return content.encode() if isinstance(content, str) else content
