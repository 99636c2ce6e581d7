"""Which stub processes Triton may have given up: silent ones, or all when the clock is set ahead.

While Triton 2.51 waits for an answer of a stub, it expects a heartbeat within every second of the
wall clock. A thread of the stub gives one every 0.3 s. A process that gets no processor for a
second (another tenant has it, or somebody stopped it) is given up but not ended. It continues
later, and its late answer is taken for the answer to its next request, from memory that has been
freed. Triton soon crashes. If the clock is set ahead by about a second, Triton gives up at once the
processes that have a request. Time services do that soon after a machine has started or woken up.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

BEAT_SECONDS = 0.3
SILENCE_SECONDS = 0.8  # less than Triton's second, because of the time between two checks
AHEAD_SECONDS = 0.5  # Triton's second, less the time between two heartbeats and a margin
LATE_SECONDS = 0.5  # between two checks: the watcher was stopped as well
FIELD = b"\nvoluntary_ctxt_switches:"


def beats_of(pid: int) -> tuple[int, int] | None:
    """The thread that gives the heartbeats, and how often it has gone to sleep; None without one.

    It is the second thread of the process: the stub starts it before it loads the model, and the
    kernel lists threads in the order of their creation. While Triton ends the process, that
    thread ends first, and another one is the second.
    """
    with contextlib.suppress(OSError, IndexError, StopIteration):
        with os.scandir(f"/proc/{pid}/task") as tasks:
            second = next(itertools.islice(tasks, 1, None))
        with Path(second.path, "status").open("rb", 0) as file:
            count = int(file.read().partition(FIELD)[2].split(maxsplit=1)[0])
        return int(second.name), count
    return None


class Heartbeats:
    """Counts the heartbeats of stub processes."""

    def __init__(
        self,
        count: Callable[[int], tuple[int, int] | None] = beats_of,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Watch nothing yet; tests pass a counter and a clock of their own."""
        self._count, self._clock = count, clock
        self._threads: dict[int, int] = {}
        self._beats: dict[int, int] = {}
        self._silent: dict[int, float] = {}  # seconds since the last heartbeat
        self._last = clock()

    def stopped(self, pids: Iterable[int]) -> list[int]:
        """The process ids without a heartbeat for `SILENCE_SECONDS`.

        To be called several times a second. A process is reported only after its first heartbeat,
        and not while Triton ends it. If all processes and the caller were stopped (a paused virtual
        machine), Triton was stopped too, and nothing is reported.
        """
        # Counting takes no part of the interval: a pause during it must not look like silence.
        elapsed = self._clock() - self._last
        found = {pid: one for pid in pids if (one := self._count(pid)) is not None}
        self._last = self._clock()
        self._threads = {pid: self._threads.get(pid, thread) for pid, (thread, _) in found.items()}
        beats = {pid: n for pid, (thread, n) in found.items() if thread == self._threads[pid]}
        gained = {pid: beats[pid] - self._beats[pid] for pid in beats.keys() & self._beats.keys()}
        self._beats = beats
        since = {
            pid: max(0.0, elapsed - beats * BEAT_SECONDS)
            if beats
            else self._silent.get(pid, 0.0) + elapsed
            for pid, beats in gained.items()
        }
        self._silent = {pid: since[pid] for pid in gained if gained[pid] or pid in self._silent}
        silent = sorted(pid for pid, seconds in self._silent.items() if seconds >= SILENCE_SECONDS)
        if elapsed > LATE_SECONDS and len(silent) == len(self._silent):
            self._silent = dict.fromkeys(self._silent, 0.0)
            return []
        return silent


def _difference() -> float:
    return time.time() - time.monotonic()  # noqa: TID251 # it looks whether that clock was set


class WallClock:
    """Compares the wall clock with the monotonic clock."""

    def __init__(self, difference: Callable[[], float] = _difference) -> None:
        """Take the present difference in seconds as the reference; tests pass their own."""
        self._read = difference
        self._difference = difference()

    def set_ahead(self) -> float:
        """Seconds by which the wall clock was set ahead since the last call.

        Less than matters to Triton is 0. Setting the clock back only makes Triton wait longer.
        """
        before, self._difference = self._difference, self._read()
        ahead = self._difference - before
        return ahead if ahead >= AHEAD_SECONDS else 0.0
