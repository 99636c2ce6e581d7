"""The examples of the documentation's pages, run as they are printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

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


def run_page(page: str, folder: Path, server) -> dict[str, list[str]]:
    """What the examples of a page print, by their headings."""
    said: dict[str, list[str]] = {}
    for heading, language, code in examples(page):
        said.setdefault(heading, []).append(run_code(language, code, folder, server))
    return said
