from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ppocr_client.cli import main

SAMPLES = Path(__file__).parents[2] / "samples"
SIGN = str(SAMPLES / "sign_vertical.jpg")


def test_help_is_instant_and_lists_the_options():
    start = time.monotonic()
    ran = subprocess.run(
        [Path(sys.executable).with_name("ppocr-client"), "read", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert time.monotonic() - start < 5
    assert "--det-db-unclip-ratio N" in ran.stdout
    assert "{crop,paddle}" in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "INPUT"),
        (["a.png", "--url", "ftp://host"], "scheme 'ftp'"),
        (["a.png", "--drop-score", "2"], "drop_score is 2.0; allowed: a number from 0 to 1"),
        (["a.png", "--use-dilation", "yes"], "neither true nor false"),
        (["a.png", "--timeout", "0"], "'0' is not a number above 0"),
        (["a.png", "b.png", "--draw", "out.png"], "name a folder"),
        (["a.png", "--timeout", "inf"], "not a number above 0"),
        (["a.png", "--concurrency", "0"], "not a whole number from 1"),
        (["x/a.png", "y/a.png", "--draw", "out"], "same name to one file: x/a.png and y/a.png"),
        (["x/a.png", "y/a.png", "--out", "out"], "same name"),
        (["a.png", "b.png", "--format", "pdf"], "--format pdf of 2 inputs needs --out FOLDER"),
        (["a.png", "--resume"], "give --out FOLDER"),
        (["a.png", "--pages", "3-1"], "write e.g. 1-3,7,9-"),
        (["nothing-*.png"], "no file matches 'nothing-*.png'"),
        (["a.png", "--ca", "ca.pem"], "not encrypted"),
        (["a.png", "--url", "https://h", "--key", "k.pem"], "go together"),
        (["a.png", "--url", "grpcs://h", "--ca", "missing.pem"], "No such file"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(arguments, reason, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["read", *arguments])
    assert stopped.value.code == 2
    assert reason in capsys.readouterr().err


def test_without_a_server_there_is_one_clear_line(capsys):
    assert main(["read", SIGN, "--url", "http://127.0.0.1:1"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert f"{SIGN}: cannot connect to http://127.0.0.1:1: connection refused" in err
    assert "is the server running there? Start one with `ppocr-serve`" in err
    assert err.count("\n") == 1
    assert main(["read", SIGN, "--url", "http://127.0.0.1:1", "--wait", "0.2"]) == 1
    assert "not ready within 0.2 s" in capsys.readouterr().err


@pytest.mark.server
def test_lines_are_printed_with_score_and_corners(server, capsys):
    assert main(["read", SIGN, "--url", server.grpc_url]) == 0
    rows = [row.split("\t") for row in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == ["清风茶馆欢迎您", "OPEN TODAY"]
    for _, score, corners in rows:
        assert 0.9 < float(score) <= 1
        assert [len(corner.split(",")) for corner in corners.split()] == [2] * 4


@pytest.mark.server
def test_pictures_that_fail_are_listed_and_the_others_read(server, capsys, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(Path(SIGN).read_bytes()[:2000])
    missing = str(tmp_path / "missing.jpg")
    files = [str(broken), SIGN, missing]
    assert main(["read", *files, "--json", "--url", f"http://{server.http_url}"]) == 1
    out, err = capsys.readouterr()
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer["image"] for answer in answers] == files
    assert "damaged or truncated" in answers[0]["error"]
    assert [line["text"] for line in answers[1]["lines"]] == ["清风茶馆欢迎您", "OPEN TODAY"]
    assert "No such file" in answers[2]["error"]
    assert str(broken) in err
    assert "2 of 3 failed" in err


@pytest.mark.server
def test_drawings_are_written(server, capsys, tmp_path):
    from PIL import Image

    out = tmp_path / "deep" / "sign.png"
    url = ["--url", server.grpc_url]
    assert main(["read", SIGN, *url, "--draw", str(out)]) == 0
    assert Image.open(out).size == (1240, 900)
    several = [SIGN, str(SAMPLES / "landscape.jpg")]
    assert main(["read", *several, *url, "--draw", str(tmp_path / "folder")]) == 0
    names = sorted(path.name for path in (tmp_path / "folder").iterdir())
    assert names == ["landscape.jpg.png", "sign_vertical.jpg.png"]
    assert f"== {several[1]}" in capsys.readouterr().out
