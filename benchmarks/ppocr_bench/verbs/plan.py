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
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import yaml

from ppocr_bench.errors import BenchError
from ppocr_bench.options import REQUIRED, at_least, list_of, positive, share
from ppocr_bench.record import Result, Row, Table
from ppocr_bench.verbs.report import read

DAY = 86_400  # seconds
CLASSES = Path(__file__).parents[1] / "hardware.yml"
SERVER = "tritonserver"
NETWORKS = ("det", "cls", "rec")
BY_THE_LINE = ("recognize", "cls", "rec")
SEVERAL = "of a picture; several are taken to be equally frequent"
OPTIONS = {
    "--rate": (positive, None, "pictures a second, at the peak", "R"),
    "--pages-per-day": (positive, None, "the same, spread over the whole day", "N"),
    "--lines": (list_of(at_least(0)), REQUIRED, SEVERAL, "N,…"),
    "--hardware": (str, REQUIRED, "of each replica", "NAME"),
    "--costs": (Path, None, "a result of `sweep`, by --out", "FILE"),
    "--hardware-file": (Path, CLASSES, "your machines and prices; else examples", "FILE"),
    "--utilisation": (share, 0.7, "to which processors are filled"),
    "--max-p99-ms": (positive, None, "in which 99 of 100 are to be answered", "MS"),
    "--redundancy": (at_least(0), 1, "replicas that may be lost: N + K", "K"),
}
HOW = (
    "costs are measured, never assumed: run `ppocr-bench sweep --concurrency 1,2,4,8 --out FILE` "
    "on the machine that will serve, with nothing else running, and give --costs FILE"
)


@dataclass(frozen=True)
class Hardware:
    """One class of machines; `speed` is of a core, beside one of the machine that was measured."""

    cores: int
    memory_gib: float
    price_per_hour: float
    gpus: int = 0
    speed: float = 1.0


class Costs(NamedTuple):
    """What a page takes, milliseconds of a core and of a GPU by step, and what it was measured on.

    `loads` are the points of the sweep: p99_ms, and the share of the processors that was used.
    """

    cpu_ms: Mapping[str, float]
    gpu_ms: Mapping[str, float]
    measured_lines: float
    memory_gib_a_core: float
    loads: Sequence[tuple[float, float]]


def run(args: argparse.Namespace) -> Result:
    """Divide the load by what one machine can do."""
    if (args.rate is None) == (args.pages_per_day is None):
        raise BenchError("give either --rate or --pages-per-day")
    lines = fmean(args.lines)
    costs, hardware = (
        read_costs(args.costs, lines),
        read_hardware(args.hardware_file, args.hardware),
    )
    limits = {"cores": hardware.cores * hardware.speed * 1e3 / sum(costs.cpu_ms.values())}
    if costs.gpu_ms:
        if not hardware.gpus:
            raise BenchError(f"the costs were measured on a GPU, and {args.hardware} has none")
        limits["GPUs"] = hardware.gpus * 1e3 / sum(costs.gpu_ms.values())
    within = [used for p99, used in costs.loads if p99 <= (args.max_p99_ms or math.inf)]
    utilisation = min(args.utilisation, max(within, default=1) if args.max_p99_ms else 1)
    rate = args.rate or args.pages_per_day / DAY
    working = max(1, math.ceil(rate / (min(limits.values()) * utilisation) - 1e-9))
    replicas, memory = working + args.redundancy, costs.memory_gib_a_core * hardware.cores
    price = replicas * hardware.price_per_hour * 1e6 / (rate * 3600)
    parts = [
        {"part": part, "most_per_second": most, "used_percent": 100 * rate / working / most}
        for part, most in sorted(limits.items(), key=lambda item: item[1])
    ]
    steps = [
        {"step": step, "cpu_ms": costs.cpu_ms.get(step), "gpu_ms": costs.gpu_ms.get(step)}
        for step in {**costs.cpu_ms, **costs.gpu_ms}
    ]
    notes = ["prices are examples unless you have set them"]
    if not within:
        notes.append(f"no load that was measured was answered within {args.max_p99_ms:g} ms")
    if memory > hardware.memory_gib:
        notes.append(f"a replica of {memory:.1f} GiB does not fit {hardware.memory_gib:g} GiB")
    caption = f"Work of a page with {lines:g} lines"
    return Result(
        f"{rate:g} pictures/s of {lines:g} lines take {replicas} replicas of {args.hardware} "
        f"({working} and {args.redundancy} spare): {replicas * hardware.cores} cores, "
        f"{replicas * hardware.gpus} GPUs, {memory:.1f} of {hardware.memory_gib:g} GiB a replica; "
        f"processors filled to {utilisation:.0%} at most; a million pages cost {price:.2f}",
        ok=bool(within) and memory <= hardware.memory_gib,
        settings={
            "rate": rate,
            "lines": lines,
            "measured_lines": costs.measured_lines,
            "utilisation": utilisation,
            "working": working,
            "replicas": replicas,
            "memory_gib_a_replica": memory,
            "price_of_a_million_pages": price,
        },
        tables={
            "steps": Table(steps, ["step", "cpu_ms", "gpu_ms"], caption),
            "parts": Table(parts, list(parts[0]), "One replica, what fills up first at the top"),
        },
        notes=notes,
    )


