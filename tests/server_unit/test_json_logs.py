"""Triton's log as JSON."""

import json
import os
import subprocess

import pytest
from serving import FREE, SERVE

from ppocr_server.tritonserver.log import as_json, json_log


def test_a_line_is_taken_apart():
    line = 'W1122 17:28:56.978769 22766 step.py:47] "[request id: a-7] IMAGE is empty"'
    assert json.loads(as_json(line)) == {
        "level": "warning",
        "time": "11-22T17:28:56.978769Z",
        "thread": "22766",
        "source": "step.py:47",
        "request_id": "a-7",
        "message": "IMAGE is empty",
    }


def test_a_request_without_an_id_has_none():
    row = json.loads(as_json('I1122 17:28:56.9 1 a.cc:2] "[request id: <id_unknown>] 文字"'))
    assert "request_id" not in row
    assert row["message"] == "文字"


@pytest.mark.parametrize("line", ["ppocr-serve: Triton 2.51.0", '{"a": 1}', "", 'I1 "]'])
def test_any_other_line_is_a_message(line):
    assert json.loads(as_json(line)) == {"message": line}


def test_every_line_arrives_before_the_log_is_closed(tmp_path):
    with (tmp_path / "log").open("wb") as file, json_log(file.fileno()) as log:
        for number in range(1000):
            os.write(log, b"line %d\n" % number)
        os.write(log, b"without an end")
    lines = (tmp_path / "log").read_text().splitlines()
    assert [json.loads(line)["message"] for line in lines[:1000]] == [
        f"line {number}" for number in range(1000)
    ]
    assert json.loads(lines[1000])["message"] == "without an end"


@pytest.mark.server
def test_a_server_logs_nothing_but_json(small_repository):
    command = [*SERVE, "--log-json", "--json", *FREE, "--model-repository", str(small_repository)]
    command += ["--", "true"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    lines = done.stderr.splitlines()
    rows = [json.loads(line) for line in lines if not line.startswith("starting tritonserver")]
    assert any("successfully loaded 'small'" in row["message"] for row in rows)
    assert {"info"} <= {row.get("level") for row in rows}
