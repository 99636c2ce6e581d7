"""Peers that are asked over a network: our own server, and Paddle Serving."""

from __future__ import annotations

import argparse
import ast
import base64
import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import grpc

from ppocr_bench.errors import BenchError
from ppocr_bench.machine import versions
from ppocr_bench.peers.children import RUNNERS, Child, read_line
from ppocr_bench.peers.environments import PADDLE_SERVING, ensure_environment
from ppocr_bench.peers.peer import Peer, Running
from ppocr_bench.target import TIMEOUT
from ppocr_bench.verbs.endpoint import pipeline_stub
from ppocr_client import OcrClient
from ppocr_pipeline.pipeline import Line
from ppocr_server.paddle_serving import pipeline_service_pb2 as messages
from ppocr_server.tritonserver.ports import choose_ports
from ppocr_server.tritonserver.server import TritonServer

START_TIMEOUT = 300  # seconds
VERSIONS = {"paddle-serving-server": "0.9.0", "paddlepaddle": "2.6.2", "python": "3.8 or 3.9"}
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]

#: What a configuration differs in: Paddle Serving's OCR example, and the best stable one found.
AS_SHIPPED = {"det": 6, "rec": 3, "thread_num": 2, "mkldnn": 0}
MODEL = """
feed_var { name: "x" alias_name: "x" is_lod_tensor: false feed_type: 1 shape: 3 }
fetch_var { name: "output" alias_name: "output" is_lod_tensor: false fetch_type: 1 shape: -1 }
"""


def ours(label: str, repository: Path, engine: str) -> Peer:
    """Our server with one repository, asked over gRPC."""
    setting = f"tritonserver over gRPC, {engine}, as built"
    return Peer(f"ours ({label})", setting, partial(_ours, repository), ours=label)


def paddle_serving(cores: int) -> list[Peer]:
    """Paddle Serving's pipeline as its example has it, and tuned: a process of each Op a core."""
    tuned = {"det": cores, "rec": cores, "thread_num": 1, "mkldnn": 1}
    return [
        Peer(
            f"Paddle Serving, {name}",
            f"pipeline over gRPC, det concurrency {numbers['det']}, rec concurrency "
            f"{numbers['rec']}, thread_num {numbers['thread_num']}, mkldnn "
            f"{bool(numbers['mkldnn'])}, Ops as processes",
            partial(_paddle_serving, numbers),
        )
        for name, numbers in (("as shipped", AS_SHIPPED), ("tuned", tuned))
    ]


@contextlib.contextmanager
def _ours(repository: Path, args: argparse.Namespace) -> Iterator[Running]:
    files = {path: path.read_bytes() for path in args.files}
    with (
        TritonServer(repository) as server,
        OcrClient(f"grpc://{server.grpc_url}", timeout=TIMEOUT) as client,
    ):
        yield Running(lambda path: client.read(files[path]).lines, [server.pid], versions())


@contextlib.contextmanager
def _paddle_serving(numbers: Mapping[str, int], args: argparse.Namespace) -> Iterator[Running]:
    python = ensure_environment(PADDLE_SERVING, args.environments / "paddle-serving-env")
    folder = Path(tempfile.mkdtemp(dir=args.scratch))
    ports = choose_ports("127.0.0.1", {"rpc": 0, "http": 0})
    service = write_service(folder, args, numbers, ports)
    files = {path: base64.b64encode(path.read_bytes()).decode() for path in args.files}
    command = [python.absolute(), RUNNERS / "run_paddle_serving.py", service]
    child = Child(command, {"HOME": str(folder)}, folder=folder, answers=False)
    address = f"127.0.0.1:{ports['rpc']}"
    with contextlib.closing(child), grpc.insecure_channel(address, UNLIMITED) as channel:
        _wait(grpc.channel_ready_future(channel), child)
        send = pipeline_stub(channel)

        def ask(path: Path) -> list[Line]:
            answer = send(messages.Request(key=["image"], value=[files[path]]))
            lines = ast.literal_eval(answer.value[0])
            # It drops no line itself; the others drop the unsure ones.
            return [read_line(text, score, box) for (text, score), box in lines if score >= 0.5]

        yield Running(ask, [child.pid], VERSIONS)


def write_service(
    folder: Path, args: argparse.Namespace, numbers: Mapping[str, int], ports: Mapping[str, int]
) -> Path:
    """Write the models as Paddle Serving wants them, and the service's settings; return these.

    What never changes of the settings is in `runners/paddle_serving.json`.
    """
    config = json.loads((RUNNERS / "paddle_serving.json").read_text("utf-8"))
    config |= {f"{name}_port": port for name, port in ports.items()}
    for name, model in (("det", args.det_model), ("rec", args.rec_model)):
        served = folder / name
        served.mkdir()
        for file in ("inference.pdmodel", "inference.pdiparams"):
            (served / file).symlink_to((model / file).absolute())
        (served / "serving_server_conf.prototxt").write_text(MODEL)
        config["op"][name]["concurrency"] = numbers[name]
        config["op"][name]["local_service_conf"] |= {
            "model_config": str(served),
            "thread_num": numbers["thread_num"],
            "use_mkldnn": bool(numbers["mkldnn"]),
        }
    alphabet = {"dictionary": str(args.dictionary.absolute()), "height": args.rec_height}
    path = folder / "service.json"
    path.write_text(json.dumps({"config": config, **alphabet}), "utf-8")
    return path


def _wait(ready: Any, child: Child) -> None:
    """Return when the channel is ready; BenchError where the process ended or took too long."""
    for _ in range(START_TIMEOUT):
        child.check()
        with contextlib.suppress(grpc.FutureTimeoutError):
            return ready.result(timeout=1)
    raise BenchError(f"Paddle Serving was not ready in {START_TIMEOUT} s")
