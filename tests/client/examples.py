"""The examples of the documentation's pages, run as they are printed."""

import io
import itertools
import os
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from paths import ROOT

from ppocr_client.cli import main

BLOCK = re.compile(r"^```(python|sh|javascript)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"ppocr-client [^|<>&;\\$]*")
SUFFIXES = {"sh": "sh", "python": "py", "javascript": "mjs"}
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def examples(page: str) -> list[tuple[str, str, str]]:
    """Heading, language and code of every example."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [
        (re.findall(r"^## (.*)$", text[: match.start()], re.MULTILINE)[-1], *match.groups())
        for match in BLOCK.finditer(text)
    ]


def served(code: str, server) -> str:
    """The code with the addresses of the tests' server, which shell commands may leave out."""
    code = code.replace("127.0.0.1:8001", server.grpc_url)
    code = code.replace("127.0.0.1:8000", server.http_url)
    if "--url" in code:
        return code
    commands = r"\bppocr-client (read|doctor|batch|watch)"
    return re.sub(commands, rf"ppocr-client \1 --url {server.grpc_url}", code)


def run_code(language: str, code: str, folder: Path, server) -> str:
    """What an example prints.

    Plain commands run in this process, since a new one takes long to start. Those in Python have
    one of their own, as with their user: event loops and threads of gRPC end with it.
    """
    code = served(code, server)
    file = folder / f"example.{SUFFIXES[language]}"
    file.write_text(code, encoding="utf-8")
    if language == "javascript":
        return _run(["node", file.name], folder)
    if language == "python":
        return _run([sys.executable, file.name], folder)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as printed:
        patch.chdir(folder)
        for plain, lines in itertools.groupby(code.splitlines(), COMMAND.fullmatch):
            if plain:
                assert [main(shlex.split(line)[1:]) for line in lines] == [0]
            else:
                printed.write(_run(["sh", "-ec", "\n".join(lines)], folder))
    return printed.getvalue()


def _run(command: list[str], folder: Path) -> str:
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=ENVIRONMENT)
    assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def run_page(page: str, folder: Path, server) -> dict[str, list[str]]:
    """What the examples of a page print, by their headings."""
    said: dict[str, list[str]] = {}
    for heading, language, code in examples(page):
        said.setdefault(heading, []).append(run_code(language, code, folder, server))
    return said
