"""Counters of our own among Triton's metrics, by its custom metrics API.

Telling Triton takes some 50 microseconds a counter, so it is done once a second while there is
work, and for the last requests with the next one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import triton_python_backend_utils as pb_utils

TELL_SECONDS = 1.0


class Counter:
    """One family of counters; every instance that makes it adds to the same numbers."""

    def __init__(
        self, name: str, description: str, labels: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        """Make the counters, which are seen as 0 from now on.

        Args:
            name: as Prometheus reads it.
            description: its help text.
            labels: of each counter by a key of ours; one without labels, under "", if left out.
        """
        self._family = pb_utils.MetricFamily(name, description, pb_utils.MetricFamily.COUNTER)
        labels = {"": {}} if labels is None else labels
        self._counters = {key: self._family.Metric(labels=dict(of)) for key, of in labels.items()}
        self._untold = dict.fromkeys(labels, 0.0)
        self._told_at = 0.0

    def add(self, amount: float, key: str = "") -> None:
        """Add to one counter."""
        self._untold[key] += amount

    def tell(self) -> None:
        """Bring Triton's numbers up to date where that was not done within the last second."""
        now = time.monotonic()
        if now - self._told_at < TELL_SECONDS:
            return
        self._told_at = now
        for key, amount in self._untold.items():
            if amount:
                self._counters[key].increment(amount)
                self._untold[key] = 0.0
