"""The server answers the words that it answered when record_words.py asked it."""

import json
from pathlib import Path

import numpy as np
import pytest

from ppocr_client import OcrClient
from ppocr_server.tritonserver.server import TritonServer

HERE = Path(__file__).parent
SAMPLES = HERE.parents[1] / "samples"
RECORDED = [json.loads(row) for row in (HERE / "words.jsonl").read_text("utf-8").splitlines()]
PICTURES = list(dict.fromkeys(row["picture"] for row in RECORDED))


@pytest.mark.server
@pytest.mark.parametrize("name", PICTURES)
def test_words_stand_where_they_stood(server: TritonServer, name: str) -> None:
    recorded = [row["words"] for row in RECORDED if row["picture"] == name]
    with OcrClient(server.grpc_url) as client:
        lines = client.read(SAMPLES / name, return_words=True).lines
    read = [[word.text for word in line.words] for line in lines]
    assert read == [[text for text, _ in line] for line in recorded]
    found = np.array([word.box for line in lines for word in line.words])
    boxes = np.array([box for line in recorded for _, box in line])
    np.testing.assert_allclose(found, boxes, rtol=0, atol=0.6)
    assert ["".join(words) for words in read] == ["".join(line.text.split()) for line in lines]


def test_the_recorded_words_are_worth_their_place() -> None:
    assert len(PICTURES) == 4
    assert sum(len(row["words"]) for row in RECORDED) > 150
