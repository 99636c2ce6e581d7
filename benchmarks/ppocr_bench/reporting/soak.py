"""A soak: whether the server stayed as it was, and its figures over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ppocr_bench.reporting.blocks import Block, Figure, Section, Table, Text, number
from ppocr_bench.reporting.charts import Dot, Line, line_chart

Result = Mapping[str, Any]
MEMORY = {"memory_mib": "memory", "shared_mib": "shared memory"}
COUNTS = {"files": "open files", "threads": "threads", "regions": "regions of shared memory"}


def soak_section(result: Result) -> Section:
    """The verdict, first and last values, and a chart of each kind of figure."""
    text = (
        f"{number(result['minutes'])} minutes, {result['clients']} clients, "
        f"{sum(result['counts'].values()):,} requests, {result['faulty']} faults"
    )
    faults = [Text(fault, good=False) for fault in result["faults"]]
    rows = [
        [
            verdict["name"].replace("_mib", ""),
            verdict["unit"],
            number(verdict["first"]),
            number(verdict["last"]),
            number(verdict["allowed"]),
            "yes" if verdict["ok"] else "NO",
        ]
        for verdict in result["verdicts"]
    ]
    head = ["figure", "unit", "first third", "last third", "allowed", "flat"]
    allowed = "; ".join(bound["says"] for bound in result["bounds"])
    blocks: list[Block] = [Text(text, result["ok"]), *faults]
    blocks += [Table(head, rows, words=2), Text(f"Allowed at the end: {allowed} more.")]
    looks = result["looks"]
    if looks:
        blocks.append(_figure("soak-memory", "Memory of all processes together.", looks, MEMORY))
        blocks.append(_figure("soak-counts", "What they have open.", looks, COUNTS))
    if result["latency"]:
        blocks.append(_latency(result))
    return Section("As at the beginning, after a long time", blocks)


def _figure(
    name: str, caption: str, looks: list[Mapping[str, Any]], keys: Mapping[str, str]
) -> Figure:
    lines = [
        Line(title, [Dot(look["seconds"] / 60, look[key]) for look in looks])
        for key, title in keys.items()
    ]
    unit = "MiB" if keys is MEMORY else "number"
    return Figure(name, caption, line_chart(lines, "minutes", unit))


def _latency(result: Result) -> Figure:
    step = result["minutes"] / len(result["latency"])
    dots = [Dot((index + 0.5) * step, value) for index, value in enumerate(result["latency"])]
    svg = line_chart([Line("latency", dots)], "minutes", "times the usual")
    return Figure("soak-latency", "Latency, in times of each picture's own median.", svg)
