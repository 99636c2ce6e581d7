"""The gateway that `ppocr-serve` starts: its port, its end, its return."""

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from serving import FREE, SERVE, answers, ask, eventually, serving

pytestmark = pytest.mark.server
ANY = ("--gateway-port", "0", "--grace", "5")


def address_of(served) -> str:
    return served.ready["gateway"].removeprefix("http://")


def gateway_of(parent: int) -> int:
    """The process id of the gateway that a process has started."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        fields = path.read_text().rpartition(")")[2].split()
        command = (path.parent / "cmdline").read_bytes()
        if int(fields[1]) == parent and b"ppocr_server.gateway.cli" in command:
            return int(path.parent.name)
    raise AssertionError(f"process {parent} has no gateway")


def test_it_comes_back_when_it_is_killed_and_goes_with_ppocr_serve(small_repository):
    with serving(small_repository, *ANY) as served:
        address = address_of(served)
        assert answers(f"{address}/healthz")
        # There is no model `ocr` here, and Triton is reached all the same.
        assert ask(address, "GET", "/readyz")[0] == 503
        first = gateway_of(served.process.pid)
        os.kill(first, signal.SIGKILL)
        assert eventually(lambda: "the gateway ended with status -9" in served.errors())
        assert eventually(lambda: answers(f"{address}/healthz"))
        assert (second := gateway_of(served.process.pid)) != first
    # `serving` kills ppocr-serve, and what it started ends too.
    assert eventually(lambda: not Path(f"/proc/{second}").exists())


def test_it_ends_in_order(small_repository):
    with serving(small_repository, *ANY) as served:
        process = gateway_of(served.process.pid)
        served.process.terminate()
        assert served.process.wait(30) == 0
        assert not Path(f"/proc/{process}").exists()


def test_a_taken_port_is_told_before_triton_starts(small_repository):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [*SERVE, "--model-repository", str(small_repository), *FREE]
        command += ["--gateway-port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"port {port} on 127.0.0.1 is already in use, so the gateway" in done.stderr
    assert "--gateway-port (none leaves the gateway out)" in done.stderr
    assert "models loaded" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--url", "http://127.0.0.1:8000"], 1, "is not gRPC; allowed: grpc://HOST:PORT"),
        (["--url", "grpc://"], 1, "names no host"),
        (["--max-pages", "0"], 2, "'0' is not a whole number from 1 on"),
        (["--tls-cert", "a.pem"], 1, "encryption needs both --tls-cert and --tls-key"),
    ],
)
def test_what_cannot_be_served_is_told(arguments, code, said):
    done = subprocess.run([*SERVE, "gateway", *arguments], capture_output=True, text=True)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


def test_a_command_finds_its_address(small_repository):
    command = [*SERVE, "--model-repository", str(small_repository), *FREE, *ANY]
    command += ["--", "sh", "-c", "echo $PPOCR_GATEWAY_URL"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.startswith("http://127.0.0.1:")
    assert not answers(done.stdout.strip().removeprefix("http://") + "/healthz")
