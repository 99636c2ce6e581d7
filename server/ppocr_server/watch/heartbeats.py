"""Which processes of a tritonserver stood still for so long that Triton may have given them up.

While Triton 2.51 waits for an answer of a Python instance, it wants a sign of life within every
second; a thread of the instance's process gives one every 0.3 s. A process that gets no processor
for that long (another tenant of the machine has it, or somebody stopped it) is given up. It is not
ended: it goes on where it was, and its late answer is then taken for that of the next request, from
memory that is no longer its own. Triton soon dies of that.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

BEAT_SECONDS = 0.3
SILENCE_SECONDS = 0.8  # less than Triton's second, since looks at the processes lie between
LATE_SECONDS = 0.5  # between two looks: the watcher stood still itself
FIELD = "\nvoluntary_ctxt_switches:"


def silence(before: float, elapsed: float, beats: int) -> float:
    """Seconds for which a process has given no sign of life.

    Args:
        before: what this was at the last look.
        elapsed: seconds since then; more than a beat takes where the watcher itself stood still.
        beats: signs of life since then.
    """
    return before + elapsed if not beats else max(0.0, elapsed - beats * BEAT_SECONDS)


def beats_of(pid: int) -> int | None:
    """How often the thread that gives the signs has gone to sleep; None where there is none.

    It is the second thread of the process, before any of the model; the kernel lists them in the
    order in which they were made.
    """
    with contextlib.suppress(OSError, IndexError):
        with os.scandir(f"/proc/{pid}/task") as tasks:
            second = next(itertools.islice(tasks, 1, None)).path
        status = Path(second, "status").read_text()
        return int(status.partition(FIELD)[2].split(maxsplit=1)[0])
    return None


class Heartbeats:
    """Watches the signs of life of processes of Triton's Python backend."""

    def __init__(
        self,
        count: Callable[[int], int | None] = beats_of,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Watch nothing yet; tests count otherwise, by another clock."""
        self._count, self._clock = count, clock
        self._beats: dict[int, int] = {}
        self._silent: dict[int, float] = {}
        self._last = clock()

    def stopped(self, pids: Iterable[int]) -> list[int]:
        """Those of the processes that stood still; to be called several times a second.

        Nothing is said of a process before its first sign of life, nor of a time in which all stood
        still and the caller with them: so did Triton then.
        """
        # The time that the counting itself takes is in none of the intervals: whoever is held up in
        # the middle of it must not take that for a silence.
        elapsed = self._clock() - self._last
        beats = {pid: count for pid in pids if (count := self._count(pid)) is not None}
        self._last = self._clock()
        gained = {pid: beats[pid] - self._beats[pid] for pid in beats.keys() & self._beats.keys()}
        self._beats = beats
        self._silent = {
            pid: silence(self._silent.get(pid, 0.0), elapsed, gained[pid])
            for pid in gained
            if gained[pid] or pid in self._silent
        }
        found = sorted(pid for pid, seconds in self._silent.items() if seconds >= SILENCE_SECONDS)
        if elapsed > LATE_SECONDS and len(found) == len(self._silent):
            self._silent = dict.fromkeys(self._silent, 0.0)
            return []
        return found
