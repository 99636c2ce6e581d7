"""The command line: help, usage errors, and no server."""

import argparse
import subprocess

import pytest
from client.samples import PROGRAM, SIGN

from ppocr_client.cli import build_parser, main


def test_where_the_web_page_has_gone(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["serve-ui", "--url", "grpc://h:1", "--port", "8090", "--dpi", "100", "--font", "f"])
    new = "run `ppocr-serve gateway --url grpc://h:1 --host 127.0.0.1 --port 8090`"
    assert new in capsys.readouterr().err


def test_help_lists_the_options_and_each_default_once(monkeypatch):
    monkeypatch.setenv("PPOCR_TOKEN", "s3cret")
    ran = subprocess.run([PROGRAM, "read", "--help"], capture_output=True, text=True, check=True)
    assert "--det-db-unclip-ratio N" in ran.stdout
    assert "{crop,paddle}" in ran.stdout
    (commands,) = (
        action
        for action in build_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    for name, command in commands.choices.items():
        said = " ".join(command.format_help().split())
        assert "--timeout S seconds for each page, retries included (default: 60)" in said, name
        assert "None" not in said
        assert "s3cret" not in said
        assert ") (default" not in said


READ = [
    ([], "INPUT"),
    (["a.png", "--url", "ftp://host"], "scheme 'ftp'"),
    (["a.png", "--drop-score", "2"], "drop_score is 2.0; allowed: a number from 0 to 1"),
    (["a.png", "--formt", "text"], "'--formt', perhaps '--format'; see `ppocr-client read -"),
    (["a.png", "--use-dilation", "yes"], "neither true nor false"),
    (["a.png", "--timeout", "0"], "'0' is not a number above 0"),
    (["a.png", "b.png", "--draw", "out.png"], "name a folder"),
    (["a.png", "--timeout", "inf"], "not a number above 0"),
    (["a.png", "--concurrency", "0"], "not a whole number from 1"),
    (["x/a.png", "y/a.png", "--draw", "out"], "same name to one file: x/a.png and y/a.png"),
    (["x/a.png", "y/a.png", "--out", "out"], "same name"),
    (["a.png", "b.png", "--format", "pdf"], "--format pdf of 2 inputs needs --out FOLDER"),
    (["a.png", "--resume"], "give --out FOLDER"),
    (["a.png", "--pages", "3-1"], "allowed: numbers from 1 and ranges, as in 1-3,7,9-"),
    (["nothing-*.png"], "no file matches 'nothing-*.png'"),
    (["a.png", "--ca", "ca.pem"], "not encrypted"),
    (["a.png", "--url", "https://h", "--key", "k.pem"], "go together"),
    (["a.png", "--url", "grpcs://h", "--ca", "missing.pem"], "No such file"),
]
WATCH = [
    (["missing", "--out", "out"], "missing is not a folder"),
    (["in", "--out", "file"], "--out file is a file"),
    (["in", "--out", "in", "--format", "pdf"], "where its .pdf files would be read as well"),
    (["in", "--out", "out", "--draw", "in/deep", "--recursive"], "its .png files"),
    (["in", "--out", "out", "--drop-score", "2"], "drop_score is 2.0; allowed"),
    (["in", "--out", "out", "--settle", "0"], "not a number above 0"),
    (["in"], "--out"),
]
BATCH = [
    (["--out", "o"], "nothing to read; name an INPUT, or a --manifest"),
    (["nothing-*.jpg", "--out", "o"], "no file matches 'nothing-*.jpg'"),
    (["a.jpg", "--out", "sftp://h/o"], "seen before they are complete; allowed: a local folder"),
    (["gs://bucket/x", "--out", "o"], "pip install gcsfs"),
    (["what://bucket/x", "--out", "o"], "Protocol not known: what"),
    (["--manifest", "missing.txt", "--out", "o"], "cannot read the list missing.txt"),
    (["a.jpg", "--out", "o", "--storage", "anon"], "write KEY=VALUE"),
    (["a.jpg", "--out", "o", "--url", "grpc://h", "--url", "ftp://h"], "scheme 'ftp'"),
]
REFUSED = {"read": READ, "watch": WATCH, "batch": BATCH}


@pytest.mark.parametrize(
    ("words", "reason"),
    [([command, *words], reason) for command, rows in REFUSED.items() for words, reason in rows],
)
def test_a_wrong_command_line_is_a_usage_error(words, reason, tmp_path, monkeypatch, capsys):
    if words[0] == "batch":
        pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    assert reason in capsys.readouterr().err


def test_without_a_server_there_is_one_clear_line(capsys):
    assert main(["read", str(SIGN), "--url", "http://127.0.0.1:1"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert f"{SIGN}: cannot connect to http://127.0.0.1:1: connection refused" in err
    assert "is the server running there? Start one with `ppocr-serve`" in err
    assert err.count("\n") == 1
    assert main(["read", str(SIGN), "--url", "http://127.0.0.1:1", "--wait", "0.2"]) == 1
    assert "not ready within 0.2 s" in capsys.readouterr().err
