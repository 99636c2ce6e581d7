"""Every example of docs/client.md, run as it is printed, in its order."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(page: str) -> list[tuple[str, str, str]]:
    """Heading, language and code of every example."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [
        (re.findall(r"^## (.*)$", text[: match.start()], re.MULTILINE)[-1], *match.groups())
        for match in BLOCK.finditer(text)
    ]


def test_the_chinese_page_has_the_same_examples():
    chinese = [block[1:] for block in examples("client_CN.md")]
    assert chinese == [block[1:] for block in examples("client.md")]


@pytest.mark.server
def test_the_examples_run(server, tmp_path):
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    blocks = examples("client.md")
    assert {language for _, language, _ in blocks} == {"python", "sh"}
    said: dict[str, str] = {}
    for heading, language, code in blocks:
        code = code.replace("127.0.0.1:8001", server.grpc_url)
        code = code.replace("127.0.0.1:8000", server.http_url)
        command = [sys.executable, "-c", code]
        if language == "sh":
            # The examples leave out the address, which is the default.
            program = Path(sys.executable).with_name("ppocr-client")
            code = re.sub(
                r"\bppocr-client (read|doctor)", rf"{program} \1 --url {server.grpc_url}", code
            )
            command = ["sh", "-ec", code]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, f"{heading}:\n{code}\n{ran.stderr}"
        said[heading] = said.get(heading, "") + ran.stdout
    assert said["Read a picture"].startswith("清风茶馆欢迎您\nOPEN TODAY\n")
    assert "drop_score is 2; allowed: a number from 0 to 1" in said["Change how it is read"]
    assert "INVALID_ARGUMENT" in said["Wait, retry, give up"]
    assert "ok    test picture: read 'TRITON" in said["Ask the server about itself"]
    texts = {path.name for path in (tmp_path / "texts").iterdir()}
    assert texts == {
        f"{path.name}.txt"
        for path in (ROOT / "samples").iterdir()
        if path.suffix in (".jpg", ".png")
    }
