"""Two photographs read by Paddle Serving 0.9.0 itself, and read here with its arithmetic."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppocr_client import OcrClient

# Not part of the project: a folder beside the checkout, where there is one.
PICTURES = Path(__file__).parents[3] / "shared" / "data" / "images"
# The texts, and the scores of the first ones.
THEIRS = {
    "campus_sign.jpg": (
        ["土地整治与土壤修复研究中心", "华南农业大学—东园"],
        [0.982, 0.882],
    ),
    "ch_en_num.jpg": (
        [
            "正品促销",
            "大桶装更划算",
            "强力去污符合国标",
            "-40°℃深度防冻不结冰",
            "10.0起",
            "直击",
            "10.0起",
            "底价",
            "5.8",
            "券后价￥",
            "起",
            "惊喜福利不容错过",
            "极速发货",
            "冰点标准",
            "破损就赔",
            "假一赔十",
        ],
        [],
    ),
}


@pytest.mark.server
@pytest.mark.skipif(not PICTURES.is_dir(), reason="the photographs are not beside the checkout")
@pytest.mark.parametrize("name", THEIRS)
def test_the_photographs_read_as_paddle_serving_read_them(server, name):
    with OcrClient(f"grpc://{server.grpc_url}") as client:
        result = client.read(
            PICTURES / name,
            reference="paddle_serving",
            rec_padding="paddle",
            reading_order="rows",
            drop_score=0,
        )
    texts, scores = THEIRS[name]
    assert [line.text for line in result.lines] == texts
    assert [line.score for line in result.lines[: len(scores)]] == pytest.approx(scores, abs=5e-4)
