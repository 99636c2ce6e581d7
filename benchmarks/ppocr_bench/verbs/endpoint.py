"""What the old Paddle Serving endpoints cost beside asking Triton directly.

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
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import grpc
import numpy as np

from ppocr_bench.errors import BenchError
from ppocr_bench.load import Send, closed_loop
from ppocr_bench.options import at_least
from ppocr_bench.pictures import read_picture
from ppocr_bench.record import Result, Table
from ppocr_bench.target import TARGET, TIMEOUT, connected, infer, serving
from ppocr_server.paddle_serving import pipeline_service_pb2 as messages
from ppocr_server.paddle_serving.settings import PADDLE_SERVING_OPTIONS

STUB = "/baidu.paddle_serving.pipeline_serving.PipelineService/inference"
OPTIONS = {
    **TARGET,
    "--image": (Path, None, "a picture in place of the blank one", "FILE"),
    "--clients": (at_least(1), 8, "at the same time"),
    "--requests": (at_least(1), 25, "of each client"),
    "--rounds": (at_least(1), 7, "of all routes"),
}


def run(args: argparse.Namespace) -> Result:
    """Ask on the three routes in turn, round after round."""
    blank = cv2.imencode(".png", np.full((32, 32, 3), 255, np.uint8))[1].tobytes()
    data = blank if args.image is None else read_picture(args.image).data
    name = "a blank picture of 32x32" if args.image is None else args.image.name
    with (
        serving(args) as found,
        old_endpoint(found.urls[0]) as (endpoint, ports),
        connected(found.urls[0]) as transport,
    ):
        direct = partial(infer, transport, data, parameters=dict(PADDLE_SERVING_OPTIONS))
        routes = {"direct": lambda _: direct(), **old_routes(ports, data)}
        medians: dict[str, list[float]] = {route: [] for route in routes}
        cpu: dict[str, list[float]] = {route: [] for route in routes}
        for number in range(args.rounds + 1):
            for route, send in routes.items():
                count = args.clients * args.requests if number else 1
                load = closed_loop(send, args.clients, requests=count, pid=endpoint)
                if number:  # The first connects.
                    medians[route].append(median(load.latencies()) * 1e3)
                    cpu[route].append(load.cpu_ms or 0.0)
    rows = [
        {
            "route": route,
            "median_ms": median(rounds),
            "best_round_ms": min(rounds),
            "over_direct_ms": median(map(float.__sub__, rounds, medians["direct"])),
            "endpoint_cpu_ms": median(cpu[route]),
            "rounds_ms": rounds,
        }
        for route, rounds in medians.items()
    ]
    return Result(
        "; ".join(
            f"{row['route']}: {row['over_direct_ms']:+.1f} ms over asking directly, "
            f"{row['endpoint_cpu_ms']:.2f} ms of processor time"
            for row in rows[1:]
        ),
        settings={"clients": args.clients, "picture": name, "rounds": args.rounds},
        tables={"routes": Table(rows, list(rows[0])[:5], f"{name}, {args.clients} clients")},
    )


@contextlib.contextmanager
def old_endpoint(triton: str) -> Iterator[tuple[int, dict[str, int]]]:
    """The old endpoints as a process of their own; gives its id and its ports by "http" and "rpc".

    It logs every request, as it does in service.
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


def old_routes(ports: dict[str, int], data: bytes) -> dict[str, Send]:
    """For each old route a function that sends the picture and waits for the answer."""
    text = base64.b64encode(data).decode()
    ask, own = pipeline_stub(grpc.insecure_channel(f"127.0.0.1:{ports['rpc']}")), threading.local()
    request = messages.Request(key=["image"], value=[text])
    body = json.dumps({"key": ["image"], "value": [text]})

    def over_http(_: int) -> None:
        if not hasattr(own, "connection"):
            own.connection = http.client.HTTPConnection("127.0.0.1", ports["http"])
        own.connection.request("POST", "/ocr/prediction", body)
        answer = json.loads(own.connection.getresponse().read())
        if answer["err_no"]:
            raise BenchError(f"the old HTTP port answered {answer['err_no']}: {answer['err_msg']}")

    return {"old RPC": lambda _: ask(request), "old HTTP": over_http}


def pipeline_stub(channel: Any) -> Any:
    """Sends a request to Paddle Serving's RPC; BenchError where no result is answered."""
    serialize, parse = messages.Request.SerializeToString, messages.Response.FromString
    inference = channel.unary_unary(STUB, serialize, parse)

    def ask(request: Any) -> Any:
        try:
            answer = inference(request, timeout=TIMEOUT)
        except grpc.RpcError as error:
            raise BenchError(f"Paddle Serving's RPC did not answer: {error}") from error
        if answer.err_no:
            raise BenchError(f"Paddle Serving's RPC answered {answer.err_no}: {answer.err_msg}")
        return answer

    return ask
