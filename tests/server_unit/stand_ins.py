"""Ask a model of a running server, and look at the processes that serve it."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc as grpcclient

from ppocr_server.tritonserver.server import TritonServer

KINDS = {"float32": "FP32", "int64": "INT64", "int32": "INT32", "uint8": "UINT8", "object": "BYTES"}
MERGE_TWO = "dynamic_batching { preferred_batch_size: 2 max_queue_delay_microseconds: 3000000 }"


def sent(arrays: Mapping[str, np.ndarray], module: Any = grpcclient) -> list[Any]:
    """The inputs of a request, for a client of one of Triton's modules."""
    inputs = [
        module.InferInput(name, list(array.shape), KINDS[array.dtype.name])
        for name, array in arrays.items()
    ]
    for one, array in zip(inputs, arrays.values(), strict=True):
        one.set_data_from_numpy(np.ascontiguousarray(array))
    return inputs


def infer(
    client: Any, model: str, outputs: tuple[str, ...] = ("Y",), **inputs: np.ndarray
) -> list[np.ndarray]:
    wanted = [grpcclient.InferRequestedOutput(name) for name in outputs]
    result = client.infer(model, sent(inputs), outputs=wanted)
    return [result.as_numpy(name) for name in outputs]


def infer_at_once(client: Any, model: str, rows: list[np.ndarray]) -> list[np.ndarray]:
    """The answers to requests of several clients at the same time, in the order of the rows."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda row: infer(client, model, X=row)[0], rows))


def stub_processes(server: TritonServer, model: str) -> list[Path]:
    """/proc folders of the instances of a model."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        line = (entry / "cmdline").read_bytes() if (entry / "cmdline").exists() else b""
        is_stub = b"triton_python_backend_stub" in line and f"/{model}/".encode() in line
        if is_stub and server.shared_memory_prefix.encode() in line:
            found.append(entry)
    return found


def log_of(server: TritonServer, instance: str) -> str:
    lines = [line for line in server.log().splitlines() if f'"{instance}: Python stand-in' in line]
    assert len(lines) == 1
    return lines[0]
