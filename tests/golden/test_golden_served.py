"""The server reads the samples as PaddleOCR 2.10.0, and their words as itself, when recorded."""

import json
from pathlib import Path

import numpy as np
import pytest
from paths import SAMPLES

from ppocr_bench.peers.children import read_line
from ppocr_bench.verbs.parity import compare
from ppocr_client import OcrClient

HERE = Path(__file__).parent
VERSIONS, *READ = (
    json.loads(line) for line in (HERE / "readings.jsonl").read_text("utf-8").splitlines()
)


@pytest.mark.server
@pytest.mark.parametrize("recorded", READ, ids=[row["picture"] for row in READ])
def test_samples_are_read_as_paddleocr_reads_them(server, recorded):
    theirs = [read_line(**line) for line in recorded["lines"]]
    with OcrClient(f"grpc://{server.grpc_url}") as client:
        result = client.read(SAMPLES / recorded["picture"], rec_padding="paddle")
    served = [read_line(line.text, line.score, line.box) for line in result.lines]
    assert [str(difference) for difference in compare(theirs, served).differences] == []


def test_the_recorded_readings_are_worth_their_place():
    assert VERSIONS["paddleocr"] == "2.10.0"
    assert sum(len(row["lines"]) for row in READ) == 75
    assert {path.name for path in SAMPLES.glob("*.[jp][pn]g")} == {row["picture"] for row in READ}


RECORDED = [json.loads(row) for row in (HERE / "words.jsonl").read_text("utf-8").splitlines()]
PICTURES = list(dict.fromkeys(row["picture"] for row in RECORDED))


@pytest.mark.server
@pytest.mark.parametrize("name", PICTURES)
def test_words_stand_where_they_stood(server, name):
    recorded = [row["words"] for row in RECORDED if row["picture"] == name]
    with OcrClient(server.grpc_url) as client:
        lines = client.read(SAMPLES / name, return_words=True).lines
    read = [[word.text for word in line.words] for line in lines]
    assert read == [[text for text, _ in line] for line in recorded]
    found = np.array([word.box for line in lines for word in line.words])
    boxes = np.array([box for line in recorded for _, box in line])
    np.testing.assert_allclose(found, boxes, rtol=0, atol=0.6)
    assert ["".join(words) for words in read] == ["".join(line.text.split()) for line in lines]


def test_the_recorded_words_are_worth_their_place():
    assert len(PICTURES) == 4
    assert sum(len(row["words"]) for row in RECORDED) > 150
