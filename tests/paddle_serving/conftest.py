"""The endpoints in a process of their own, beside the real tritonserver."""

import base64
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class RunningEndpoint:
    """Ports and files of a running `ppocr-serve endpoint`."""

    process: subprocess.Popen[str]
    http_port: int
    rpc_port: int
    logs: Path


@contextlib.contextmanager
def endpoint_process(grpc_url: str, logs: Path, *arguments: str) -> Iterator[RunningEndpoint]:
    """Run the verb on free loopback ports; it is stopped as Ctrl-C does."""
    command = [sys.executable, "-m", "ppocr_server.cli", "endpoint", "--json"]
    command += ["--triton", f"grpc://{grpc_url}", "--host", "127.0.0.1", "--log-folder", str(logs)]
    command += ["--http-port", "0", "--rpc-port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ports = json.loads(process.stdout.readline())
            yield RunningEndpoint(process, ports["http"], ports["rpc"], logs)
        finally:
            process.terminate()
            process.wait(40)


@pytest.fixture(scope="session")
def endpoint(server, tmp_path_factory) -> Iterator[RunningEndpoint]:
    """The endpoints as they come."""
    logs = tmp_path_factory.mktemp("logs")
    with endpoint_process(server.grpc_url, logs) as running:
        yield running


@pytest.fixture(scope="session")
def good_body(picture) -> bytes:
    """The stock request."""
    value = base64.b64encode(picture).decode()
    return json.dumps({"key": ["image"], "value": [value]}).encode()
