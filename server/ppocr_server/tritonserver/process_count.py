"""How many processes a repository starts, how long that may take, and when they are too many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ppocr_engine.config_pbtxt import instance_count

START_SECONDS, START_SECONDS_PER_PROCESS = 120.0, 20.0
#: At its first start, TensorRT builds an engine for each network and range of shapes.
ENGINE_SECONDS = 600.0
#: A pipeline built for the cores that there are has five or six processes for each of them.
PROCESSES_PER_CORE = 10


def process_count(configs: Sequence[Any], in_processes: Sequence[str]) -> int:
    """Processes that models run in.

    Args:
        configs: Triton's `ModelConfig` of every model.
        in_processes: the backends whose instances are processes.
    """
    return sum(instance_count(config) for config in configs if config.backend in in_processes)


def start_seconds(processes: int, configs: Sequence[Any]) -> float:
    """The time that a start may take by default, on a busy machine of few cores.

    Args:
        processes: how many the models run in; each one loads a model of its own.
        configs: Triton's `ModelConfig` of every model.
    """
    accelerators = [
        accelerator.name
        for config in configs
        for accelerator in config.optimization.execution_accelerators.gpu_execution_accelerator
    ]
    engines = ENGINE_SECONDS if "tensorrt" in accelerators else 0.0
    return START_SECONDS + START_SECONDS_PER_PROCESS * processes + engines


def surplus(processes: int, cores: int) -> str:
    """The warning that a repository starts far more processes than the cores can run; "" else.

    Args:
        processes: how many the models run in.
        cores: that this process may use.
    """
    if processes <= PROCESSES_PER_CORE * cores:
        return ""
    return (
        f"this repository starts {processes} processes and may use {cores} core(s), so they "
        f"wait; build with fewer instances (`ppocr-convert build --cores {cores}`, or "
        "a lower concurrency in config.yml), or allow more cores (docker run --cpus, "
        "resources.limits.cpu of a pod)"
    )
