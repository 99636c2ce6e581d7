"""What the processes of a server use: processor time and memory, and what its GPUs do."""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean
from typing import Any

import psutil

from ppocr_bench.errors import BenchError
from ppocr_bench.server_statistics import gpus, read_metrics
from ppocr_server.watch.stub_processes import stub_of


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


class Watch:
    """Looks at a server's memory and GPUs in the background; what is None is not looked at.

    Entering and leaving raise BenchError where process or metrics are not there (any more).
    """

    def __init__(self, pid: int | None, metrics_url: str | None = None, every: float = 1.0) -> None:
        self._pid, self._metrics_url, self._every = pid, metrics_url, every
        self._seen: list[dict[str, float]] = []
        self._thread: int | None = None
        self._over, self._pool = threading.Event(), ThreadPoolExecutor(1)

    def __enter__(self) -> Watch:
        """Look once, which shows that it can be done, and go on looking."""
        self._look()
        self._looking = self._pool.submit(self._keep_looking)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Stop looking."""
        self._over.set()
        self._pool.shutdown()
        if kind is None:
            self._looking.result()

    @property
    def held(self) -> dict[str, float]:
        """The most memory; of GPUs the number, mean utilisation in percent, and most memory."""
        return merge(self._seen)

    def cpu_seconds(self) -> float:
        """The processor time that looking in the background has taken; while it is entered."""
        thread = self._thread
        return 0.0 if thread is None else time.clock_gettime(time.pthread_getcpuclockid(thread))

    def _look(self) -> None:
        memory = {} if self._pid is None else {"memory_mib": memory_mib(self._pid)}
        metrics = "" if self._metrics_url is None else read_metrics(self._metrics_url)
        self._seen.append(memory | gpus(metrics))

    def _keep_looking(self) -> None:
        self._thread = threading.get_ident()
        while not self._over.wait(self._every):
            self._look()
