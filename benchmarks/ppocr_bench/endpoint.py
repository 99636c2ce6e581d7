"""endpoint: what the old Paddle Serving endpoints cost beside asking Triton directly.

The same picture goes to Triton's own gRPC endpoint, to the old RPC port and to the old HTTP port,
in turn within one run. The default picture is one without text of 32x32 pixels: next to nothing
to read, so that the endpoint's own work shows as clearly as it can. Where clients, endpoint and
Triton share few cores that are all busy, each millisecond of processor time is waited for by every
client, so the processor time of a request in the endpoint's process is told beside the latency.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from ppocr_bench.arguments import at_least
from ppocr_bench.errors import BenchError
from ppocr_bench.machine import describe, describe_lines
from ppocr_bench.report import table
from ppocr_bench.target import add_target_arguments, target

ROUTES = ("direct gRPC", "old RPC", "old HTTP")
STUB = "/baidu.paddle_serving.pipeline_serving.PipelineService/inference"

Ask = Callable[[], object]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this verb."""
    add_target_arguments(parser)
    parser.add_argument("--image", type=Path, help="a picture in place of the blank one")
    parser.add_argument("--clients", type=at_least(1), default=8, help="default: %(default)s")
    parser.add_argument(
        "--requests", type=at_least(1), default=25, help="of each client (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=at_least(1), default=7, help="default: %(default)s")


@dataclass(frozen=True)
class EndpointCost:
    """The result.

    Attributes:
        machine: what it was measured on.
        clients: how many asked at the same time.
        picture: its name.
        median_ms: of every round, by route.
        cpu_ms: processor time of the endpoint's process for one request, of every round, by route.
    """

    machine: dict[str, Any]
    clients: int
    picture: str
    median_ms: dict[str, list[float]]
    cpu_ms: dict[str, list[float]]

    @property
    def ok(self) -> bool:
        """There is nothing to pass here."""
        return True

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return asdict(self)

    def lines(self) -> list[str]:
        """A row for each route: median and best round, and what it costs over asking directly.

        Processor time is the endpoint's alone, the median of the rounds.
        """
        direct = self.median_ms[ROUTES[0]]
        rows = [
            [
                route,
                f"{statistics.median(rounds):.1f}",
                f"{min(rounds):.1f}",
                f"{statistics.median(a - b for a, b in zip(rounds, direct, strict=True)):+.1f}",
                f"{statistics.median(self.cpu_ms[route]):.2f}",
            ]
            for route, rounds in self.median_ms.items()
        ]
        return [
            *describe_lines(self.machine),
            f"{self.picture}, {self.clients} clients, milliseconds",
            *table(["route", "median", "best round", "over direct", "processor time"], rows),
        ]


def run(args: argparse.Namespace) -> EndpointCost:
    """Ask on the three routes in turn, round after round."""
    data = blank() if args.image is None else args.image.read_bytes()
    name = "a blank picture of 32x32" if args.image is None else args.image.name
    medians: dict[str, list[float]] = {route: [] for route in ROUTES}
    cpu: dict[str, list[float]] = {route: [] for route in ROUTES}
    with target(args) as urls, old_endpoint(urls[0]) as (process, ports):
        routes = dict(zip(ROUTES, connect(urls[0], ports, data), strict=True))
        for ask in routes.values():
            ask()
        for _ in range(args.rounds):
            for route, ask in routes.items():
                before = cpu_seconds(process)
                medians[route].append(median_ms(ask, args.clients, args.requests))
                used = cpu_seconds(process) - before
                cpu[route].append(used * 1e3 / (args.clients * args.requests))
    return EndpointCost(describe(), args.clients, name, medians, cpu)


def cpu_seconds(process: int) -> float:
    """Processor time that a process has used, all threads, in user and system mode."""
    # Linux's number of another process's clock, as clock_getcpuclockid(3) makes it: /proc counts
    # in hundredths of a second only.
    return time.clock_gettime(~process << 3 | 2)


def blank() -> bytes:
    """A white PNG of 32x32 pixels."""
    import cv2
    import numpy as np

    return cv2.imencode(".png", np.full((32, 32, 3), 255, np.uint8))[1].tobytes()


@contextlib.contextmanager
def old_endpoint(triton: str) -> Iterator[tuple[int, dict[str, int]]]:
    """The old endpoints as a process of their own; gives its id and its ports by "http" and "rpc".

    It logs every request, as it does in service.

    Raises:
        BenchError: they did not come up.
    """
    serve = str(Path(sys.executable).with_name("ppocr-serve"))
    command = [serve, "endpoint", "--triton", triton]
    options = ["--host", "127.0.0.1", "--http-port", "0", "--rpc-port", "0", "--json"]
    with (
        tempfile.TemporaryDirectory() as logs,
        subprocess.Popen(
            [*command, *options, "--log-folder", logs], stdout=subprocess.PIPE
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise BenchError("`ppocr-serve endpoint` ended before it listened")
            yield process.pid, json.loads(line)
        finally:
            process.terminate()
            process.wait()


def connect(triton: str, ports: dict[str, int], data: bytes) -> tuple[Ask, Ask, Ask]:
    """A function for each route that sends the picture and waits for the answer."""
    import grpc
    import numpy as np
    import tritonclient.grpc as triton_grpc

    from ppocr_server.paddle_serving import pipeline_service_pb2 as messages
    from ppocr_server.paddle_serving.settings import PADDLE_SERVING_OPTIONS

    client = triton_grpc.InferenceServerClient(triton.partition("://")[2])
    image = triton_grpc.InferInput("IMAGE", [1], "BYTES")
    image.set_data_from_numpy(np.array([data], np.object_))
    text = base64.b64encode(data).decode()
    channel = grpc.insecure_channel(f"127.0.0.1:{ports['rpc']}")
    inference = channel.unary_unary(
        STUB, messages.Request.SerializeToString, messages.Response.FromString
    )
    body = json.dumps({"key": ["image"], "value": [text]})
    own = threading.local()

    def over_rpc() -> None:
        answer = inference(messages.Request(key=["image"], value=[text]))
        if answer.err_no:
            raise BenchError(f"the old RPC port answered {answer.err_no}: {answer.err_msg}")

    def over_http() -> None:
        if not hasattr(own, "connection"):
            own.connection = http.client.HTTPConnection("127.0.0.1", ports["http"])
        own.connection.request("POST", "/ocr/prediction", body)
        answer = json.loads(own.connection.getresponse().read())
        if answer["err_no"]:
            raise BenchError(f"the old HTTP port answered {answer['err_no']}: {answer['err_msg']}")

    def directly() -> None:
        client.infer("ocr", [image], parameters=dict(PADDLE_SERVING_OPTIONS))

    return directly, over_rpc, over_http


def median_ms(ask: Ask, clients: int, requests: int) -> float:
    """The median latency of `clients` that each send `requests`, one after the other."""

    def timed(_: int) -> list[float]:
        taken = []
        for _ in range(requests):
            begin = time.perf_counter()
            ask()
            taken.append((time.perf_counter() - begin) * 1e3)
        return taken

    with ThreadPoolExecutor(clients) as pool:
        return statistics.median(chain.from_iterable(pool.map(timed, range(clients))))
