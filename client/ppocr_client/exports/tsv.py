"""A table of lines, for spreadsheets and data frames."""

from __future__ import annotations

from collections.abc import Sequence

from ppocr_client.results import Line, OcrResult

CORNERS = [f"{axis}{corner}" for corner in range(1, 5) for axis in "xy"]
HEADER = ["page", "line", "text", "score", "box_score", *CORNERS]


def to_tsv(pages: Sequence[OcrResult]) -> str:
    """One row a line under a header; pages and lines count from 1, corners go clockwise.

    Tabs and line breaks within a text become spaces.
    """
    rows = [HEADER] + [
        _row(page, number, line)
        for page, result in enumerate(pages, 1)
        for number, line in enumerate(result.lines, 1)
    ]
    return "".join("\t".join(row) + "\n" for row in rows)


def _row(page: int, number: int, line: Line) -> list[str]:
    text = " ".join(line.text.replace("\t", " ").splitlines())
    corners = [f"{value:g}" for value in line.box.ravel().tolist()]
    return [str(page), str(number), text, repr(line.score), repr(line.box_score), *corners]
