"""The simulation held against a measured curve: what it predicts, and by how much it is off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from ppocr_bench.errors import BenchError
from ppocr_bench.peers.result import percentile
from ppocr_bench.plan.costs import Costs, busy
from ppocr_bench.plan.pipeline import Machine, build_server, pictures_of
from ppocr_bench.plan.simulate import simulate_closed
from ppocr_bench.plan.sweep_costs import served, whole
from ppocr_bench.reporting.verb import read

FIGURES = ("throughput", "p50_ms", "p99_ms")
#: Answers of a simulation: so many to each client, and at least so many.
EACH, LEAST = 20, 200


@dataclass(frozen=True)
class Compared:
    """One point of the curve; figures are pictures a second, p50 and p99 in milliseconds.

    Attributes:
        protocol: that was measured; the simulation knows none.
        concurrency: requests under way at any time.
        measured, predicted: by the names of FIGURES.
    """

    protocol: str
    concurrency: int
    measured: dict[str, float]
    predicted: dict[str, float]

    def off(self, figure: str) -> float:
        """Percent by which the prediction is above what was measured."""
        return (self.predicted[figure] / self.measured[figure] - 1) * 100

    def to_dict(self) -> dict[str, Any]:
        """Flat but for the figures, errors in percent."""
        return {
            "protocol": self.protocol,
            "concurrency": self.concurrency,
            "measured": self.measured,
            "predicted": self.predicted,
            "error_percent": {figure: self.off(figure) for figure in FIGURES},
        }


def check(path: Path, costs: Costs, seed: int) -> tuple[list[Compared], tuple[str, ...]]:
    """Every point of a sweep's result with so many requests at once, and notes on it.

    Instances, threads, cores and lines are those of that sweep; the costs are those given. All
    pictures are simulated with the same number of lines, so that p99 has only what waiting adds.

    Raises:
        BenchError: it is no result of a sweep, or has no such point.
    """
    result = read(path)
    if result["verb"] != "sweep":
        raise BenchError(f"--check {path} is a result of `{result['verb']}`, not of `sweep`")
    try:
        return list(_compare(result, costs, seed)), busy(result)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BenchError(
            f"--check {path} is not as `ppocr-bench sweep` writes it now "
            f"({type(error).__name__}: {error}); measure again"
        ) from error


def _compare(result: Mapping[str, Any], costs: Costs, seed: int) -> Iterator[Compared]:
    points = [p for p in result["points"] if p["concurrency"] and p["throughput"] is not None]
    if not points:
        raise BenchError("--check: no point with requests at once was measured; see --concurrency")
    cores = whole(result["cores"] or result["machine"]["cores"], "cores")
    instances, threads = served(result["models"])
    there = replace(costs, cores=cores, instances=instances, threads=threads)
    machine = Machine(cores, gpus=int(costs.gpu))
    server = build_server(there, machine)
    step = min(points, key=lambda point: point["concurrency"])["steps"]["rec"]
    lines = step["calls"] * step["batch"]

    @cache
    def predict(clients: int) -> dict[str, float]:
        pictures = pictures_of(there, machine, [lines], seed)
        outcome = simulate_closed(server, pictures, clients, max(LEAST, EACH * clients))
        times = [seconds * 1e3 for seconds in outcome.latencies]
        return dict(
            zip(FIGURES, (outcome.throughput, median(times), percentile(times, 99)), strict=True)
        )

    for point in points:
        measured = {figure: float(point[figure]) for figure in FIGURES}
        clients = point["concurrency"]
        yield Compared(point["protocol"], clients, measured, predict(clients))
