"""Every example of the client's pages, run as it is printed, in its order."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(python|sh|javascript)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = ("read.md", "library.md", "archives.md", "languages.md")
SIGN = ["清风茶馆欢迎您", "OPEN TODAY"]


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


def run_code(language: str, code: str, folder: Path, server) -> str:
    """What an example prints; the addresses in it are those of the server, said or not."""
    code = code.replace("127.0.0.1:8001", server.grpc_url)
    code = code.replace("127.0.0.1:8000", server.http_url)
    command = [sys.executable, "-c", code]
    if language == "sh":
        if "--url" not in code:
            verbs = r"\bppocr-client (read|doctor|batch)"
            code = re.sub(verbs, rf"ppocr-client \1 --url {server.grpc_url}", code)
        command = ["sh", "-ec", code]
    if language == "javascript":
        (folder / "example.mjs").write_text(code, encoding="utf-8")
        command = ["node", "example.mjs"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={**os.environ, "PATH": path}
    )
    assert ran.returncode == 0, f"{code}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def run_page(page: str, folder: Path, server) -> dict[str, list[str]]:
    """What the examples of a page print, by their headings."""
    said: dict[str, list[str]] = {}
    for heading, language, code in examples(page):
        said.setdefault(heading, []).append(run_code(language, code, folder, server))
    return said


@pytest.mark.parametrize("page", PAGES)
def test_the_chinese_page_has_the_same_examples(page):
    chinese = examples(page.replace(".md", "_CN.md"))
    assert [block[1:] for block in chinese] == [block[1:] for block in examples(page)]


@pytest.mark.server
def test_reading_from_python(server, folder):
    said = run_page("library.md", folder, server)
    assert said["Read a picture"][0].splitlines()[:2] == SIGN
    assert "drop_score is 2; allowed: a number from 0 to 1" in said["Change how it is read"][0]
    assert "INVALID_ARGUMENT" in said["Wait, retry, give up"][0]


@pytest.mark.server
def test_reading_files_from_the_shell(server, folder):
    said = run_page("read.md", folder, server)
    assert [line.split("\t")[0] for line in said["Read a picture"][0].splitlines()] == SIGN
    assert "ok    test picture: read 'TRITON" in said["Examine a server"][0]
    texts = {path.name for path in (folder / "texts").iterdir()}
    assert texts == {
        f"{path.name}.txt"
        for path in (ROOT / "samples").iterdir()
        if path.suffix in (".jpg", ".png")
    }


@pytest.mark.server
def test_reading_archives(server, folder):
    pytest.importorskip("ray.data")
    said = run_page("archives.md", folder, server)
    rows = said["Read a folder"][1].splitlines()
    assert sum(" ok None 1" in row for row in rows) == 7
    assert any(row == str(SIGN) for row in rows)
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
    assert texts_in(headers) == texts_in(parameters) == SIGN
    wrong = language_blocks("curl")[0][1].replace("drop_score: 0.9", "drop_scor: 0.9")
    wrong = wrong.replace("| ppocr-serve --decode", "")
    assert "did you mean 'drop_score'" in run_code("sh", wrong, folder, server)


@pytest.mark.server
@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_reading_with_javascript(server, folder):
    as_module, as_command = (
        run_code(*block, folder, server) for block in language_blocks("JavaScript")
    )
    assert all(text in as_module for text in SIGN)
    assert [line.split("\t")[0] for line in as_command.splitlines()] == SIGN
    with pytest.raises(AssertionError, match=r"HTTP 400.*did you mean 'drop_score'"):
        run_code(
            "sh", language_blocks("JavaScript")[1][1].replace("score=", "scor="), folder, server
        )


@pytest.mark.server
@pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed")
def test_reading_with_go(server, folder):
    ((language, code),) = language_blocks("Go")
    lines = run_code(language, code, folder, server).splitlines()
    assert [line.split("\t")[0] for line in lines] == SIGN
