"""The stage `bound`: the bare networks on the shapes that the pictures make, back to back.

The least that a page can take is what its networks take when nothing is around them and requests
are merged as far as `max_batch_size` allows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from ppocr_bench.gpu.reference import Facts, Keep
from ppocr_bench.record import BenchError
from ppocr_bench.verbs.gpu import CUDA
from ppocr_engine.config_pbtxt import read_config
from ppocr_engine.errors import EngineError
from ppocr_engine.onnxruntime_session import open_inference_session, runtime_errors
from ppocr_engine.session import import_engine
from ppocr_engine.spec import Accelerator, Device, EngineSpec

SECONDS, MOST = 0.25, 200
#: How a session is run: arrays in and out, tensors that stay on the device, a recorded CUDA graph,
#: and tensors that stay with TensorRT in place of CUDA's kernels.
WAYS = {"cpu": ("arrays", "binding"), CUDA: ("arrays", "binding", "graph", "tensorrt")}
#: Of a tensor by name: type and shape.
Inputs = Mapping[str, tuple[str, Sequence[int]]]


class Case(NamedTuple):
    """A network, the shape of its pictures without the rows, and a number of rows."""

    network: str
    shape: tuple[int, ...]
    rows: int


def bound(
    repository: Path, inputs: Mapping[str, Any], provider: str, kept: Facts, keep: Keep
) -> None:
    """Time every case in every way; what `kept` has is not done again.

    TensorRT comes last: it builds an engine for each case, which takes long.
    """
    rows = kept.setdefault("rows", [])
    errors: tuple[type[Exception], ...] = (EngineError, *runtime_errors())
    done = {(row["network"], tuple(row["shape"]), row["rows"], row["way"]) for row in rows}
    for way in WAYS[provider]:
        for network, cases in cases_of(repository, inputs, provider).items():
            plain = None
            for case, feeds in cases.items():
                if (*case, way) in done:
                    continue
                row: Facts = {**case._asdict(), "way": way}
                try:
                    plain = plain or open_session(repository, network, provider, "arrays")
                    # A graph and an engine are recorded for one shape.
                    own = way in ("graph", "tensorrt")
                    session = open_session(repository, network, provider, way) if own else plain
                    row |= timed(session, plain, feeds, provider, way)
                except errors as error:
                    row["error"] = " ".join(str(error).split())[:300]
                rows.append(row)
                kept["pages"] = pages(rows, inputs)
                keep(kept)
    if not kept["pages"]:
        raise BenchError(f"no network runs on {provider} here: {rows[0].get('error')}")


def cases_of(
    repository: Path, inputs: Mapping[str, Any], provider: str
) -> dict[str, dict[Case, Facts]]:
    """By network the cases of all pictures: as they are sent and, on a GPU, as full as allowed."""
    found: dict[str, dict[Case, Facts]] = {}
    for calls in inputs.values():
        for network, tensors in calls:
            most = int(read_config(repository / network / "config.pbtxt").max_batch_size)
            for rows in {rows_of(tensors), max(1, most) if provider == CUDA else 1}:
                case = Case(network, shape_of(tensors), rows)
                found.setdefault(network, {})[case] = feeds_of(tensors, rows)
    return found


def shape_of(tensors: Inputs) -> tuple[int, ...]:
    """Of the pictures that a call is fed, without the rows."""
    return max((tuple(shape[1:]) for _, shape in tensors.values()), key=len)


def rows_of(tensors: Inputs) -> int:
    """How many pictures a call is fed."""
    return next(iter(tensors.values()))[1][0]


def feeds_of(tensors: Inputs, rows: int) -> Facts:
    """Arrays of these types and shapes with other rows; pixels are random, widths are full."""
    width, random = shape_of(tensors)[1], np.random.default_rng(0)
    return {
        name: random.integers(0, 255, (rows, *shape[1:]), np.uint8)
        if np.dtype(kind) == np.uint8
        else np.full((rows, *shape[1:]), width, np.dtype(kind))
        for name, (kind, shape) in tensors.items()
    }


def open_session(repository: Path, network: str, provider: str, way: str) -> Any:
    """A bare session of one thread, with the options of CUDA that are served.

    Raises:
        EngineError: there is no such provider here, or ONNX Runtime does not run the network.
    """
    path = repository / network / "config.pbtxt"
    spec = EngineSpec.read(read_config(path))
    if spec is None or spec.backend != "onnxruntime":
        raise EngineError(f"{path}: only networks run by onnxruntime are measured here")
    served = next((one.parameters for one in spec.accelerators if one.name == "cuda"), {})
    graph = {"enable_cuda_graph": str(int(way == "graph"))}
    wanted = [Accelerator("gpu", "cuda", {**served, **graph})]
    wanted += [Accelerator("gpu", "tensorrt")] if way == "tensorrt" else []
    device: Device = "gpu" if provider == CUDA else "cpu"
    spec = replace(spec, device=device, accelerators=tuple(wanted), threads=1)
    return open_inference_session(repository / network / "1" / spec.file_name, spec)


def timed(session: Any, plain: Any, feeds: Facts, provider: str, way: str) -> Facts:
    """Milliseconds of the first run, and of those that follow.

    Args:
        session: that is timed.
        plain: of the same network, which tells the shapes of the outputs. One that records a graph
            must not be run with arrays, whose place on the GPU it would record.
        feeds: by tensor.
        provider: of both sessions.
        way: see WAYS.
    """
    run = partial(session.run, None, feeds)
    if way != "arrays":
        outputs = plain.run(None, feeds)
        device = "cuda" if provider == CUDA else "cpu"
        value = import_engine("onnxruntime").OrtValue.ortvalue_from_numpy
        binding = session.io_binding()
        for name, array in feeds.items():
            binding.bind_ortvalue_input(name, value(array, device, 0))
        for output, array in zip(session.get_outputs(), outputs, strict=True):
            binding.bind_ortvalue_output(output.name, value(array, device, 0))
        run = partial(session.run_with_iobinding, binding)
    first, end = _milliseconds(run), time.perf_counter() + SECONDS
    later: list[float] = []
    while not later or (time.perf_counter() < end and len(later) < MOST):
        later.append(_milliseconds(run))
    return {"first_ms": first, "ms": median(later)}


def _milliseconds(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return (time.perf_counter() - begin) * 1e3


def pages(rows: Sequence[Facts], inputs: Mapping[str, Any]) -> list[Facts]:
    """Of every picture and way, the least that its networks take together, in milliseconds."""
    best: dict[tuple[str, str, tuple[int, ...]], float] = {}
    for row in rows:
        if "ms" in row:
            key = row["way"], row["network"], tuple(row["shape"])
            best[key] = min(best.get(key, float("inf")), row["ms"] / row["rows"])
    found = []
    for picture, calls in inputs.items():
        for way in dict.fromkeys(row["way"] for row in rows):
            each = [
                best.get((way, network, shape_of(tensors)), float("nan")) * rows_of(tensors)
                for network, tensors in calls
            ]
            total = sum(each)
            if total == total:  # every call was timed in this way
                found.append({"picture": picture, "way": way, "networks_ms": total})
    return found
