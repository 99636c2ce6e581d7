"""The statistics of config.yml's `dag.tracer`: what clients got, in Paddle Serving's lines.

The times of single models are in Triton's metrics.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from ppocr_server.paddle_serving.concurrency_limit import ConcurrencyLimit

LOG = logging.getLogger(__name__)
PERCENTILES = (50, 60, 70, 80, 90, 95, 99)


@dataclass
class Records:
    """Latencies of all requests, in milliseconds, and the ids of those that failed."""

    latencies: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def add(self, request_id: str, succeeded: bool, milliseconds: float) -> None:
        """Note the end of one request."""
        self.latencies.append(milliseconds)
        if not succeeded:
            self.failed.append(request_id)

    def take(self) -> Records:
        """Return what was noted and begin anew."""
        taken = Records(self.latencies, self.failed)
        self.latencies, self.failed = [], []
        return taken


async def trace(interval_s: int, records: Records, limit: ConcurrencyLimit) -> None:
    """Write a block every so many seconds until cancelled."""
    while True:
        began = time.monotonic()
        await asyncio.sleep(interval_s)
        for line in tracer_block(records.take(), limit, time.monotonic() - began):
            LOG.info(line)


def tracer_block(records: Records, limit: ConcurrencyLimit, seconds: float) -> Iterator[str]:
    """The lines of one block.

    Args:
        records: the requests of the interval.
        limit: of requests in progress and waiting.
        seconds: length of the interval.
    """
    yield "==================== TRACER ======================"
    if latencies := sorted(records.latencies):
        count = len(latencies)
        yield "DAGExecutor:"
        yield f"\tQuery count[{count}]"
        yield f"\tQPS[{count / seconds} q/s]"
        yield f"\tSucc[{1 - len(records.failed) / count}]"
        yield f"\tError req[{', '.join(records.failed)}]"
        yield "\tLatency:"
        yield f"\t\tave[{sum(latencies) / count} ms]"
        for percentile in PERCENTILES:
            yield f"\t\t.{percentile}[{latencies[count * percentile // 100]} ms]"
    yield f"Channel (server worker num[{limit.workers}]):"
    yield f"\tendpoint(In: ['client'], Out: ['endpoint']) size[{limit.waiting}/{limit.max_waiting}]"
