"""Every example of the client's pages, run as it is printed, in its order."""

import json
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from client.examples import ENVIRONMENT, examples, run_code, run_page, served
from client.samples import TEXTS, heed_interrupts


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
    texts = {path.name for path in (folder / "texts").iterdir()}
    assert texts == {f"{path.name}.txt" for path in (folder / "samples").iterdir()}


def language_blocks(heading: str) -> list[tuple[str, str]]:
    return [block[1:] for block in examples("languages.md") if block[0] == heading]


def texts_in(said: str) -> list[str]:
    """The texts of an answer in JSON, as it is or as the line of Python prints it."""
    answer = json.loads(said)
    if "outputs" in answer:
        return next(out["data"] for out in answer["outputs"] if out["name"] == "TEXTS")
    return answer["TEXTS"]


@pytest.mark.server
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_reading_with_curl(server, folder):
    said = [run_code(*block, folder, server) for block in language_blocks("curl")]
    assert [texts_in(each) for each in said] == [TEXTS] * 2
    wrong = language_blocks("curl")[0][1].replace("drop-score: 0.9", "drop-scor: 0.9")
    wrong = wrong.partition("|")[0]
    assert "did you mean 'drop_score'" in run_code("sh", wrong, folder, server)


@pytest.mark.server
@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_reading_with_javascript(server, folder):
    blocks = language_blocks("JavaScript")
    as_module, as_command = (run_code(*block, folder, server) for block in blocks)
    assert all(text in as_module for text in TEXTS)
    assert [line.split("\t")[0] for line in as_command.splitlines()] == TEXTS
    with pytest.raises(AssertionError, match=r"HTTP 400.*did you mean 'drop_score'") as refused:
        run_code("sh", blocks[1][1].replace("score=", "scor="), folder, server)
    assert "in ensemble" not in str(refused.value)


@pytest.mark.server
@pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed")
def test_reading_with_go(server, folder):
    ((language, code),) = language_blocks("Go")
    lines = run_code(language, code, folder, server).splitlines()
    assert [line.split("\t")[0] for line in lines] == TEXTS


def first_line(code: str, folder: Path, server, *, stop: bool = True) -> str:
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
