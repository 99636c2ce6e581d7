"""Whether the wall clock was set ahead.

Triton 2.51 waits for heartbeats by the wall clock (see `heartbeats.py`). If it is set ahead by
about a second, Triton gives up at once the processes that have a request. Time services set the
clock soon after a machine has started or woken up.
"""

from __future__ import annotations

import time
from collections.abc import Callable

AHEAD_SECONDS = 0.5  # Triton's second, less the time between two heartbeats and a margin


def _difference() -> float:
    return time.time() - time.monotonic()


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
