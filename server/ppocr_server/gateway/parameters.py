"""What a request to POST /read may say beside its files, and the formats of the answer."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from ppocr_client.documents.pages import Ranges, parse_pages
from ppocr_client.options import OPTIONS, ReadOptions
from ppocr_pipeline.options import Choice, Number, Switch, parse_options
from ppocr_server.gateway.failures import Failure
from ppocr_server.gateway.reader import LONGEST_TIMEOUT

#: Media types by format.
FORMATS = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "text": "text/plain",
    "markdown": "text/markdown",
    "tsv": "text/tab-separated-values",
    "hocr": "text/vnd.hocr+html",
    "alto": "application/xml",
    "pdf": "application/pdf",
}
SEVERAL = ("json", "ndjson")  # they take several files, and pages that failed
ACCEPTED = {
    **{media_type: name for name, media_type in FORMATS.items()},
    **dict.fromkeys(("application/jsonl", "application/ndjson"), "ndjson"),
    "text/html": "hocr",
    **dict.fromkeys(("text/xml", "application/alto+xml"), "alto"),
    **dict.fromkeys(("*/*", "application/*"), "json"),
    "text/*": "text",
}

PART = r"([1-9]\d*(-([1-9]\d*)?)?|-[1-9]\d*)"
PAGES = f"^{PART}(,{PART})*$"
LONGEST_NAME = 255
DPI = Number(200, 20, 1200)
#: What a request may say beside the pipeline's options: help, and JSON Schema.
OWN: dict[str, tuple[str, dict[str, Any]]] = {
    "format": ("form of the answer; wins over Accept", {"enum": list(FORMATS)}),
    "pages": ("pages to read, as in 1-3,7,9-", {"type": "string", "pattern": PAGES}),
    "dpi": (
        "pixels per inch for the pages of a PDF file",
        {"type": "number", "minimum": DPI.low, "maximum": DPI.high},
    ),
    "name": ("the file's name, for the answer", {"type": "string", "maxLength": LONGEST_NAME}),
    "timeout": (
        "seconds for the whole request, else 504",
        {"type": "number", "exclusiveMinimum": 0, "maximum": int(LONGEST_TIMEOUT)},
    ),
}


@dataclass(frozen=True)
class ReadParameters:
    """How the files of a request are read and answered."""

    options: ReadOptions
    format: str  # of `FORMATS`
    ranges: Ranges | None  # the wanted pages; None for all
    dpi: float  # of the pages of PDF files
    name: str  # of a file that comes without one


def read_parameters(given: Iterable[tuple[str, Any]], accept: str) -> ReadParameters:
    """Check the parameters of a request, values being text or as JSON has them.

    Raises:
        Failure: an unknown name (the nearest is named), one that is given twice, a value that is
            not allowed, or none of the formats is in the header `accept`.
    """
    values: dict[str, Any] = {}
    for name, value in given:
        if name not in OWN and name not in OPTIONS:
            raise _invalid(f"unknown parameter {name[:60]!r}{_hint(name)}")
        if name in values:
            raise _invalid(f"{name} is given twice; send one")
        values[name] = value
    options = {name: value for name, value in values.items() if name in OPTIONS}
    file, dpi = str(values.get("name", "")), values.get("dpi")
    if len(file) > LONGEST_NAME:
        raise _invalid(f"name has {len(file)} characters; allowed: {LONGEST_NAME}")
    try:
        parsed = parse_options(options)
        ranges = parse_pages(str(values["pages"])) if "pages" in values else None
    except ValueError as error:
        raise _invalid(str(error)) from None
    try:
        pixels = DPI.default if dpi is None else DPI.parse(dpi)
    except (TypeError, ValueError, OverflowError):
        raise _invalid(f"dpi is {dpi!r:.60}; allowed: {DPI.allowed}") from None
    read_options = cast("ReadOptions", {name: parsed[name] for name in options})
    form = wanted_format(values.get("format"), accept)
    return ReadParameters(read_options, form, ranges, pixels, file)


def wanted_format(named: Any, accept: str) -> str:
    """The format that a request wants: that of `?format=`, else of the header Accept.

    An empty header, or one of a browser, means JSON. A Failure is 400 for an unknown name, 406 if
    the header allows none.
    """
    if named is not None:
        if str(named) in FORMATS:
            return str(named)
        raise _invalid(f"format is {str(named)[:40]!r}; allowed: {', '.join(FORMATS)}")
    accepted = sorted(filter(None, map(_accepted, accept.split(","))), reverse=True)
    if not accepted or accept.startswith("text/html,"):
        return "json"
    for _, _, media in accepted:
        if found := ACCEPTED.get(media):
            return found
    possible = ", ".join(FORMATS.values())
    raise Failure(406, "not_acceptable", f"Accept is {accept[:80]!r}; possible: {possible}")


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


def schema_of(rule: Number | Choice | Switch) -> dict[str, Any]:
    """An option's values in JSON Schema."""
    if isinstance(rule, Number):
        kind = "integer" if rule.integer else "number"
        return {"type": kind, "minimum": rule.low, "maximum": rule.high}
    return {"type": "boolean"} if isinstance(rule, Switch) else {"enum": list(rule.words)}


def _invalid(reason: str) -> Failure:
    return Failure(400, "invalid_option", reason)


def _hint(name: str) -> str:
    known = [*OWN, *OPTIONS]
    near = difflib.get_close_matches(name.lower(), known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; allowed: {', '.join(known)}"
