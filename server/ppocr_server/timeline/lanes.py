"""Rows on which nothing overlaps."""

from __future__ import annotations

import heapq
from collections.abc import Sequence


def lanes_of(spans: Sequence[tuple[int, int]]) -> list[int]:
    """Return a lane from 0 for each span, the lowest that is free when it begins.

    Args:
        spans: beginning and end of each.
    """
    lanes = [0] * len(spans)
    busy: list[tuple[int, int]] = []  # end, lane
    free: list[int] = []
    for index in sorted(range(len(spans)), key=lambda index: spans[index]):
        begin, end = spans[index]
        while busy and busy[0][0] <= begin:
            heapq.heappush(free, heapq.heappop(busy)[1])
        lanes[index] = heapq.heappop(free) if free else len(busy)
        heapq.heappush(busy, (end, lanes[index]))
    return lanes
