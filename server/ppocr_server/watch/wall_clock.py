"""Whether the clock on the wall was set ahead.

Triton 2.51 waits by it for the signs of life of its Python instances (see `heartbeats.py`): where
it is set ahead by about a second, those at work are given up at once, with the same consequences.
Time servers do so soon after a machine has started, or been woken up.
"""

from __future__ import annotations

import time
from collections.abc import Callable

AHEAD_SECONDS = 0.5  # Triton's second, less the time between two signs and some more


def _difference() -> float:
    return time.time() - time.monotonic()


class WallClock:
    """Compares the clock on the wall with the one that is never set."""

    def __init__(self, difference: Callable[[], float] = _difference) -> None:
        """Take the clock as it is; tests have another one."""
        self._read = difference
        self._difference = difference()

    def set_ahead(self) -> float:
        """Seconds by which it was set ahead since the last call; 0 for less than matters to Triton.

        A clock that is put back only makes Triton more patient.
        """
        before, self._difference = self._difference, self._read()
        ahead = self._difference - before
        return ahead if ahead >= AHEAD_SECONDS else 0.0
