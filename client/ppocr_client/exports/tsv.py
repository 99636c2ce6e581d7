"""A table of lines or words, for spreadsheets and data frames."""

from __future__ import annotations

from collections.abc import Sequence

from ppocr_client.lines import Word
from ppocr_client.results import OcrResult

CORNERS = [f"{axis}{corner}" for corner in range(1, 5) for axis in "xy"]
OF_LINES = ["page", "line", "text", "score", "box_score", *CORNERS]
OF_WORDS = ["page", "line", "word", "text", "score", *CORNERS]


def to_tsv(pages: Sequence[OcrResult]) -> str:
    """One row a line under a header, or one row a word where any line has words.

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
                rows += [[*place, str(at), *_cells(part, [repr(part.score)])] for at, part in parts]
            else:
                rows.append([*place, *_cells(line, [repr(line.score), repr(line.box_score)])])
    return "".join("\t".join(row) + "\n" for row in rows)


def _cells(part: Word, scores: list[str]) -> list[str]:
    text = " ".join(part.text.replace("\t", " ").splitlines())
    return [text, *scores, *(f"{value:g}" for value in part.box.ravel().tolist())]
