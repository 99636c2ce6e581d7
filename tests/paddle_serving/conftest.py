"""The endpoints in a process of their own, beside the real tritonserver."""

import base64
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from serving import ask

from ppocr_server.paddle_serving.pipeline_service_pb2 import Request, Response

METHOD = "/baidu.paddle_serving.pipeline_serving.PipelineService/inference"


@dataclass(frozen=True)
class RunningEndpoint:
    """A running `ppocr-serve endpoint`."""

    process: subprocess.Popen[str]
    http_port: int
    rpc_port: int
    logs: Path

    def post(
        self, body: bytes, path: str = "/ocr/prediction", method: str = "POST"
    ) -> tuple[int, bytes]:
        """Status and body of an answer over HTTP."""
        return ask(f"127.0.0.1:{self.http_port}", method, path, body)

    def answer(self, body: bytes) -> dict[str, Any]:
        """The fields of an answer over HTTP."""
        return dict(json.loads(self.post(body)[1]))

    def rpc(self, timeout: float = 60, **fields: Any) -> Any:
        """The answer to PipelineService.inference as stock clients call it."""
        options = [("grpc.max_send_message_length", 512 << 20)]
        with grpc.insecure_channel(f"127.0.0.1:{self.rpc_port}", options) as channel:
            call = channel.unary_unary(METHOD, Request.SerializeToString, Response.FromString)
            return call(Request(**fields), timeout=timeout)

    def log(self) -> str:
        """What pipeline.log holds, which the first line of it makes."""
        file = self.logs / "pipeline.log"
        return file.read_text() if file.exists() else ""


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


def stock_request(picture: bytes, **more: Any) -> bytes:
    """The body of a request with one picture."""
    value = base64.b64encode(picture).decode()
    return json.dumps({"key": ["image"], "value": [value], **more}).encode()


@pytest.fixture(scope="session")
def good_body(picture) -> bytes:
    """The stock request."""
    return stock_request(picture)
