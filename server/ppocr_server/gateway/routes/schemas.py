"""The answers as models, for the description of the interface.

Answers are written from the client's results without them; the tests hold the two together.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

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


EXAMPLE: dict[str, Any] = {
    "page_count": 1,
    "pages": [
        {
            "page": 1,
            "schema": 1,
            "width": 800,
            "height": 600,
            "lines": [
                {
                    "text": "TRITON 2026",
                    "score": 0.998,
                    "box": [[40.0, 30.0], [310.0, 30.0], [310.0, 70.0], [40.0, 70.0]],
                    "box_score": 0.91,
                }
            ],
        }
    ],
}
