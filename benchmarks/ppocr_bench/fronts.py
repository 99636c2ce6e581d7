"""What may stand before Triton: the gateway and Paddle Serving's old ports, started and asked.

An address is gateway://HOST:PORT, paddle-rpc://HOST:PORT or paddle-http://HOST:PORT; an old Paddle
Serving 0.9 with an OCR pipeline answers at the last two as well.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc

from ppocr_bench.errors import BenchError
from ppocr_server.paddle_serving import pipeline_service_pb2 as messages

OLD_PORTS = ("paddle-rpc", "paddle-http")
PROTOCOLS = (*OLD_PORTS, "gateway")
METHOD = "/baidu.paddle_serving.pipeline_serving.PipelineService/inference"
CHANNEL = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
TIMEOUT = 300.0  # seconds for one answer
#: Sends a picture; the text of an old port's answer, or the bytes of the gateway's.
Ask = Callable[[bytes], Any]


class Front(NamedTuple):
    """One that was started: its process, and its addresses by protocol."""

    pid: int
    urls: dict[str, str]


@contextlib.contextmanager
def endpoint(triton: str) -> Iterator[Front]:
    """The old ports in front of a server; they log every request, as they do in service."""
    with tempfile.TemporaryDirectory() as logs:
        ports = ["--host", "127.0.0.1", "--http-port", "0", "--rpc-port", "0"]
        command = ["endpoint", "--triton", triton, *ports, "--log-folder", logs]
        with _started(command) as (pid, said):
            yield Front(pid, {f"paddle-{k}": f"paddle-{k}://127.0.0.1:{p}" for k, p in said})


@contextlib.contextmanager
def gateway(triton: str) -> Iterator[Front]:
    """The gateway in front of a server."""
    with _started(["gateway", "--url", triton, "--port", "0"]) as (pid, said):
        yield Front(pid, {name: f"gateway://{url.partition('://')[2]}" for name, url in said})


@contextlib.contextmanager
def _started(command: list[str]) -> Iterator[tuple[int, Any]]:
    """`ppocr-serve` that listens: its process id, and what it printed, by name."""
    serve = str(Path(sys.executable).with_name("ppocr-serve"))
    with subprocess.Popen([serve, *command, "--json"], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise BenchError(f"`ppocr-serve {command[0]}` ended before it listened")
            yield process.pid, json.loads(line).items()
        finally:
            process.terminate()


@contextlib.contextmanager
def asked(url: str) -> Iterator[Ask]:
    """What asks at an address; several threads may share it. BenchError where no result comes."""
    protocol, _, address = url.partition("://")
    if protocol == "gateway":
        yield _over_http(url, "/read", bytes, bytes)
    elif protocol == "paddle-http":
        yield _over_http(url, "/ocr/prediction", _old_body, json.loads)
    else:
        with grpc.insecure_channel(address, CHANNEL) as channel:
            yield _over_rpc(url, channel)


def _over_rpc(url: str, channel: grpc.Channel) -> Ask:
    inference = channel.unary_unary(
        METHOD, messages.Request.SerializeToString, messages.Response.FromString
    )

    def ask(picture: bytes) -> str:
        request = messages.Request(key=["image"], value=[base64.b64encode(picture).decode()])
        try:
            answer = inference(request, timeout=TIMEOUT)
        except grpc.RpcError as error:
            raise BenchError(f"{url} did not answer: {error}") from error
        return _result(url, answer.err_no, answer.err_msg, answer.value)

    return ask


def _over_http(
    url: str, path: str, body: Callable[[bytes], bytes], parse: Callable[[bytes], Any]
) -> Ask:
    own, address = threading.local(), url.partition("://")[2]

    def ask(picture: bytes) -> Any:
        if not hasattr(own, "connection"):  # each thread has its own
            own.connection = http.client.HTTPConnection(address, timeout=TIMEOUT)
        try:
            own.connection.request("POST", path, body(picture))
            answer = own.connection.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise BenchError(f"{url} answered {answer.status}: {content[:300]!r}")
            found = parse(content)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise BenchError(f"{url} did not answer: {error}") from error
        return _result(url, **found) if isinstance(found, dict) else found

    return ask


def _old_body(picture: bytes) -> bytes:
    value = base64.b64encode(picture).decode()
    return json.dumps({"key": ["image"], "value": [value]}).encode()


def _result(url: str, err_no: int, err_msg: str, value: Any, **_: Any) -> str:
    if err_no:
        raise BenchError(f"{url} answered {err_no}: {err_msg}")
    return str(value[0])
