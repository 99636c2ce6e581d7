"""The README's commands, run as they are printed."""

import ast
import base64
import json
import os
import re
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest
from paths import ROOT, SAMPLES

READMES = [(ROOT / name).read_text("utf-8") for name in ("README.md", "README_CN.md")]
#: What the stock RPC client of Paddle Serving does.
OVER_RPC = (ROOT / "tests" / "serving_config" / "over_rpc.sh").read_text("utf-8")
pytestmark = pytest.mark.server


def blocks(readme: str, language: str) -> list[str]:
    """The fenced blocks of one language, lines that are continued made one."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
    return [re.sub(r" \\\n +", " ", block).strip() for block in found]


def read_lines(output: str) -> dict[str, list[str]]:
    """The texts that `ppocr-client read` printed, by picture."""
    read: dict[str, list[str]] = {}
    for line in output.splitlines():
        if line.startswith("== samples/"):
            texts = read.setdefault(Path(line.split()[1]).name, [])
        elif "\t" in line:
            texts.append(line.split("\t")[0].replace(" ", ""))
    return read


def without_scores(output: str) -> set[tuple[str, ...]]:
    """The lines of an output: text and box of those that were read."""
    return {tuple(line.split("\t")[::2]) for line in output.splitlines()}


def test_make_demo_reads_the_samples_and_draws_one(repository, samples):
    picture = ROOT / "build" / "demo.png"
    picture.unlink(missing_ok=True)
    done = subprocess.run(["make", "demo"], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    through_grpc, through_http = done.stdout.split("== through HTTP")
    read = read_lines(through_grpc)
    assert read == {
        name: [text.replace(" ", "") for text in texts] for name, texts in samples.items()
    }
    assert samples["poster_zh.jpg"][0] in through_http
    printed = without_scores(done.stdout)
    for readme in READMES:
        assert without_scores(blocks(readme, "text")[0]) <= printed | {("…",)}
    assert picture.read_bytes().startswith(b"\x89PNG")


def for_paddle_serving(old, texts):
    """Both old ports read the poster, by what the published clients send."""
    picture = base64.b64encode((SAMPLES / "poster_zh.jpg").read_bytes()).decode()
    body = json.dumps({"key": ["image"], "value": [picture]}).encode()
    with urllib.request.urlopen(old["http"], body, timeout=60) as response:
        answers = [json.load(response)["value"][0]]
    done = subprocess.run(
        ["sh", "-ec", OVER_RPC],
        cwd=ROOT,
        env={**os.environ, "PPOCR_OLD_RPC_URL": old["rpc"]},
        capture_output=True,
        text=True,
        check=True,
    )
    answers.append(done.stdout.removeprefix("RPC "))
    for answer in answers:
        assert [text for (text, _), _ in ast.literal_eval(answer.strip())] == texts


def test_make_serve_prints_a_curl_line_that_works_until_interrupted(repository, samples):
    # The default set is built by test_families; here the one that is built already is served.
    ports = "SERVE_FLAGS=--http-port 0 --grpc-port 0 --metrics-port 0 --gateway-port 0"
    ports += " --paddle-serving 0,0"
    serving = subprocess.Popen(
        ["make", "serve", "SET=v4", ports],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert serving.stdout is not None
        old: dict[str, str] = {}
        for line in serving.stdout:
            if "curl" in line:
                break
            old |= dict(re.findall(r"^old (\w+) +(\S+)", line))
        command = line[line.index("curl") :].strip()
        name = Path(re.findall(r"@(\S+)", command)[0]).name
        answer = subprocess.run(
            command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
        )
        for text in samples[name]:
            assert text in answer.stdout
        for_paddle_serving(old, samples["poster_zh.jpg"])
    finally:
        os.killpg(serving.pid, signal.SIGINT)
        serving.wait(timeout=60)
    port = int(re.findall(r":(\d+)/read", command)[0])
    printed = command.replace(f":{port}/", ":8080/").replace(name, "poster_zh.jpg")
    for readme in READMES:
        assert printed in blocks(readme, "sh")
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        pass