def read_costs(path: Path | None, lines: float) -> Costs:
    """What a page of so many lines costs by a sweep.

    Raises:
        BenchError: there is no sweep's result, or it does not tell processor time.
    """
    if path is None:
        raise BenchError(HOW)
    result = read(path)
    if result["verb"] != "sweep":
        raise BenchError(f"{path} is a result of `{result['verb']}`; {HOW}")
    try:
        return costs_of(result, lines)
    except (KeyError, TypeError, ValueError) as error:
        said = f"is not as `ppocr-bench sweep` writes it now ({error!r}); measure again"
        raise BenchError(f"{path} {said}") from error
    except BenchError as error:
        raise BenchError(f"{path}: {error}") from error


def costs_of(result: Mapping[str, Any], lines: float) -> Costs:
    """The costs at the point of the highest throughput.

    Networks without a process of their own share what the server's process used, or else the GPU,
    by the time they worked.
    """
    rows: Sequence[Row] = result["tables"]["points"]["rows"]
    points = [row for row in rows if row["concurrency"] and not row["error"]]
    if not points or any(row["cpu_ms"] is None for row in points):
        raise BenchError(
            "it holds no processor time of requests at once: sweep --concurrency a server that is "
            "started for it, or name the server's process with --pid"
        )
    best = max(points, key=lambda row: row["pictures_per_second"])
    steps = {r["step"]: r for r in result["tables"]["steps"]["rows"] if r["at"] == best["at"]}
    if not {"det", "rec"} <= steps.keys():
        raise BenchError(f"of det and rec only {', '.join(steps)} worked: no text was read")
    measured = steps["rec"]["calls"] * steps["rec"]["batch"]
    cpu = {name: row["cpu_ms"] for name, row in steps.items() if row["cpu_ms"] is not None}
    inside = {n: steps[n]["work_ms"] for n in NETWORKS if n in steps and n not in cpu}
    gpu: dict[str, float] = {}
    if inside and "gpus" in best:
        used = best["gpu_percent"] / 100 * best["gpus"] * 1e3 / best["pictures_per_second"]
        gpu = {name: used * work / sum(inside.values()) for name, work in inside.items()}
    elif inside:
        used = cpu.pop(SERVER)
        cpu |= {name: used * work / sum(inside.values()) for name, work in inside.items()}
    cores = result["settings"]["cores"] or result["machine"]["cores"]

    def scaled(costs: Mapping[str, float]) -> dict[str, float]:
        return {n: ms * (lines / measured if n in BY_THE_LINE else 1) for n, ms in costs.items()}

    memory = max(row["memory_mib"] for row in points) / 1024 / cores
    loads = [(row["p99_ms"], row["cores"] / cores) for row in points]
    return Costs(scaled(cpu), scaled(gpu), measured, memory, loads)


def read_hardware(path: Path, name: str) -> Hardware:
    """One class of machines of a file that people edit.

    Raises:
        BenchError: the file cannot be read, has no such class, or the class is not as it must be.
    """
    try:
        classes = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise BenchError(f"cannot read {path} as YAML: {error}") from error
    if not isinstance(classes, dict) or name not in classes:
        known = ", ".join(map(str, classes)) if isinstance(classes, dict) else "nothing"
        raise BenchError(
            f"--hardware {name}: {path} has {known}; add a class, or take one of these"
        )
    try:
        hardware = Hardware(**classes[name])
    except TypeError as error:
        raise BenchError(
            f"{path}: {name} is {classes[name]!r}; it must have cores, memory_gib and "
            "price_per_hour, may have gpus and speed, and nothing else"
        ) from error
    for key, value in vars(hardware).items():
        kinds = (int,) if key in ("cores", "gpus") else (int, float)
        if type(value) not in kinds or value < 0 or (not value and key != "gpus"):
            kind = "a whole number" if kinds == (int,) else "a number"
            raise BenchError(f"{path}: {name}: {key} is {value!r}, not {kind} above 0")
    return hardware
