"""The way out of the pipeline: which pictures have left it.

It is a gauge among Triton's own metrics, which the last steps set and `admit` reads: the one thing
that all processes of a server can reach, and that ends with it.
"""

from __future__ import annotations

from typing import Any

import triton_python_backend_utils as pb_utils

from ppocr_steps import triton_io


class WayOut:
    """The ticket of the newest picture that has left."""

    def __init__(self) -> None:
        """Share the gauge with all other steps."""
        self._family = pb_utils.MetricFamily(
            "ppocr_newest_out",
            "Ticket of the newest picture that has left the pipeline, for the step admit",
            pb_utils.MetricFamily.GAUGE,
        )
        self._gauge = self._family.Metric(labels={})

    def leave(self, request: Any) -> None:
        """A picture leaves, read or refused; one that came without a ticket was not counted."""
        ticket = triton_io.optional_tensor(request, "TICKET")
        if ticket is not None:
            self._gauge.set(float(ticket.item()))

    def newest(self) -> float:
        """The ticket that was set last."""
        return float(self._gauge.value())
