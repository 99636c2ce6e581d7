"""How many processes a repository starts, and what follows from their number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ppocr_engine.config_pbtxt import instance_count

START_SECONDS, START_SECONDS_PER_PROCESS = 120.0, 20.0
#: A pipeline built for the cores that there are has six to eight processes for each of them. Twice
#: as many still serve, with more memory and longer waits.
PROCESSES_PER_CORE = 16


def process_count(configs: Sequence[Any], in_processes: Sequence[str]) -> int:
    """Processes that models run in.

    Args:
        configs: Triton's `ModelConfig` of every model.
        in_processes: the backends whose instances are processes.
    """
    return sum(instance_count(config) for config in configs if config.backend in in_processes)


def start_seconds(processes: int) -> float:
    """The time that a start may take by default, on a busy machine of few cores.

    Args:
        processes: how many the models run in; each one loads a model of its own.
    """
    return START_SECONDS + START_SECONDS_PER_PROCESS * processes


def surplus(processes: int, cores: int) -> str:
    """The warning that a repository starts far more processes than the cores can run; "" else.

    Args:
        processes: how many the models run in.
        cores: that this process may use.
    """
    if processes <= PROCESSES_PER_CORE * cores:
        return ""
    return (
        f"this repository starts {processes} processes and may use {cores} core(s); build it with "
        f"`ppocr-convert build --cores {cores}`, or allow more cores (docker run --cpus, "
        "resources.limits.cpu of a pod)"
    )
