"""The server that is measured: one that runs already, or one started for the benchmark."""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import grpc

from ppocr_bench.load import Send, Status
from ppocr_bench.options import Options
from ppocr_bench.pictures import Picture
from ppocr_bench.record import OK, BenchError
from ppocr_client import OcrClient
from ppocr_client.errors import OcrError
from ppocr_server.paddle_serving import pipeline_service_pb2 as messages
from ppocr_server.tritonserver.server import TritonServer

DEFAULT_REPOSITORY = Path("build/model_repository")
REPOSITORY: Options = {
    "--repository": (Path, DEFAULT_REPOSITORY, "the built model repository that is served", "DIR")
}
SAID = "grpc://HOST:PORT or http://HOST:PORT of a running server; without it one is started"
#: Which server is asked.
TARGET: Options = {"--url": ([str], None, SAID, "URL"), **REPOSITORY}
PID: Options = {"--pid": (int, None, "tritonserver's process id, with --url")}
TIMEOUT = 300.0  # seconds for one answer: a dense page waits long behind others
OLD_PORTS = ("paddle-rpc", "paddle-http")
FRONTS = (*OLD_PORTS, "gateway")
METHOD = "/baidu.paddle_serving.pipeline_serving.PipelineService/inference"
CHANNEL = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
#: Sends a picture; the text of an old port's answer, or the bytes of the gateway's.
Ask = Callable[[bytes], Any]


class Serving(NamedTuple):
    """A server: its addresses, tritonserver's process id and metrics address where known.

    `fronts` are the process ids of what was started before it, by address.
    """

    urls: list[str]
    pid: int | None = None
    metrics_url: str | None = None
    fronts: Mapping[str, int] = {}


@contextlib.contextmanager
def serving(
    args: argparse.Namespace, protocols: Collection[str] = ("grpc", "http")
) -> Iterator[Serving]:
    """The server at the given addresses, or one started and stopped here, on these protocols."""
    if args.url:
        yield Serving(args.url, getattr(args, "pid", None), getattr(args, "metrics_url", None))
        return
    with TritonServer(args.repository) as server, contextlib.ExitStack() as opened:
        urls = {"grpc": f"grpc://{server.grpc_url}", "http": f"http://{server.http_url}"}
        before: dict[str, int] = {}
        for start, names in ((endpoint, OLD_PORTS), (gateway, ["gateway"])):
            if set(protocols) & set(names):
                front = opened.enter_context(start(urls["grpc"]))
                urls |= front.urls
                before |= dict.fromkeys(front.urls.values(), front.pid)
        wanted = [urls[protocol] for protocol in protocols]
        yield Serving(wanted, server.pid, f"http://{server.metrics_url}/metrics", before)


@contextlib.contextmanager
def sender(
    url: str,
    pictures: Sequence[Picture],
    parameters: Mapping[str, Any] | None = None,
    timeout: float = TIMEOUT,
) -> Iterator[Send]:
    """What sends the pictures in turn and looks at no answer; several threads may share it."""
    if url.partition("://")[0] in FRONTS:
        with asked(url) as ask:
            yield lambda number: bool(ask(pictures[number % len(pictures)].data))
        return
    options = parameters or {}
    with OcrClient(url, timeout=timeout, retries=0) as client:
        yield lambda n: bool(client.read(pictures[n % len(pictures)].data, **options))


def told(send: Send) -> Send:
    """Sends, and tells how the request ended; what no server has answered is raised."""

    def ask(number: int) -> Status:
        try:
            send(number)
        except OcrError as error:
            if error.status is None:
                raise
            status = Status(error.status)
            status.said = str(error)
            return status
        return Status(OK)

    return ask


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
