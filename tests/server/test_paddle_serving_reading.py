"""Two photographs read by Paddle Serving 0.9.0 itself, and read here with its arithmetic."""

from pathlib import Path
from typing import Any

import pytest
from cases import cases

from ppocr_converters.pictures.render_layouts import render_layout

pytestmark = pytest.mark.server
# Not part of the project: a folder beside the checkout, where there is one.
PICTURES = Path(__file__).parents[3] / "shared" / "data" / "images"
# The texts, and the scores of the first ones.
THEIRS = cases(__file__)["photographs"]


@pytest.mark.skipif(not PICTURES.is_dir(), reason="the photographs are not beside the checkout")
@pytest.mark.parametrize("name", THEIRS)
def test_the_photographs_read_as_paddle_serving_read_them(client, name):
    result = client.read(
        PICTURES / name,
        reference="paddle_serving",
        rec_padding="paddle",
        reading_order="rows",
        orientation="off",
        drop_score=0,
    )
    texts, scores = THEIRS[name]
    assert [line.text for line in result.lines] == texts
    assert [line.score for line in result.lines[: len(scores)]] == pytest.approx(scores, abs=5e-4)


#: Each kind of service, and the first lines of one small picture by its arithmetic, computed apart
#: from this code.
RAISED = {"det_limit_type": "min", "det_limit_side_len": 736, "drop_score": 0.5}
FIXED = RAISED | {"det_limit_type": "long", "det_limit_side_len": 960}
SERVICES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("paddle_serving", {"drop_score": 0}, ["Millions of units except where noted", "How are you?"]),
    ("paddleocr_pdserving", RAISED, ["Millionsofunitsexceptwhere noted", "Howareyou?"]),
    ("paddleocr_pdserving", FIXED, ["Millionsofunitsexceptwherenoted", "Howareyou？"]),
]


@pytest.mark.parametrize(("reference", "options", "texts"), SERVICES)
def test_small_text_reads_as_each_kind_of_service_read_it(client, reference, options, texts):
    picture = Path(__file__).with_name("spaced_words.png")
    result = client.read(picture, reference=reference, rec_padding="paddle", **options)
    assert [line.text for line in result.lines[:2]] == texts
    assert len(result.lines) == (4 if options is FIXED else 5)


@pytest.mark.parametrize("exact", [False, True])
def test_columns_that_lean_are_read_unless_the_faults_are_wanted_too(client, exact):
    page = render_layout("poem", 3, skew=8)
    result = client.read(
        page.image,
        colour="BGR",
        reference="paddle_serving",
        reference_exact=exact,
        det_limit_type="max",
        rec_padding="paddle",
        orientation="off",
    )
    read = {line.text.replace(",", "") for line in result.lines}
    assert (read == {line.text.replace("，", "") for line in page.lines}) is not exact
