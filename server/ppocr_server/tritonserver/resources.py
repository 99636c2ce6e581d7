"""What a model repository takes: processes, time to start, and shared memory.

Every instance with a process of its own has a region in /dev/shm. It grows to the largest request
and never shrinks. The /dev/shm of a container must hold all regions; `ppocr-serve shm-size` prints
how many bytes they can come to.
"""

from __future__ import annotations

import argparse
import math
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ppocr_engine.config_pbtxt import instance_count
from ppocr_engine.errors import EngineError
from ppocr_engine.repository_check import read_configs
from ppocr_pipeline.limits import Limits
from ppocr_server.tritonserver.launch import SHARED_MEMORY
from ppocr_server.tritonserver.process_guard import SHARED_MEMORY as FOLDER

START_SECONDS, START_SECONDS_PER_PROCESS = 120.0, 20.0
# At its first start, TensorRT builds an engine for each network and range of shapes.
ENGINE_SECONDS = 600.0
# A pipeline built for the cores that there are has five or six processes for each of them.
PROCESSES_PER_CORE = 10
# With the server of the pip wheel, the two engines run in processes as well.
IN_PROCESSES = ("python", "onnxruntime", "openvino")
DECODED = "PIXELS"  # the tensor of a whole decoded picture
PIXEL_BYTES = 3
# A growing region holds a tensor more than once: measured 1.5 to 2.1 times for pictures of 99 down
# to 9 million pixels.
COPIES = 2.2
MIB = 1 << 20


def process_count(configs: Sequence[Any], in_processes: Sequence[str]) -> int:
    """Processes that models run in.

    Args:
        configs: Triton's `ModelConfig` of every model; here and below.
        in_processes: the backends whose instances are processes; here and below.
    """
    return sum(instance_count(config) for config in configs if config.backend in in_processes)


def start_seconds(processes: int, configs: Sequence[Any]) -> float:
    """The time that a start may take by default, on a busy machine of few cores."""
    accelerators = [
        accelerator.name
        for config in configs
        for accelerator in config.optimization.execution_accelerators.gpu_execution_accelerator
    ]
    engines = ENGINE_SECONDS if "tensorrt" in accelerators else 0.0
    return START_SECONDS + START_SECONDS_PER_PROCESS * processes + engines


def surplus(processes: int, cores: int) -> str:
    """A warning if there are far more processes than the cores can run; "" otherwise."""
    if processes <= PROCESSES_PER_CORE * cores:
        return ""
    return (
        f"this repository starts {processes} processes and may use {cores} core(s), so they "
        f"wait; build with fewer instances (`ppocr-convert build --cores {cores}`, or "
        "a lower concurrency in config.yml), or allow more cores (docker run --cpus, "
        "resources.limits.cpu of a pod)"
    )


def region_sizes(
    configs: Sequence[Any],
    max_pixels: int | None = None,
    in_processes: Sequence[str] = IN_PROCESSES,
) -> dict[str, int]:
    """Bytes of all regions together, by model.

    `max_pixels` are those of the largest picture that will be sent, None for what the repository
    allows.
    """
    parameters = {
        name: value.string_value
        for config in configs
        for name, value in config.parameters.items()
        if name in ("max_image_pixels", "max_image_bytes")
    }
    limits = Limits.from_parameters(parameters)
    pixels = limits.max_image_pixels if max_pixels is None else max_pixels
    picture = COPIES * PIXEL_BYTES * pixels + limits.max_image_bytes
    start, growth = SHARED_MEMORY["shm-default-byte-size"], SHARED_MEMORY["shm-growth-byte-size"]
    sizes = {}
    for config in configs:
        if config.backend in in_processes:
            tensors = {tensor.name for tensor in (*config.input, *config.output)}
            growths = math.ceil(picture / growth) if DECODED in tensors else 1
            sizes[config.name] = instance_count(config) * (start + growths * growth)
    return sizes


def shortage(configs: Sequence[Any], in_processes: Sequence[str]) -> str:
    """A warning if the regions cannot all grow once, as small pictures need; "" otherwise."""
    free = shutil.disk_usage(FOLDER).free // MIB
    largest = region_sizes(configs, in_processes=in_processes)
    each = sum(SHARED_MEMORY.values()) // MIB
    least = {c.name: instance_count(c) * each for c in configs if c.name in largest}
    if free >= sum(least.values()):
        return ""
    return (
        f"{FOLDER} has {free} MiB free; the processes of this repository need "
        f"{sum(least.values())} MiB for small pictures "
        f"({', '.join(f'{name} {size}' for name, size in least.items())}) and up to "
        f"{sum(largest.values()) // MIB} MiB for the largest ones allowed. Enlarge it "
        "(docker run --shm-size, a volume of medium Memory), or build with fewer instances"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """`ppocr-serve shm-size`: returns 0, or 1 where the repository cannot be read."""
    parser = argparse.ArgumentParser(
        prog="ppocr-serve shm-size",
        description="Print the bytes of shared memory that serving a repository can come to use: "
        "shm_size of a container, sizeLimit of a pod's /dev/shm.",
    )
    add = parser.add_argument
    add("repository", type=Path, help="folder of models, as ppocr-convert build writes it")
    text = "of the largest picture that will be sent (default: what the repository allows)"
    add("--pixels", type=int, metavar="N", help=text)
    options = parser.parse_args(arguments)
    try:
        configs = [config for _, config in read_configs(options.repository) if config is not None]
        sizes = region_sizes(configs, options.pixels)
    except EngineError as error:
        sys.stderr.write(f"ppocr-serve shm-size: {error}\n")
        return 1
    sys.stdout.write(f"{sum(sizes.values())}\n")
    return 0
