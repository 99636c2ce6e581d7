"""How many replicas carry a load within its limits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from ppocr_bench.peers.result import percentile
from ppocr_bench.plan.arrivals import measured, poisson
from ppocr_bench.plan.costs import Costs
from ppocr_bench.plan.pipeline import Machine, pictures_of
from ppocr_bench.plan.simulate import Server, simulate_open

MOST = 1 << 20  # replicas, beyond which it is no plan


@dataclass(frozen=True)
class Load:
    """What is asked of all servers together.

    Attributes:
        rate: pictures a second.
        lines: numbers of lines that pictures have, all as frequent.
        gaps: recorded seconds between arrivals, None for Poisson arrivals.
        simulated: pictures of a simulation.
        seed: of all that is drawn.
    """

    rate: float
    lines: Sequence[float]
    gaps: Sequence[float] | None
    simulated: int
    seed: int


@dataclass(frozen=True)
class Expected:
    """Latency in milliseconds that a simulation gives."""

    p50_ms: float
    p99_ms: float


def least_replicas(rate: float, limit: float, utilisation: float) -> int:
    """How many are needed for none to be busier than it may be.

    Args:
        rate: pictures a second to all of them.
        limit: pictures a second that one answers at the most.
        utilisation: share of that limit.
    """
    return max(1, math.ceil(rate / (limit * utilisation) - 1e-9))


def expect(costs: Costs, server: Server, machine: Machine, load: Load, replicas: int) -> Expected:
    """Latency on one of so many replicas; a balancer that draws them at random is the worst one."""
    if load.gaps is None:
        arrivals = poisson(load.rate / replicas, load.simulated, load.seed)
    else:
        arrivals = measured(load.gaps, load.rate, replicas, load.simulated, load.seed)
    pictures = pictures_of(costs, machine, load.lines, load.seed + 1)
    times = simulate_open(server, pictures, arrivals).latencies
    return Expected(median(times) * 1e3, percentile(times, 99) * 1e3)


def fewest(
    expected: Callable[[int], Expected], least: int, alone_ms: float, max_p99_ms: float | None
) -> tuple[int, Expected, bool]:
    """The fewest replicas, from `least` on, that keep the limit, and whether there are any.

    Args:
        expected: latency on so many replicas.
        least: to begin with.
        alone_ms: of the slowest kind of picture when it waits for no other.
        max_p99_ms: the limit, None for none.
    """
    found = expected(least)
    if max_p99_ms is None or found.p99_ms <= max_p99_ms:
        return least, found, True
    if alone_ms > max_p99_ms:
        return least, found, False
    below, above = least, least
    while found.p99_ms > max_p99_ms:
        below, above = above, 2 * above
        if above > MOST:
            return least, expected(least), False
        found = expected(above)
    while above - below > 1:
        middle = (below + above) // 2
        tried = expected(middle)
        if tried.p99_ms <= max_p99_ms:
            above, found = middle, tried
        else:
            below = middle
    return above, found, True
