"""The parameters of POST /read: the pipeline's options, and a few of the request itself."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from ppocr_client.documents.pages import Ranges, parse_pages
from ppocr_client.options import OPTIONS, ReadOptions
from ppocr_pipeline.options import Choice, Number, Switch, parse_options
from ppocr_server.gateway.failures import Failure
from ppocr_server.gateway.routes.formats import FORMATS, wanted_format

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
        {"type": "number", "exclusiveMinimum": 0, "maximum": 86400},
    ),
}


@dataclass(frozen=True)
class ReadParameters:
    """How the files of a request are read and answered.

    Attributes:
        options: of the pipeline.
        format: of the answer, of `formats.FORMATS`.
        ranges: the wanted pages; None for all.
        dpi: for the pages of PDF files; None for the gateway's.
        name: of a file that comes without one.
    """

    options: ReadOptions
    format: str
    ranges: Ranges | None = None
    dpi: float | None = None
    name: str = ""


def read_parameters(given: Iterable[tuple[str, Any]], accept: str) -> ReadParameters:
    """Check the parameters of a request.

    Args:
        given: name and value, as text or as JSON has it.
        accept: the header.

    Raises:
        Failure: an unknown name (the nearest is named), one that is given twice, or a value that
            is not allowed.
    """
    values: dict[str, Any] = {}
    for name, value in given:
        if name not in OWN and name not in OPTIONS:
            raise _invalid(f"unknown parameter {name[:60]!r}{_hint(name)}")
        if name in values:
            raise _invalid(f"{name} is given twice; send one")
        values[name] = value
    options = {name: value for name, value in values.items() if name in OPTIONS}
    pages, file = (str(values.get(name, "")) for name in ("pages", "name"))
    if len(file) > LONGEST_NAME:
        raise _invalid(f"name has {len(file)} characters; allowed: {LONGEST_NAME}")
    try:
        parsed = parse_options(options)
        ranges = parse_pages(pages) if "pages" in values else None
    except ValueError as error:
        raise _invalid(str(error)) from None
    return ReadParameters(
        cast("ReadOptions", {name: parsed[name] for name in options}),
        wanted_format(_text(values.get("format")), accept),
        ranges,
        _dpi(values.get("dpi")),
        file,
    )


def schema_of(rule: Number | Choice | Switch) -> dict[str, Any]:
    """An option's values in JSON Schema."""
    if isinstance(rule, Number):
        kind = "integer" if rule.integer else "number"
        return {"type": kind, "minimum": rule.low, "maximum": rule.high}
    return {"type": "boolean"} if isinstance(rule, Switch) else {"enum": list(rule.words)}


def openapi_parameters() -> list[dict[str, Any]]:
    """All parameters, as OpenAPI describes those of a query."""
    every = {**OWN, **{name: (o.help, schema_of(o.rule)) for name, o in OPTIONS.items()}}
    return [
        {"name": name, "in": "query", "description": text, "schema": schema}
        for name, (text, schema) in every.items()
    ]


def _dpi(value: Any) -> float | None:
    if value is None:
        return None
    try:
        return DPI.parse(value)
    except (TypeError, ValueError, OverflowError):
        raise _invalid(f"dpi is {value!r:.60}; allowed: {DPI.allowed}") from None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _invalid(reason: str) -> Failure:
    return Failure(400, "invalid_option", reason)


def _hint(name: str) -> str:
    every: Mapping[str, object] = {**OWN, **OPTIONS}
    near = difflib.get_close_matches(name.lower(), every, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; allowed: {', '.join(every)}"
