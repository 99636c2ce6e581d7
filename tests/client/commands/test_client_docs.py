"""Every example of the client's pages, run as it is printed, in its order."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from client.samples import ROOT, TEXTS, heed_interrupts

BLOCK = re.compile(r"^```(python|sh|javascript)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = ("read.md", "library.md", "archives.md", "languages.md", "watch.md", "ui.md")
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def examples(page: str) -> list[tuple[str, str, str]]:
    """Heading, language and code of every example."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [
        (re.findall(r"^## (.*)$", text[: match.start()], re.MULTILINE)[-1], *match.groups())
        for match in BLOCK.finditer(text)
    ]


@pytest.fixture
def folder(tmp_path) -> Path:
    """What the examples expect to be in their folder."""
    for name in ("samples", "examples"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def served(code: str, server) -> str:
    """The code with the addresses of the tests' server, which shell commands may leave out."""
    code = code.replace("127.0.0.1:8001", server.grpc_url)
    code = code.replace("127.0.0.1:8000", server.http_url)
    if "--url" in code:
        return code
    commands = r"\bppocr-client (read|doctor|batch|watch)"
    return re.sub(commands, rf"ppocr-client \1 --url {server.grpc_url}", code)


def run_code(language: str, code: str, folder: Path, server) -> str:
    """What an example prints."""
    code = served(code, server)
    command = {"sh": ["sh", "-ec", code], "python": [sys.executable, "-c", code]}.get(language)
    if language == "javascript":
        (folder / "example.mjs").write_text(code, encoding="utf-8")
        command = ["node", "example.mjs"]
    assert command is not None
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=ENVIRONMENT)
    assert ran.returncode == 0, f"{code}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def run_page(page: str, folder: Path, server, ray: str = "") -> dict[str, list[str]]:
    """What the examples of a page print, by their headings.

    With the address of a Ray cluster, only the first example starts a Ray of its own.
    """
    said: dict[str, list[str]] = {}
    for heading, language, code in examples(page):
        if ray and said:
            code = code.replace("ppocr-client batch", f"ppocr-client batch --ray-address {ray}")
        said.setdefault(heading, []).append(run_code(language, code, folder, server))
    return said


@pytest.mark.parametrize("page", PAGES)
def test_the_chinese_page_has_the_same_examples(page):
    chinese = examples(page.replace(".md", "_CN.md"))
    assert [block[1:] for block in chinese] == [block[1:] for block in examples(page)]


@pytest.mark.server
def test_reading_from_python(server, folder):
    said = run_page("library.md", folder, server)
    assert said["Read a picture"][0].splitlines()[:2] == TEXTS
    assert "drop_score is 2; allowed: a number from 0 to 1" in said["Change how it is read"][0]
    assert "INVALID_ARGUMENT" in said["Wait, retry, give up"][0]


@pytest.mark.server
def test_reading_files_from_the_shell(server, folder):
    said = run_page("read.md", folder, server)
    rows = [line.split("\t") for line in said["Read a picture"][0].splitlines()]
    assert [text for text, _, _ in rows] == TEXTS
    for _, score, corners in rows:
        assert 0.9 < float(score) <= 1
        assert [len(corner.split(",")) for corner in corners.split()] == [2] * 4
    assert "ok    test picture: read 'TRITON" in said["Check a server"][0]
    pictures = [path for path in (ROOT / "samples").iterdir() if path.suffix in (".jpg", ".png")]
    texts = {path.name for path in (folder / "texts").iterdir()}
    assert texts == {f"{path.name}.txt" for path in pictures}


@pytest.mark.server
def test_reading_archives(server, folder, cluster):
    said = run_page("archives.md", folder, server, cluster)
    rows = said["Read a folder"][1].splitlines()
    assert sum(" ok None 1" in row for row in rows) == 7
    assert any(row == str(TEXTS) for row in rows)
    summary = json.loads(said["Go on after an interruption"][0])
    assert (summary["inputs"], summary["before"], summary["failed"]) == (6, 6, 0)
    written = [path.read_text(encoding="utf-8") for path in (folder / "again").glob("*.jsonl")]
    assert sum(text.count("\n") for text in written) == 7


def language_blocks(heading: str) -> list[tuple[str, str]]:
    return [block[1:] for block in examples("languages.md") if block[0] == heading]


def texts_in(said: str) -> list[str]:
    """The texts of an answer in JSON, as it is or as `ppocr-serve --decode` prints it."""
    answer = json.loads(said)
    if "outputs" in answer:
        return next(out["data"] for out in answer["outputs"] if out["name"] == "TEXTS")
    return answer["TEXTS"]


@pytest.mark.server
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_reading_with_curl(server, folder):
    headers, parameters = (run_code(*block, folder, server) for block in language_blocks("curl"))
    assert texts_in(headers) == texts_in(parameters) == TEXTS
    wrong = language_blocks("curl")[0][1].replace("drop-score: 0.9", "drop-scor: 0.9")
    wrong = wrong.replace("| ppocr-serve --decode", "")
    assert "did you mean 'drop_score'" in run_code("sh", wrong, folder, server)


@pytest.mark.server
@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_reading_with_javascript(server, folder):
    blocks = language_blocks("JavaScript")
    as_module, as_command = (run_code(*block, folder, server) for block in blocks)
    assert all(text in as_module for text in TEXTS)
    assert [line.split("\t")[0] for line in as_command.splitlines()] == TEXTS
    with pytest.raises(AssertionError, match=r"HTTP 400.*did you mean 'drop_score'"):
        run_code("sh", blocks[1][1].replace("score=", "scor="), folder, server)


@pytest.mark.server
@pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed")
def test_reading_with_go(server, folder):
    ((language, code),) = language_blocks("Go")
    lines = run_code(language, code, folder, server).splitlines()
    assert [line.split("\t")[0] for line in lines] == TEXTS


def first_line(
    code: str, folder: Path, server, check: Callable[[str], object] = str, *, stop: bool = True
) -> str:
    """The first line that an example prints; Ctrl-C ends it then if `stop`."""
    # The shell is replaced by the program, which then gets the signal itself.
    code = re.sub(r"^ppocr-client", "exec ppocr-client", served(code, server), flags=re.MULTILINE)
    with subprocess.Popen(
        ["sh", "-ec", code],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        preexec_fn=heed_interrupts,
    ) as running:
        assert running.stdout is not None
        line = running.stdout.readline()
        check(line)
        if stop:
            running.send_signal(signal.SIGINT)
        assert running.wait(60) == 0
    return line


@pytest.mark.server
def test_watching_a_folder(server, folder):
    endless, once = (code for _, _, code in examples("watch.md"))
    result = folder / "texts" / "sign_vertical.jpg.txt"
    said = first_line(endless, folder, server)
    assert said == "texts/sign_vertical.jpg.txt\n"
    assert result.read_text(encoding="utf-8").splitlines() == TEXTS
    result.unlink()
    assert first_line(once, folder, server, stop=False) == said


@pytest.mark.server
def test_serving_the_page(server, folder):
    ((_, _, code),) = examples("ui.md")
    assert "--port 8080" in code

    def opened(line: str) -> None:
        with urllib.request.urlopen(line.split()[0], timeout=20) as answer:
            assert b"<title>ppocr</title>" in answer.read()

    first_line(code.replace("--port 8080", "--port 0"), folder, server, opened)
