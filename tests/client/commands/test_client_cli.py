"""The command line: help, usage errors, and no server."""

import argparse
import subprocess

import pytest
from cases import cases
from client.samples import PROGRAM
from paths import SIGN

from ppocr_client.cli import build_parser, main


def test_where_the_web_page_has_gone(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["serve-ui", "--url", "grpc://h:1", "--port", "8090", "--dpi", "100", "--font", "f"])
    assert "run `ppocr-serve gateway --url grpc://HOST:PORT --port" in capsys.readouterr().err


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


REFUSED, VERBS = cases(__file__), ("read", "watch", "batch")


@pytest.mark.parametrize(
    ("words", "reason"),
    [([verb, *words], reason) for verb in VERBS for words, reason in REFUSED[verb]],
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
