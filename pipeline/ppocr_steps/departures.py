"""Which pictures have left the pipeline, told by its last steps to `admit`.

Triton's own metrics are the one thing that all processes of a server can reach, and that ends with
it. There is a gauge for each slot with the ADMISSION_ID of the newest picture that has left it, and
a counter of all departures, so that `admit` looks at the slots only when somebody has left.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from ppocr_steps import triton_io
from ppocr_steps.slots import LOST_IDS, SLOTS, admission_id_at

ADMISSION_ID = "ADMISSION_ID"
SECOND = 1_000_000_000  # nanoseconds


class Departures:
    """The gauges of the slots, shared by all steps of a server."""

    def __init__(self) -> None:
        """Make the counter; gauges are made when a slot is first used."""
        self._counters = pb_utils.MetricFamily(
            "ppocr_departures_total",
            "Pictures that have left the pipeline, for the step admit",
            pb_utils.MetricFamily.COUNTER,
        )
        self._gauges = pb_utils.MetricFamily(
            "ppocr_slot_departed",
            "Id of the newest picture that has left a slot of the pipeline, for the step admit",
            pb_utils.MetricFamily.GAUGE,
        )
        self._count = self._counters.Metric(labels={})
        self._slots: dict[int, Any] = {}

    def leave(self, request: Any) -> None:
        """A picture leaves, read or refused; one that came without an id was not admitted."""
        sent = triton_io.optional_tensor(request, ADMISSION_ID)
        if sent is None or sent.size != 1:
            return
        admission_id = int(sent.item())
        if not 0 < admission_id < admission_id_at(time.monotonic_ns() + SECOND, 0):
            return  # `admit` has given no such id yet
        gauge = self._slot(admission_id % SLOTS)
        # One that was given up as lost can leave after the next one in its slot: the gauge is only
        # ever raised. Before that it need not be asked, which is a message to the server.
        lost = admission_id + LOST_IDS < admission_id_at(time.monotonic_ns(), 0)
        if not lost or gauge.value() < admission_id:
            gauge.set(float(admission_id))
        self._count.increment(1)

    def hand_on(self, request: Any) -> dict[str, np.ndarray]:
        """The ADMISSION_ID for the next step; where none asks for it, the picture leaves."""
        sent = triton_io.optional_tensor(request, ADMISSION_ID)
        if sent is not None and ADMISSION_ID in request.requested_output_names():
            return {ADMISSION_ID: sent}
        self.leave(request)
        return {}

    def count(self) -> int:
        """How many pictures have left."""
        return int(self._count.value())

    def newest(self, slot: int) -> int:
        """The id of the newest picture that has left a slot, 0 before the first."""
        return int(self._slot(slot).value())

    def close(self) -> None:
        """Drop the metric handles: destroying them after `finalize` crashes the stub."""
        self._slots.clear()
        del self._count, self._counters, self._gauges

    def _slot(self, slot: int) -> Any:
        if slot not in self._slots:
            self._slots[slot] = self._gauges.Metric(labels={"slot": str(slot)})
        return self._slots[slot]
