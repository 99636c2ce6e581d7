"""Paddle Serving's old ports: asked as its own clients ask, and served by `ppocr-serve endpoint`.

An address is paddle-rpc://HOST:PORT or paddle-http://HOST:PORT; an old Paddle Serving 0.9 with an
OCR pipeline answers there as well.
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
from typing import Any

import grpc

from ppocr_bench.errors import BenchError
from ppocr_server.paddle_serving import pipeline_service_pb2 as messages

PROTOCOLS = ("paddle-rpc", "paddle-http")
METHOD = "/baidu.paddle_serving.pipeline_serving.PipelineService/inference"
CHANNEL = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
TIMEOUT = 300.0  # seconds for one answer
#: Sends a picture as these ports take it, in base64; the text of its answer.
Ask = Callable[[bytes], str]


@contextlib.contextmanager
def endpoint(triton: str) -> Iterator[dict[str, str]]:
    """The old ports in front of a server: their addresses by protocol.

    They log every request, as they do in service.
    """
    serve = str(Path(sys.executable).with_name("ppocr-serve"))
    command = [serve, "endpoint", "--triton", triton, "--host", "127.0.0.1", "--json"]
    with tempfile.TemporaryDirectory() as logs:
        command += ["--http-port", "0", "--rpc-port", "0", "--log-folder", logs]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout is not None
                line = process.stdout.readline()
                if not line:
                    raise BenchError("`ppocr-serve endpoint` ended before it listened")
                ports = json.loads(line).items()
                yield {f"paddle-{k}": f"paddle-{k}://127.0.0.1:{p}" for k, p in ports}
            finally:
                process.terminate()


@contextlib.contextmanager
def old_port(url: str) -> Iterator[Ask]:
    """What asks an old port; several threads may share it. BenchError where no result comes."""
    protocol, _, address = url.partition("://")
    if protocol == "paddle-http":
        yield _over_http(address)
        return
    with grpc.insecure_channel(address, CHANNEL) as channel:
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

        yield ask


def _over_http(address: str) -> Ask:
    own = threading.local()  # A connection for each thread.

    def ask(picture: bytes) -> str:
        if not hasattr(own, "connection"):
            own.connection = http.client.HTTPConnection(address, timeout=TIMEOUT)
        body = json.dumps({"key": ["image"], "value": [base64.b64encode(picture).decode()]})
        try:
            own.connection.request("POST", "/ocr/prediction", body)
            answer = json.loads(own.connection.getresponse().read())
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise BenchError(f"paddle-http://{address} did not answer: {error}") from error
        return _result(address, answer["err_no"], answer["err_msg"], answer["value"])

    return ask


def _result(url: str, number: int, said: str, value: Any) -> str:
    if number:
        raise BenchError(f"{url} answered {number}: {said}")
    return str(value[0])
