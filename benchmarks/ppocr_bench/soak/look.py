"""What the processes of a server hold at one moment."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppocr_bench.errors import BenchError

SHARED_MEMORY = Path("/dev/shm")  # nosec B108 # the folder itself
PREFIX = "shm-region-prefix-name="
MIB = 2**20


@dataclass(frozen=True)
class Look:
    """Everything that tritonserver and the processes it started hold.

    Attributes:
        seconds: since the clients began.
        memory_mib: proportional set size: pages that several processes share count once.
        shared_mib: in use in the server's regions of /dev/shm.
        regions: of shared memory.
        files: open file descriptors.
        threads: of all processes.
        processes: their process ids.
    """

    seconds: float
    memory_mib: float
    shared_mib: float
    regions: int
    files: int
    threads: int
    processes: tuple[int, ...]


class Looker:
    """Looks at one server, again and again."""

    def __init__(self, pid: int) -> None:
        """Find the server and the mark of its shared memory.

        Args:
            pid: of tritonserver.

        Raises:
            BenchError: there is no such process, or it may not be looked into.
        """
        import psutil

        self._gone = (psutil.NoSuchProcess, psutil.ZombieProcess)
        self._denied = psutil.AccessDenied
        self._pid, self._begin = pid, 0.0
        try:
            self._server = psutil.Process(pid)
            words = self._server.cmdline()
        except self._gone as error:
            raise self._missing() from error
        self._prefix = next((w.partition(PREFIX)[2] for w in words if PREFIX in w), None)

    def start(self) -> None:
        """Count seconds from now on."""
        self._begin = time.monotonic()

    def look(self) -> Look:
        """What is held now.

        Raises:
            BenchError: the server ended, or may not be looked into.
        """
        held = list(self._each())
        sizes = [path.stat().st_blocks * 512 for path in self._regions()]
        return Look(
            seconds=time.monotonic() - self._begin,
            memory_mib=sum(pss for _, pss, _, _ in held) / MIB,
            shared_mib=sum(sizes) / MIB,
            regions=len(sizes),
            files=sum(files for _, _, files, _ in held),
            threads=sum(threads for _, _, _, threads in held),
            processes=tuple(sorted(pid for pid, _, _, _ in held)),
        )

    def _each(self) -> Iterator[tuple[int, float, int, int]]:
        """Of every process: its id, PSS in bytes, open files, threads."""
        try:
            family: list[Any] = [self._server, *self._server.children(recursive=True)]
            for process in family:
                try:
                    pss = process.memory_full_info().pss
                    yield process.pid, pss, process.num_fds(), process.num_threads()
                except self._gone:
                    if process is self._server:
                        raise
                    continue  # It ended since they were listed.
        except self._gone as error:
            raise self._missing() from error
        except self._denied as error:
            raise BenchError(
                f"process {self._pid} may not be looked into: run this as the user who started "
                "the server, or leave --pid out"
            ) from error

    def _regions(self) -> list[Path]:
        if self._prefix is None:
            return []
        return [path for path in SHARED_MEMORY.iterdir() if path.name.startswith(self._prefix)]

    def _missing(self) -> BenchError:
        return BenchError(f"the server's process {self._pid} is not there (any more)")
