"""What a server uses while it is measured: cores, memory, and the GPU where there is one."""

from __future__ import annotations

import contextlib
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from ppocr_bench.errors import BenchError

EVERY = 1.0  # seconds between two looks
GPU = {"nv_gpu_utilization": "utilisation", "nv_gpu_memory_used_bytes": "bytes"}


@dataclass(frozen=True)
class Usage:
    """Of a server and every process it started, while something ran.

    Attributes:
        cores: processor seconds used in a second.
        pss_mib: the largest proportional set size seen: memory, shared pages counted once.
        processes: how many there were.
        gpu_utilisation: mean share of the time in which the GPU worked, None without one.
        gpu_memory_mib: the most memory of all GPUs together, None without one.
    """

    cores: float | None = None
    pss_mib: float | None = None
    processes: int | None = None
    gpu_utilisation: float | None = None
    gpu_memory_mib: float | None = None


class Watch:
    """Looks at a server in the background between `start` and `stop`."""

    def __init__(self, pid: int | None, metrics_url: str | None) -> None:
        """What is None is not looked at."""
        self._pid, self._metrics_url = pid, metrics_url
        self._memory: list[float] = []
        self._gpu: list[dict[str, list[float]]] = []
        self._error: BenchError | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def start(self) -> Watch:
        """Look once, which shows that it can be done, and go on looking.

        Raises:
            BenchError: the process or the metrics are not there, or may not be looked into.
        """
        self._look()
        self._begin = time.monotonic(), self._sum(_cpu_seconds)
        self._thread.start()
        return self

    def stop(self) -> Usage:
        """Look no more; what was seen since `start`.

        Raises:
            BenchError: looking failed meanwhile.
        """
        cpu, seconds = self._sum(_cpu_seconds), time.monotonic()
        self._end.set()
        self._thread.join()
        if self._error is not None:
            raise self._error
        utilisation = [fmean(look["utilisation"]) for look in self._gpu if look["utilisation"]]
        memory = [sum(look["bytes"]) for look in self._gpu if look["bytes"]]
        ours = self._pid is not None
        return Usage(
            (cpu - self._begin[1]) / (seconds - self._begin[0]) if ours else None,
            max(self._memory) / 2**20 if ours else None,
            len(self._processes()) if ours else None,
            fmean(utilisation) if utilisation else None,
            max(memory) / 2**20 if memory else None,
        )

    def _look_on(self) -> None:
        while not self._end.wait(EVERY):
            try:
                self._look()
            except BenchError as error:
                self._error = error
                return

    def _look(self) -> None:
        if self._pid is not None:
            self._memory.append(self._sum(_pss))
        if self._metrics_url is not None:
            self._gpu.append(gpu_metrics(_get(self._metrics_url)))

    def _sum(self, figure: Callable[[Any], float]) -> float:
        import psutil

        total = 0.0
        for process in self._processes():
            try:
                total += figure(process)
            except psutil.NoSuchProcess:
                continue  # It ended since they were listed.
            except psutil.AccessDenied as error:
                raise BenchError(
                    f"process {process.pid} may not be looked into: run this as the user who "
                    "started the server, or leave --pid out"
                ) from error
        return total

    def _processes(self) -> list[Any]:
        import psutil

        if self._pid is None:
            return []
        try:
            root = psutil.Process(self._pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess as error:
            raise BenchError(f"the server's process {self._pid} is not there") from error


def _pss(process: Any) -> float:
    return process.memory_full_info().pss


def _cpu_seconds(process: Any) -> float:
    return sum(process.cpu_times()[:2])


def gpu_metrics(text: str) -> dict[str, list[float]]:
    """Utilisation (0 – 1) and used bytes of each GPU in Triton's metrics, in Prometheus' format."""
    found: dict[str, list[float]] = {short: [] for short in GPU.values()}
    for line in text.splitlines():
        name = line.partition("{")[0]
        if name in GPU:
            found[GPU[name]].append(float(line.rpartition(" ")[2]))
    return found


def _get(url: str) -> str:
    try:
        opened = urllib.request.urlopen(url, timeout=10)  # nosec B310 # the operator's address
        with contextlib.closing(opened) as answer:
            return answer.read().decode()
    except OSError as error:
        raise BenchError(f"no metrics at {url}: {error}; see --metrics-url") from error
