"""Seconds spent in each phase of this step, as a counter among Triton's own metrics.

Triton's statistics see the step as one piece. Telling Triton takes some 50 microseconds a counter,
so it is done once a second while there is work, and for the last requests with the next one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import triton_python_backend_utils as pb_utils

NAME = "ppocr_step_seconds_total"
DESCRIPTION = "Seconds that a step has spent in each phase of its work, all instances together"
TELL_SECONDS = 1.0


class Phases:
    """The phases of one model; every instance adds to the same counters."""

    def __init__(self, model: str, names: Sequence[str]) -> None:
        """Make the counters, labelled with `model` and the phase."""
        self._family = pb_utils.MetricFamily(NAME, DESCRIPTION, pb_utils.MetricFamily.COUNTER)
        self._counters = {
            name: self._family.Metric(labels={"model": model, "phase": name}) for name in names
        }
        self._untold = dict.fromkeys(names, 0.0)
        self._told_at = 0.0

    def begin(self) -> Callable[[str], None]:
        """Start a clock; calling what is returned adds the time since the last call to a phase."""
        last = time.perf_counter()

        def ended(phase: str) -> None:
            nonlocal last
            now = time.perf_counter()
            self._untold[phase] += now - last
            last = now

        return ended

    def tell(self) -> None:
        """Bring Triton's counters up to date where that was not done within the last second."""
        now = time.monotonic()
        if now - self._told_at < TELL_SECONDS:
            return
        self._told_at = now
        for name, seconds in self._untold.items():
            if seconds:
                self._counters[name].increment(seconds)
                self._untold[name] = 0.0
