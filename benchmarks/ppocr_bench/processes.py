"""What the processes of a server hold and use: processor time, memory, files, threads."""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import psutil

from ppocr_bench.errors import BenchError
from ppocr_bench.server_statistics import gpus, read_metrics
from ppocr_server.watch.stub_processes import stub_of

SHARED_MEMORY = Path("/dev/shm")  # nosec B108 # the folder itself
PREFIX = "shm-region-prefix-name="
MIB = 2**20


class Snapshot(NamedTuple):
    """What a server and the processes it started hold at one moment, `seconds` after the first.

    Memory is the proportional set size: pages that several processes share count once. `regions`
    are of the server's shared memory, of which `shared_mib` are in use.
    """

    seconds: float
    memory_mib: float
    shared_mib: float
    regions: int
    files: int
    threads: int
    processes: tuple[int, ...]


def family(pid: int) -> list[Any]:
    """A process and all that it started, as psutil has them; BenchError where it is not there."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except (psutil.NoSuchProcess, psutil.ZombieProcess) as error:
        raise BenchError(f"the server's process {pid} is not there (any more)") from error


def process_snapshot(pid: int, begin: float = 0.0) -> Snapshot:
    """What a server holds now, `begin` being 0 of its seconds.

    Raises:
        BenchError: the process is not there, or belongs to another user.
    """
    held: list[tuple[int, float, int, int]] = []
    for process in family(pid):
        try:
            pss = process.memory_full_info().pss
            held.append((process.pid, pss, process.num_fds(), process.num_threads()))
        except psutil.NoSuchProcess:  # It ended since they were listed.
            continue
        except psutil.AccessDenied as error:
            raise BenchError(
                f"process {pid} may not be looked into: run this as the user who started the "
                "server, or leave --pid out"
            ) from error
    sizes = [path.stat().st_blocks * 512 for path in _regions(pid)]
    pids, memory, files, threads = zip(*held, strict=True)
    seconds, used = time.monotonic() - begin, (sum(memory) / MIB, sum(sizes) / MIB)
    return Snapshot(seconds, *used, len(sizes), sum(files), sum(threads), tuple(sorted(pids)))


def _regions(pid: int) -> list[Path]:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    prefix = next((word.partition(PREFIX)[2] for word in words if PREFIX in word), None)
    return [path for path in SHARED_MEMORY.iterdir() if prefix and path.name.startswith(prefix)]


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
    """Takes `snapshots` of a server in the background; what is None is not looked at.

    `check` and leaving raise BenchError where the process or the metrics are not there (any more).
    """

    def __init__(self, pid: int | None, metrics_url: str | None = None, every: float = 1.0) -> None:
        self._pid, self._metrics_url, self._every = pid, metrics_url, every
        self.snapshots: list[Snapshot] = []
        self._gpus: list[dict[str, float]] = []
        self._over, self._pool = threading.Event(), ThreadPoolExecutor(1)

    def __enter__(self) -> Watch:
        """Look once, which shows that it can be done, and go on looking."""
        self._begin = time.monotonic()
        self._take()
        self._looking = self._pool.submit(self._keep_taking)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Stop looking."""
        self._over.set()
        self._pool.shutdown()
        if kind is None:
            self._looking.result()

    def check(self) -> None:
        """Raise what went wrong in the background."""
        if self._looking.done():
            self._looking.result()

    @property
    def gpus(self) -> dict[str, float]:
        """Number of GPUs, mean utilisation in percent, largest memory; nothing without a GPU."""
        return merge(self._gpus)

    def _take(self) -> None:
        if self._pid is not None:
            self.snapshots.append(process_snapshot(self._pid, self._begin))
        if self._metrics_url is not None and (found := gpus(read_metrics(self._metrics_url))):
            self._gpus.append(found)

    def _keep_taking(self) -> None:
        while not self._over.wait(self._every):
            self._take()
