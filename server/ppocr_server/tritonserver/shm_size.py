"""`ppocr-serve shm-size`: how much of /dev/shm a model repository can use.

Every instance with a process of its own has a region there. It grows to the largest request and
never shrinks. The /dev/shm of a container must hold all regions.
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

# With the server of the pip wheel, the two engines run in processes as well.
IN_PROCESSES = ("python", "onnxruntime", "openvino")
DECODED = "PIXELS"  # the tensor of a whole decoded picture
PIXEL_BYTES = 3
# A growing region holds a tensor more than once: measured 1.5 to 2.1 times for pictures of 99 down
# to 9 million pixels.
COPIES = 2.2
MIB = 1 << 20


def region_sizes(
    configs: Sequence[Any],
    max_pixels: int | None = None,
    in_processes: Sequence[str] = IN_PROCESSES,
) -> dict[str, int]:
    """Bytes of all regions together, by model.

    Args:
        configs: of every model, as `read_config` returns them.
        max_pixels: of the largest picture that will be sent, None for what the repository allows.
        in_processes: the backends whose instances are processes.
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
        if config.backend not in in_processes:
            continue
        tensors = {tensor.name for tensor in (*config.input, *config.output)}
        growths = math.ceil(picture / growth) if DECODED in tensors else 1
        sizes[config.name] = instance_count(config) * (start + growths * growth)
    return sizes


def shortage(configs: Sequence[Any], free: int, in_processes: Sequence[str]) -> str:
    """A warning if the regions cannot all grow once, as small pictures need; "" otherwise.

    Args:
        configs: of every model, as `read_config` returns them.
        free: bytes that are free in /dev/shm.
        in_processes: the backends whose instances are processes.
    """
    largest = region_sizes(configs, in_processes=in_processes)
    each = sum(SHARED_MEMORY.values()) // MIB
    least = {c.name: instance_count(c) * each for c in configs if c.name in largest}
    if free // MIB >= sum(least.values()):
        return ""
    return (
        f"{FOLDER} has {free // MIB} MiB free; the processes of this repository need "
        f"{sum(least.values())} MiB for small pictures "
        f"({', '.join(f'{name} {size}' for name, size in least.items())}) and up to "
        f"{sum(largest.values()) // MIB} MiB for the largest ones allowed. Enlarge it "
        "(docker run --shm-size, a volume of medium Memory), or build with fewer instances"
    )


def free_bytes() -> int:
    """Free bytes in /dev/shm."""
    return shutil.disk_usage(FOLDER).free


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the size in bytes; returns 0, or 1 where the repository cannot be read."""
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
