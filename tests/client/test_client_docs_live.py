"""The examples of the client's pages that go on until Ctrl-C, run as they are printed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from test_client_docs import ROOT, examples

PAGES = ("watch.md", "ui.md")


def run_until(
    code: str, folder: Path, server, enough: Callable[[str], object], *, stop: bool = True
) -> str:
    """The first line that an example prints; it gets Ctrl-C then if `stop`, and ends well."""
    code = code.replace("127.0.0.1:8001", server.grpc_url)
    if "--url" not in code:
        code = code.replace("ppocr-client watch", f"ppocr-client watch --url {server.grpc_url}")
    # The shell gives way to the program, which then gets the signal itself.
    code = re.sub(r"^ppocr-client", "exec ppocr-client", code, flags=re.MULTILINE)
    with subprocess.Popen(
        ["sh", "-ec", code],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as running:
        assert running.stdout is not None
        line = running.stdout.readline()
        enough(line)
        if stop:
            running.send_signal(signal.SIGINT)
        assert running.wait(60) == 0
    return line


@pytest.mark.parametrize("page", PAGES)
def test_the_chinese_page_has_the_same_live_examples(page):
    chinese = examples(page.replace(".md", "_CN.md"))
    assert [block[1:] for block in chinese] == [block[1:] for block in examples(page)]


@pytest.mark.server
def test_watching_a_folder(server, tmp_path):
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    endless, once = (code for _, _, code in examples("watch.md"))
    result = tmp_path / "texts" / "sign_vertical.jpg.txt"
    said = run_until(endless, tmp_path, server, lambda line: None)
    assert said == "texts/sign_vertical.jpg.txt\n"
    assert result.read_text(encoding="utf-8").splitlines() == ["清风茶馆欢迎您", "OPEN TODAY"]
    result.unlink()
    assert run_until(once, tmp_path, server, lambda line: None, stop=False) == said


@pytest.mark.server
def test_serving_the_page(server, tmp_path):
    ((_, _, code),) = examples("ui.md")
    assert "--port 8080" in code

    def opened(line: str) -> None:
        with urllib.request.urlopen(line.split()[0], timeout=20) as answer:
            assert b"<title>ppocr</title>" in answer.read()

    run_until(code.replace("--port 8080", "--port 0"), tmp_path, server, opened)
