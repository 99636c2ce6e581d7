"""The answers of POST /read and its bodies, for the description of the interface.

Answers are written from the client's results without these models; the tests hold them together.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ppocr_client.options import OPTIONS
from ppocr_server.gateway.parameters import FORMATS, OWN, schema_of

Point = Annotated[list[float], Field(min_length=2, max_length=2)]


class Word(BaseModel):
    """One word of a line; of Chinese and Japanese one character."""

    model_config = ConfigDict(extra="allow")

    text: str
    score: float = Field(ge=0, le=1, description="the recogniser's confidence")
    box: Annotated[list[Point], Field(min_length=4, max_length=4)] = Field(
        description="x and y in pixels, clockwise from where the text begins"
    )


class Line(Word):
    """One line of text."""

    box_score: float = Field(ge=0, le=1, description="the detector's confidence")
    words: list[Word] | None = Field(None, description="where `return_words` asks for them")


class ErrorReason(BaseModel):
    """Why something was not answered."""

    code: str = Field(description="for programs")
    message: str = Field(description="what was wrong, what is allowed, what to do")


class Error(BaseModel):
    """A request that was not answered."""

    error: ErrorReason


class Page(BaseModel):
    """A page in reading order, or why it was not read."""

    model_config = ConfigDict(extra="allow")

    page: int = Field(ge=1)
    version: int | None = Field(None, alias="schema", description="of the form of a page")
    width: int | None = Field(None, description="pixels, EXIF orientation applied")
    height: int | None = None
    angle: int | None = Field(None, description="degrees clockwise by which the page is turned")
    warnings: list[str] | None = Field(None, description="why text may be missing")
    lines: list[Line] | None = None
    error: ErrorReason | None = None


class ReadDocument(BaseModel):
    """One file."""

    name: str | None = None
    page_count: int = Field(0, description="of the file, also where fewer are read")
    pages: list[Page] = []
    error: ErrorReason | None = Field(None, description="why the file was not read")


class ReadFiles(BaseModel):
    """Several files, in the order in which they were sent."""

    files: list[ReadDocument]


BOX = [[40.0, 30.0], [310.0, 30.0], [310.0, 70.0], [40.0, 70.0]]
LINE = {"text": "TRITON 2026", "score": 0.998, "box": BOX, "box_score": 0.91}
EXAMPLE: dict[str, Any] = {
    "page_count": 1,
    "pages": [{"page": 1, "schema": 1, "width": 800, "height": 600, "lines": [LINE]}],
}
PARAMETERS = [
    {"name": name, "in": "query", "description": text, "schema": schema}
    for name, (text, schema) in {
        **OWN,
        **{name: (option.help, schema_of(option.rule)) for name, option in OPTIONS.items()},
    }.items()
]
FILE = {"type": "string", "format": "binary"}
BASE64 = {"type": "string", "contentEncoding": "base64"}
BODIES: dict[str, Any] = {
    "application/octet-stream": {"schema": FILE},
    "image/*": {"schema": FILE},
    "application/pdf": {"schema": FILE},
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "properties": {"file": {"type": "array", "items": FILE}},
            "required": ["file"],
        }
    },
    "application/json": {
        "schema": {
            "type": "object",
            "properties": {"file": BASE64, "files": {"type": "array", "items": BASE64}},
            "oneOf": [{"required": ["file"]}, {"required": ["files"]}],
        }
    },
}


def errors(reasons: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    """Answers with an error, by their status."""
    return {status: {"model": Error, "description": text} for status, text in reasons.items()}


ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": ReadDocument | ReadFiles,
        "description": "What the pages say.",
        "content": {
            media_type: {"example": EXAMPLE} if name == "json" else {"schema": FILE}
            for name, media_type in FORMATS.items()
        },
    },
    **errors(
        {
            400: "The file, the body or a parameter is not allowed.",
            401: "The token is missing or wrong.",
            406: "Accept allows none of the formats.",
            413: "The body is too long, or has too many pages.",
            501: "A package is missing on the server.",
            502: "Triton failed, or refused the gateway.",
            503: "Triton is full or away; see Retry-After.",
            504: "There was no answer in time.",
        }
    ),
}
