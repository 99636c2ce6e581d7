"""The examples of the documentation's pages, run as they are printed."""

from __future__ import annotations

import io
import os
import re
import runpy
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from client.samples import ROOT

BLOCK = re.compile(r"^```(python|sh|javascript)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
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
    """What an example prints; those in Python are run here, since a process takes long to start."""
    code = served(code, server)
    if language == "python":
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as printed:
            patch.chdir(folder)
            (folder / "example.py").write_text(code, encoding="utf-8")
            runpy.run_path("example.py", run_name="__main__")
        return printed.getvalue()
    command = ["sh", "-ec", code]
    if language == "javascript":
        (folder / "example.mjs").write_text(code, encoding="utf-8")
        command = ["node", "example.mjs"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=ENVIRONMENT)
    assert ran.returncode == 0, f"{code}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def run_page(page: str, folder: Path, server) -> dict[str, list[str]]:
    """What the examples of a page print, by their headings."""
    said: dict[str, list[str]] = {}
    for heading, language, code in examples(page):
        said.setdefault(heading, []).append(run_code(language, code, folder, server))
    return said
