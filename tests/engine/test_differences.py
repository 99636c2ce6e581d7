"""The tables of differences stand in the documentation as they stand in the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ppocr_engine.differences import RELEASES, STAND_INS

DOCS = Path(__file__).parents[2] / "docs"
TABLES = {"STAND_INS": STAND_INS, "RELEASES": RELEASES}


def tables(page: str) -> list[list[tuple[str, ...]]]:
    """The rows of the two last tables of a page, without their heads."""
    text = (DOCS / page).read_text("utf-8")
    blocks = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)[-2:]
    return [
        [tuple(cell.strip() for cell in row.strip("|").split(" | ")) for row in block.splitlines()]
        for block in blocks
    ]


def test_the_english_page_has_the_tables_of_the_code() -> None:
    assert [rows[2:] for rows in tables("backends.md")] == [[*STAND_INS], [*RELEASES]]


@pytest.mark.parametrize("index", [0, 1])
def test_the_chinese_page_has_the_same_rows(index: int) -> None:
    ours, theirs = tables("backends_CN.md")[index], tables("backends.md")[index]
    assert [row[-1] for row in ours[2:]] == [row[-1] for row in theirs[2:]]
