"""What a figure was measured on, and what else ran meanwhile: without it, a figure says nothing."""

from __future__ import annotations

import contextlib
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from ppocr_bench.processes import cpu_seconds, family
from ppocr_engine.machine import available_cores, processor

PACKAGES = (
    *("ppocr-triton", "nvidia-pytriton", "onnxruntime", "openvino", "opencv-python-headless"),
    *("numpy", "pyclipper", "tritonclient"),
)
#: Share of the cores that others may use before timings of two settings cannot be told apart.
BUSY = 0.15


def describe() -> dict[str, Any]:
    """Processor, cores this process may use, memory, system, versions and the command."""
    return {
        "processor": processor()["name"],
        "cores": available_cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions(),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }


def versions() -> dict[str, str]:
    """The version of every package that decides a figure."""
    found = {one.name: one.version for one in metadata.distributions()}
    return {name: found.get(name, "not installed") for name in PACKAGES}


def describe_lines(found: Mapping[str, Any]) -> list[str]:
    """What `describe` found, in a few lines of text."""
    return [
        f"$ {found['command']}",
        f"{found['processor']}, {found['cores']} cores, {found['memory_gib']} GiB, "
        f"load {found['load']}, {found['system']}",
        f"Python {found['python']}, "
        + ", ".join(f"{name} {version}" for name, version in found["versions"].items()),
    ]


@dataclass
class Disturbance:
    """Shares of the cores that other processes used, and that the hypervisor took for others."""

    others: float = 0.0
    stolen: float = 0.0

    @property
    def busy(self) -> bool:
        """Whether timings mean little."""
        return self.others + self.stolen > BUSY

    def __str__(self) -> str:
        return (
            f"other processes used {self.others:.0%} of the cores and the hypervisor "
            f"took {self.stolen:.0%} (allowed: {BUSY:.0%} together)"
        )


@contextlib.contextmanager
def disturbance() -> Iterator[Disturbance]:
    """Fill in what else runs during the block; processes started by this one are not others."""
    found, begin = Disturbance(), time.monotonic()
    busy, stolen, own = _core_seconds()
    yield found
    available = (time.monotonic() - begin) * available_cores()
    busy_now, stolen_now, own_now = _core_seconds()
    found.others = max(0.0, busy_now - busy - (own_now - own)) / available
    found.stolen = (stolen_now - stolen) / available


def _core_seconds() -> tuple[float, float, float]:
    """Seconds in which the cores of this process were busy, were stolen, and worked for it."""
    ours = os.sched_getaffinity(0)
    cores = [core for number, core in enumerate(psutil.cpu_times(percpu=True)) if number in ours]
    busy = sum(sum((one.user, one.nice, one.system, one.irq, one.softirq)) for one in cores)
    own = sum(cpu_seconds(process.pid) for process in family(os.getpid()))
    return busy, sum(one.steal for one in cores), own
