"""Paragraphs and tables as a Markdown reader sees them."""

import numpy as np
import pytest
from client.samples import rectangle

from ppocr_client import Line, OcrResult
from ppocr_client.exports.markdown import to_markdown
from ppocr_converters.pictures.render_layouts import render_layout
from ppocr_pipeline.order.slope import upright_points


def page(*lines: tuple[str, int, int, int, int]) -> OcrResult:
    return OcrResult(tuple(Line(text, 0.9, np.array(rectangle(*box)), 0.9) for text, *box in lines))


def test_close_lines_are_a_paragraph_and_distant_ones_are_not():
    result = page(
        ("first line", 10, 10, 300, 40),
        ("second line", 10, 50, 280, 80),
        ("    a new paragraph", 70, 90, 290, 120),
        ("far below", 10, 160, 200, 190),
        ("TITLE", 10, 200, 300, 260),
        ("indented", 80, 270, 300, 300),
        ("next to it", 400, 271, 600, 301),
    )
    assert to_markdown([result]) == (
        "first line\nsecond line\n\na new paragraph\n\nfar below\n\nTITLE\n\nindented next to it\n"
    )


@pytest.mark.parametrize("skew", [0, 4])
def test_a_table_and_a_receipt_are_tables(skew):
    for name, columns, rows in (("table", 4, 18), ("receipt", 2, 17)):
        truth = render_layout(name, 2, skew=skew).lines
        result = OcrResult(tuple(Line(one.text, 1.0, one.box, 1.0) for one in truth))
        written = to_markdown([result]).splitlines()
        table = [line for line in written if line.startswith("|")]
        assert len(table) == rows + 1
        assert table[1] == "|" + " --- |" * columns
        assert all(line.count("|") == columns + 1 for line in table)


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_a_turned_page_is_written_as_the_upright_one(angle):
    truth = render_layout("receipt", 2).lines
    upright = OcrResult(tuple(Line(one.text, 1.0, one.box, 1.0) for one in truth))
    turned = OcrResult(
        tuple(Line(one.text, 1.0, upright_points(one.box, 360 - angle), 1.0) for one in truth),
        angle=angle,
    )
    assert to_markdown([turned]) == to_markdown([upright])


def test_columns_of_text_are_paragraphs():
    truth = render_layout("two_columns", 2).lines
    result = OcrResult(tuple(Line(one.text, 1.0, one.box, 1.0) for one in truth))
    assert "|" not in to_markdown([result])


def test_text_is_not_taken_for_markdown():
    awkward = ["# 1", "1. a*b*", "- [x](y)", "<b>|", "---", "2) c_d_"]
    lines = [(text, 10, 10 + 90 * i, 300, 40 + 90 * i) for i, text in enumerate(awkward)]
    assert to_markdown([page(*lines)]).split("\n\n") == [
        "\\# 1",
        "1\\. a\\*b\\*",
        "\\- \\[x\\](y)",
        "\\<b\\>\\|",
        "\\---",
        "2\\) c\\_d\\_\n",
    ]


def test_pages_are_parted_by_a_rule_and_may_be_empty():
    assert to_markdown([page(("a", 1, 1, 9, 9)), page(), page(("b", 1, 1, 9, 9))]) == (
        "a\n\n---\n\n\n---\n\nb\n"
    )
