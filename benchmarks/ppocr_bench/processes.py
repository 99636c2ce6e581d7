"""What the processes of a server use: processor time and memory, and what its GPUs do."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import psutil

from ppocr_bench.errors import BenchError
from ppocr_server.watch.stubs import stub_of


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
