"""What a repository starts: a row for each model, with the memory that is expected of it.

The memory is a formula fitted to a running server. Measured with the Python stand-in for ONNX
Runtime on a CPU, as the proportional share (PSS) of each process after reading the sample pictures
with PP-OCRv4 mobile, one thread an instance: steps 34 to 40 MiB; det (4.7 MB file) 43 MiB loaded,
263 after pictures of 736x960; rec (10.8 MB) 54 and 77; cls (0.6 MB) 30 and 44; the server itself
74. Loaded is 28 MiB and 2.5 times the file; what comes on top goes with the pixels of the largest
run. The C++ backend holds all instances in one process and takes less; what a GPU takes has not
been measured. Shared memory: 140 MiB of 12 instances, 8 of which had grown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ppocr_converters.repository.configuration import Configs, served_widths
from ppocr_engine.spec import EngineSpec

MIB = 1 << 20
SERVER_MIB, STEP_MIB, LOADED_MIB = 74, 40, 28
FILE_FACTOR = 2.5
#: Bytes of activations for each pixel of a run's input.
BYTES_PER_PIXEL = {"det": 330, "rec": 150, "cls": 290, "page_orientation": 290}
#: A detector's largest picture with PaddleOCR's limit of 960, pixels.
DET_PIXELS = 960 * 960
#: Shared memory of an instance: what the Python backend begins with and grows by, once.
SHARED_MIB = 17
KIND_GPU = 1  # of the enumeration in Triton's ModelInstanceGroup


def summarise(configs: Configs, file_bytes: Mapping[str, int]) -> list[dict[str, Any]]:
    """A row for each model, by its configuration and the size of its network's file.

    Returns:
        `model`; `backend` or "ensemble"; `kind`, where the instances run, "" where there are none;
        `instances` on all devices together, those on every GPU there is count once; `precision`
        that the engine computes in where it is not the file's; `threads` of each instance;
        `memory_mib` expected for each instance, None on a GPU; `shared_mib`, its shared memory.
    """
    parameters = {n: v.string_value for n, v in configs["recognize"].parameters.items()}
    widest = served_widths(configs)[-1]
    networks = {
        name: network_mib(name, size, parameters, widest) for name, size in file_bytes.items()
    }
    return [_row(config, networks.get(name)) for name, config in configs.items()]


def _row(config: Any, of_network: int | None) -> dict[str, Any]:
    spec, groups = EngineSpec.read(config), config.instance_group
    gpu = any(group.kind == KIND_GPU for group in groups)
    step_mib = STEP_MIB if groups else 0
    kind = "KIND_GPU" if gpu else "KIND_CPU"
    return {
        "model": config.name,
        "backend": config.backend or config.platform,
        "kind": kind if groups else "",
        "instances": sum(group.count * max(1, len(group.gpus)) for group in groups),
        "precision": "" if spec is None or spec.precision == "fp32" else spec.precision,
        "threads": 1 if spec is None else max(1, spec.threads),
        "memory_mib": step_mib if of_network is None else None if gpu else of_network,
        "shared_mib": SHARED_MIB if groups else 0,
    }


def network_mib(name: str, file_bytes: int, parameters: Mapping[str, str], widest: int) -> int:
    """The memory of one instance of a network on a CPU, MiB, in the largest run of a request.

    `parameters` are those of `recognize`, `widest` the recogniser's widest bucket, pixels.
    """
    pixels = DET_PIXELS
    if name == "page_orientation":
        pixels = int(parameters["page_orientation_size"]) ** 2
    elif name != "det":
        width = widest if name == "rec" else int(parameters["cls_width"])
        columns = int(parameters[f"{name}_batch_size"]) * width
        if name == "rec" and "rec_batch_columns" in parameters:
            columns = max(width, min(columns, int(parameters["rec_batch_columns"])))
        pixels = columns * int(parameters[f"{name}_height"])
    return round(LOADED_MIB + (FILE_FACTOR * file_bytes + BYTES_PER_PIXEL[name] * pixels) / MIB)


def totals(summary: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Memory and shared memory of a whole repository, MiB; networks on GPUs are not in it."""
    return {
        "memory_mib": SERVER_MIB + sum(r["instances"] * (r["memory_mib"] or 0) for r in summary),
        "shared_mib": sum(r["instances"] * r["shared_mib"] for r in summary),
    }
