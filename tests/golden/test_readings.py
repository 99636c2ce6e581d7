"""The server reads the samples as PaddleOCR 2.10.0 read them when record_readings.py asked it."""

import json
from pathlib import Path
from typing import Any

import pytest

from ppocr_bench.peers.children import read_line
from ppocr_bench.verbs.parity import compare
from ppocr_client import OcrClient
from ppocr_server.tritonserver.server import TritonServer

SAMPLES = Path(__file__).parents[2] / "samples"
VERSIONS, *READ = (
    json.loads(line)
    for line in Path(__file__).with_name("readings.jsonl").read_text("utf-8").splitlines()
)


@pytest.mark.server
@pytest.mark.parametrize("recorded", READ, ids=[row["picture"] for row in READ])
def test_samples_are_read_as_paddleocr_reads_them(
    server: TritonServer, recorded: dict[str, Any]
) -> None:
    theirs = [read_line(**line) for line in recorded["lines"]]
    with OcrClient(f"grpc://{server.grpc_url}") as client:
        result = client.read(SAMPLES / recorded["picture"], rec_padding="paddle")
    served = [read_line(line.text, line.score, line.box) for line in result.lines]
    assert [str(difference) for difference in compare(theirs, served).differences] == []


def test_the_recorded_readings_are_worth_their_place() -> None:
    assert VERSIONS["paddleocr"] == "2.10.0"
    assert sum(len(row["lines"]) for row in READ) == 75
    assert {path.name for path in SAMPLES.glob("*.[jp][pn]g")} == {row["picture"] for row in READ}
