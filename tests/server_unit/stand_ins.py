"""Ask a model of a running server, and look at the processes that serve it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc as grpcclient

from ppocr_server.tritonserver.server import TritonServer

MERGE_TWO = "dynamic_batching { preferred_batch_size: 2 max_queue_delay_microseconds: 3000000 }"


def infer(
    client: Any, model: str, outputs: tuple[str, ...] = ("Y",), **inputs: np.ndarray
) -> list[np.ndarray]:
    tensors = []
    for name, array in inputs.items():
        kind = {"float32": "FP32", "int64": "INT64"}[array.dtype.name]
        tensors.append(grpcclient.InferInput(name, array.shape, kind))
        tensors[-1].set_data_from_numpy(array)
    wanted = [grpcclient.InferRequestedOutput(name) for name in outputs]
    result = client.infer(model, tensors, outputs=wanted)
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
