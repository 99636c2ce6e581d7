"""Two photographs read by Paddle Serving 0.9.0 itself, and read here with its arithmetic."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppocr_client import OcrClient

# Not part of the project: a folder beside the checkout, where there is one.
PICTURES = Path(__file__).parents[3] / "shared" / "data" / "images"
THEIRS = {
    "campus_sign.jpg": [
        ("土地整治与土壤修复研究中心", 0.982),
        ("华南农业大学—东园", 0.882),
    ],
    "ch_en_num.jpg": [
        ("正品促销", None),
        ("大桶装更划算", None),
        ("强力去污符合国标", None),
        ("-40°℃深度防冻不结冰", None),
        ("10.0起", None),
        ("直击", None),
        ("10.0起", None),
        ("底价", None),
        ("5.8", None),
        ("券后价￥", None),
        ("起", None),
        ("惊喜福利不容错过", None),
        ("极速发货", None),
        ("冰点标准", None),
        ("破损就赔", None),
        ("假一赔十", None),
    ],
}


@pytest.mark.server
@pytest.mark.skipif(not PICTURES.is_dir(), reason="the photographs are not beside the checkout")
@pytest.mark.parametrize("name", THEIRS)
def test_the_photographs_read_as_paddle_serving_read_them(server, name):
    with OcrClient(f"grpc://{server.grpc_url}") as client:
        result = client.read(
            PICTURES / name, reference="paddle_serving", rec_padding="paddle", drop_score=0
        )
    assert [line.text for line in result.lines] == [text for text, _ in THEIRS[name]]
    for line, (_, score) in zip(result.lines, THEIRS[name], strict=True):
        assert score is None or line.score == pytest.approx(score, abs=5e-4)
