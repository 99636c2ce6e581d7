"""How many servers a load needs: measured processor time of a page, divided by what a machine has.

Costs come from a result of `sweep`: the processor milliseconds a page of each step at the highest
throughput. `recognize`, `rec` and `cls` cost by the line, the other steps by the page. Cores are
taken to add up evenly. With --max-p99-ms processors are filled no further than the sweep was
within that limit.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from ppocr_bench.errors import BenchError
from ppocr_bench.options import REQUIRED, list_of
from ppocr_bench.record import Result, Row, Table, read_result
from ppocr_client.commands.argument_types import above_zero, at_least

SERVER = "tritonserver"
NETWORKS = ("det", "cls", "rec")
BY_THE_LINE = ("recognize", "cls", "rec")
SEVERAL = "of a picture; several are taken to be equally frequent"
OPTIONS = {
    "--rate": (above_zero, REQUIRED, "pictures a second, at the peak", "R"),
    "--lines": (list_of(at_least(0)), REQUIRED, SEVERAL, "N,…"),
    "--costs": (Path, REQUIRED, "a result of `sweep`, by --out", "FILE"),
    "--cores": (at_least(1), REQUIRED, "of a replica, as those that were measured", "N"),
    "--utilisation": (above_zero, 0.7, "to which processors are filled"),
    "--max-p99-ms": (above_zero, None, "in which 99 of 100 are to be answered", "MS"),
    "--redundancy": (at_least(0), 1, "replicas that may be lost: N + K", "K"),
}
HOW = (
    "run `ppocr-bench sweep --concurrency 1,2,4,8 --out FILE` on the machine that will serve, with "
    "nothing else running"
)


class Costs(NamedTuple):
    """What a page takes of a core by step; p99_ms and used share of cores by load."""

    cpu_ms: Mapping[str, float]
    measured_lines: float
    memory_gib_a_core: float
    loads: Sequence[tuple[float, float]]


def run(args: argparse.Namespace) -> Result:
    """Divide the load by what one replica can do."""
    lines = fmean(args.lines)
    costs = read_costs(args.costs, lines)
    most = args.cores * 1e3 / sum(costs.cpu_ms.values())
    within = [used for p99, used in costs.loads if p99 <= (args.max_p99_ms or math.inf)]
    utilisation = min(args.utilisation, max(within, default=1) if args.max_p99_ms else 1)
    working = max(1, math.ceil(args.rate / (most * utilisation) - 1e-9))
    replicas, memory = working + args.redundancy, costs.memory_gib_a_core * args.cores
    used = args.rate / working / most
    steps = [{"step": step, "cpu_ms": ms} for step, ms in costs.cpu_ms.items()]
    late = f"no load that was measured was answered within {args.max_p99_ms} ms"
    return Result(
        f"{args.rate:g} pictures/s of {lines:g} lines take {replicas} replicas ({working} and "
        f"{args.redundancy} spare): {replicas * args.cores} cores, {memory:.1f} GiB a replica; "
        f"processors filled to {used:.0%}, at most {utilisation:.0%}",
        ok=bool(within),
        settings={
            "measured_lines": costs.measured_lines,
            "utilisation": utilisation,
            "most_per_second": most,
            "working": working,
            "replicas": replicas,
            "memory_gib_a_replica": memory,
        },
        tables={"steps": Table(steps, list(steps[0]), f"Work of a page with {lines:g} lines")},
        notes=[] if within else [late],
    )


def read_costs(path: Path, lines: float) -> Costs:
    """What a page of so many lines costs by a sweep; BenchError where it does not tell that."""
    result = read_result(path)
    try:
        return costs_of(result, lines)
    except (BenchError, KeyError, TypeError, ValueError) as error:
        said = f"{path}, a result of `{result['verb']}`, tells no costs ({error!r})"
        raise BenchError(f"{said}; {HOW}") from error


def costs_of(result: Mapping[str, Any], lines: float) -> Costs:
    """The costs at the point of the highest throughput.

    Networks without a process of their own share what the server's process used, by the time they
    worked.
    """
    rows: Sequence[Row] = result["tables"]["points"]["rows"]
    points = [row for row in rows if not row["error"]]
    if not points or any(row["cpu_ms"] is None for row in points):
        raise BenchError("no processor time of requests at once: name the process with --pid")
    if any("gpus" in row for row in points):
        raise BenchError("the networks ran on a GPU, and cores alone are planned: see docs/gpu.md")
    steps = {row["step"]: row for row in result["tables"]["steps"]["rows"]}
    if not {"det", "rec"} <= steps.keys():
        raise BenchError("no text was read, or the metrics were not: name --metrics-url")
    measured = steps["rec"]["calls"] * steps["rec"]["batch"]
    cpu = {name: row["cpu_ms"] for name, row in steps.items() if row["cpu_ms"] is not None}
    inside = {n: steps[n]["work_ms"] for n in NETWORKS if n in steps and n not in cpu}
    if inside:
        used = cpu.pop(SERVER)
        cpu |= {name: used * work / sum(inside.values()) for name, work in inside.items()}
    cores = result["settings"]["cores"] or result["machine"]["cores"]
    by_page = {n: ms * (lines / measured if n in BY_THE_LINE else 1) for n, ms in cpu.items()}
    memory = max(row["memory_mib"] for row in points) / 1024 / cores
    loads = [(row["p99_ms"], row["cores"] / cores) for row in points]
    return Costs(by_page, measured, memory, loads)
