"""Counters of our own among Triton's metrics, by its custom metrics API.

An increment is a message to the server and takes some 50 microseconds, so amounts are collected and
sent once a second by a thread of their own.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

import triton_python_backend_utils as pb_utils

FLUSH_SECONDS = 1.0


@dataclass(frozen=True)
class Family:
    """Counters of one name.

    Attributes:
        name: as Prometheus reads it.
        help: its help text.
        labels: of each counter by a key of ours; one counter without labels, under "", by default.
    """

    name: str
    help: str
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: {"": {}})


class Counters:
    """The counters of a step; every instance that makes them adds to the same numbers."""

    def __init__(self, *families: Family) -> None:
        """Make the counters, which are seen as 0 from now on, and start the thread."""
        self._families = [
            (family, pb_utils.MetricFamily(family.name, family.help, pb_utils.MetricFamily.COUNTER))
            for family in families
        ]
        self._counters = {
            (family.name, key): made.Metric(labels=dict(labels))
            for family, made in self._families
            for key, labels in family.labels.items()
        }
        self._pending = dict.fromkeys(self._counters, 0.0)
        self._lock = threading.Lock()
        self._added, self._closed = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._flush_each_second, daemon=True)
        self._thread.start()

    def add(self, family: Family, amount: float, key: str = "") -> None:
        """Add to one counter; Triton is told within `FLUSH_SECONDS`."""
        with self._lock:
            self._pending[family.name, key] += amount
        self._added.set()

    def close(self) -> None:
        """Send what is pending and drop the metric handles.

        A step calls it in `finalize`: handles destroyed later crash the stub.
        """
        self._closed.set()
        self._added.set()
        self._thread.join()
        self._flush()
        self._counters.clear()
        self._families.clear()

    def _flush_each_second(self) -> None:
        """Send what was added a second ago or less; sleep while nothing is added."""
        while self._added.wait() and not self._closed.wait(FLUSH_SECONDS):
            self._added.clear()
            self._flush()

    def _flush(self) -> None:
        with self._lock:
            amounts = {key: amount for key, amount in self._pending.items() if amount}
            self._pending = dict.fromkeys(self._counters, 0.0)
        for key, amount in amounts.items():
            self._counters[key].increment(amount)
