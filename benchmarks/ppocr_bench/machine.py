"""The machine that a figure is of, what else ran meanwhile, and what processes used of it."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shlex
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from statistics import fmean
from typing import Any

import psutil

from ppocr_bench.record import BenchError
from ppocr_engine.machine import available_cores, processor
from ppocr_server.watch.stubs import stub_of

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


def family(pid: int) -> list[Any]:
    """A process and all that it started, as psutil has them; BenchError where it is not there."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except (psutil.NoSuchProcess, psutil.ZombieProcess) as error:
        raise BenchError(f"the server's process {pid} is not there (any more)") from error


def memory_mib(pid: int) -> float:
    """What a server's processes hold now, pages that several of them share counted once (PSS).

    Raises:
        BenchError: the process is not there, or belongs to another user.
    """
    sizes: list[int] = []
    for process in family(pid):
        try:
            sizes.append(process.memory_full_info().pss)
        except psutil.NoSuchProcess:  # It ended since they were listed.
            continue
        except psutil.AccessDenied as error:
            raise BenchError(
                f"process {pid} may not be looked into: run this as the user who started the "
                "server, or leave --pid out"
            ) from error
    return sum(sizes) / 2**20


def peak_memory_mib(pid: int) -> float:
    """The most memory that each process held so far (VmHWM), added up; shared pages count twice."""
    texts = (Path(f"/proc/{process.pid}/status").read_text() for process in family(pid))
    return sum(int(size) for text in texts for size in re.findall(r"VmHWM:\s*(\d+)", text)) / 1024


def cpu_seconds(pid: int) -> float:
    """Processor seconds of one process, all threads, in user and system mode; 0 if it ended."""
    # Linux's number of another process's clock, as clock_getcpuclockid(3) makes it; /proc counts
    # in hundredths of a second only.
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0.0


def cpu_snapshot(pid: int | None) -> dict[int, float]:
    """Processor seconds of a server's processes by process id; nothing for None."""
    return {} if pid is None else {one.pid: cpu_seconds(one.pid) for one in family(pid)}


def cpu_used(pids: Sequence[int]) -> float:
    """Processor seconds of several servers with all that they started, until now."""
    return sum(sum(cpu_snapshot(pid).values()) for pid in pids)


def cpu_since(pid: int | None, before: Mapping[int, float]) -> dict[str, float]:
    """Processor seconds since a snapshot by model; "tritonserver" is the server's own process."""
    used: dict[str, float] = defaultdict(float)
    for process, seconds in cpu_snapshot(pid).items():
        stub = stub_of(process)
        # Instances are called det_0_1 or det_0_1_GPU0: model, group, number.
        model = f"process {process}" if stub is None else re.sub(r"_\d+_\d+(_\w+)?$", "", stub.name)
        name = "tritonserver" if process == pid else model
        used[name] += seconds - before.get(process, 0.0)
    return dict(used)


def merge(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Figures that were taken several times: of sizes in MiB the largest, of others the mean."""
    names = figures[0] if figures else ()
    return {
        name: (max if name.endswith("_mib") else fmean)(one[name] for one in figures)
        for name in names
    }
