"""What each step costs, from Triton's statistics in a result of `sweep`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ppocr_bench.errors import BenchError

Result = Mapping[str, Any]

#: Steps that are called from inside `recognize`, once for each batch of lines.
INSIDE = ("cls", "rec")
NETWORKS = ("det", *INSIDE)  # what runs on a GPU where there is one
AROUND = "recognize"
#: What no step tells: the ensemble, the protocol, and the client's own share of it.
SERVER = "server"


@dataclass(frozen=True)
class Measured:
    """What a point tells; the fields are those of `Costs`."""

    cores: int
    gpu: bool
    lines: float
    batch: float
    picture: dict[str, float]
    line: dict[str, float]
    instances: dict[str, int]
    threads: dict[str, int]


def first_point(result: Result) -> Mapping[str, Any]:
    """The point with one request at a time, over gRPC if it was measured.

    Raises:
        BenchError: there is none.
    """
    alone = [p for p in result["points"] if p["concurrency"] == 1 and p["throughput"] is not None]
    if not alone:
        raise BenchError("no point with one request at a time was measured; see its --concurrency")
    return min(alone, key=lambda point: point["protocol"] != "grpc")


def measured_steps(result: Result, point: Mapping[str, Any]) -> Measured:
    """Seconds of one core by step.

    A step's time is taken for its work, which it is when nothing else runs; with t threads it is
    worth t cores' time. Where there was a GPU, it is taken to be one. `recognize` works itself for
    what its time is longer than that of the networks inside it, as many of them at the same time as
    there are instances and cores.

    Raises:
        BenchError: `det` or `rec` did nothing.
    """
    cores = whole(result["cores"] or result["machine"]["cores"], "cores")
    instances, threads = served(result["models"])
    gpu = point["gpu_utilisation"] is not None
    processors = 1 if gpu else cores
    if gpu:
        threads = {name: count for name, count in threads.items() if name not in NETWORKS}
    wall = {
        name: (step["input_ms"] + step["infer_ms"] + step["output_ms"]) / 1e3
        for name, step in point["steps"].items()
    }
    if not {"det", "rec", AROUND} <= wall.keys():
        raise BenchError(
            f"of det, {AROUND} and rec only {', '.join(wall)} worked: no text was read"
        )
    steps = point["steps"]
    lines = number(steps["rec"]["calls"] * steps["rec"]["batch"], "lines a picture")
    inside = [name for name in INSIDE if name in wall]
    work = {name: time * threads.get(name, 1) for name, time in wall.items()}
    # More instances than processors make each other slower; together they cannot do more than this.
    most = wall[AROUND] * processors
    crowded = min(1.0, most / sum(work[name] for name in inside))
    own = wall[AROUND] - sum(
        work[name] * crowded / min(processors, instances.get(name, 1) * threads.get(name, 1))
        for name in inside
    )
    outside = point["mean_ms"] / 1e3 - sum(
        time + steps[name]["queue_ms"] / 1e3 for name, time in wall.items() if name not in INSIDE
    )
    picture = {name: work[name] for name in work if name not in (*INSIDE, AROUND)}
    line = {name: work[name] * crowded / lines for name in inside}
    return Measured(
        cores=cores,
        gpu=gpu,
        lines=lines,
        batch=number(steps["rec"]["batch"], "lines a batch"),
        picture={**picture, SERVER: max(0.0, outside)},
        line={AROUND: max(0.0, own / lines), **line},
        instances=instances,
        threads=threads,
    )


def served(models: Mapping[str, Any]) -> tuple[dict[str, int], dict[str, int]]:
    """Instances, and threads of an instance, of the models that have any."""
    instances = {name: model["instances"] for name, model in models.items() if model["instances"]}
    threads = {}
    for name in instances:
        parameters = models[name]["parameters"]
        if "intra_op_thread_count" in parameters:
            threads[name] = max(1, int(parameters["intra_op_thread_count"]))
        elif "INFERENCE_NUM_THREADS" in parameters:
            streams = parameters.get("NUM_STREAMS", "")
            parts = int(streams) if streams.isdigit() else instances[name]
            threads[name] = max(1, int(parameters["INFERENCE_NUM_THREADS"]) // parts)
    return instances, threads


def number(value: Any, name: str) -> float:
    """A figure of a result.

    Raises:
        BenchError: it is not a number above 0.
    """
    if not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise BenchError(f"{name} is {value!r}, not a number above 0")
    return float(value)


def whole(value: Any, name: str) -> int:
    """A count of a result.

    Raises:
        BenchError: it is not a whole number above 0.
    """
    return int(number(value, name))
