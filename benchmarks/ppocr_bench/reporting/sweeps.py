"""Sweeps: throughput against latency, where the time goes, and how it scales."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ppocr_bench.reporting.blocks import Block, Figure, Section, Table, Text, number
from ppocr_bench.reporting.charts import Bar, Dot, Line, Part, bar_chart, line_chart

Result = Mapping[str, Any]
LATENCIES = ("mean", "p50", "p80", "p90", "p99")
#: Steps in the order in which a picture goes through them; those inside another one are not added.
ORDER = ("det_preprocess", "det", "det_postprocess", "recognize")
INSIDE = ("cls", "rec")
OUTSIDE = 5  # the colour of what is in no step


def sweep_sections(results: Sequence[Result]) -> list[Section]:
    """One section for what the client saw, one for the steps, one for scaling if there is any."""
    figure = _against_latency(results)
    load: list[Block] = [] if figure is None else [figure]
    steps: list[Block] = []
    for result in results:
        load += _client(result)
        steps += _steps(result)
    note = Text(
        "Load is requests at once, or requests a second where it says /s. Milliseconds a picture "
        "are by Triton's own statistics, waiting + working. rec works inside recognize, for "
        "several batches at the same time."
    )
    return [
        Section("Throughput and latency under load", load),
        Section("Where the time goes, step by step", [*steps, note]),
        *_scaling(results),
    ]


def name_of(result: Result) -> str:
    """The user's label of a sweep."""
    return str(result.get("label", "sweep"))


def best(result: Result) -> float:
    """The highest throughput of a sweep, pictures a second."""
    return max((point["throughput"] for point in measured(result)), default=0.0)


def measured(result: Result) -> list[Mapping[str, Any]]:
    """The points of concurrency that have figures, by protocol and concurrency."""
    points = [p for p in result["points"] if p["concurrency"] and p["throughput"] is not None]
    return sorted(points, key=lambda point: (point["protocol"], point["concurrency"]))


def _load(point: Mapping[str, Any]) -> str:
    return f"{point['concurrency']}" if point["rate"] is None else f"{point['rate']:g}/s"


def _against_latency(results: Sequence[Result]) -> Figure | None:
    lines: list[Line] = []
    for result in results:
        points = measured(result)
        for protocol in dict.fromkeys(point["protocol"] for point in points):
            name = protocol if len(results) == 1 else f"{name_of(result)}, {protocol}"
            own = [point for point in points if point["protocol"] == protocol]
            main = [Dot(p["throughput"], p["p50_ms"], f"{p['concurrency']}") for p in own]
            rare = [Dot(p["throughput"], p["p99_ms"], f"{p['concurrency']}") for p in own]
            lines.append(Line(f"{name}, p50", main))
            lines.append(Line(f"{name}, p99", rare, like=len(lines) - 1))
    if not lines:
        return None
    caption = "Each dot is a number of requests at once. Lower and further right is better."
    svg = line_chart(lines, "pictures a second", "latency, ms")
    return Figure("throughput-latency", caption, svg)


def _client(result: Result) -> list[Block]:
    head = ["protocol", "load", "pictures/s", *(f"{name} ms" for name in LATENCIES)]
    head += ["answers", "failed", "server cores", "PSS MiB", "GPU", "GPU MiB", "windows agree"]
    rows = []
    for point in result["points"]:
        agreed = point["stable"] or point["rate"] is not None
        gpu = point["gpu_utilisation"]
        rows.append(
            [
                point["protocol"],
                _load(point),
                number(point["throughput"]),
                *(number(point[f"{name}_ms"]) for name in LATENCIES),
                number(point["requests"]),
                number(point["failures"]),
                number(point["cores"]),
                number(point["pss_mib"]),
                "–" if gpu is None else f"{gpu:.0%}",
                number(point["gpu_memory_mib"]),
                "–" if point["throughput"] is None else "yes" if agreed else "no",
            ]
        )
    pictures = result["pictures"]
    what = f"{len(pictures)} pictures in turn" if len(pictures) > 3 else ", ".join(pictures)
    held = result["cores"]
    cores = "" if held is None else f", server on {held} core{'s' if held > 1 else ''}"
    blocks: list[Block] = [Table(*_filled(head, rows), f"{name_of(result)}: {what}{cores}")]
    blocks += [
        Text(f"{point['protocol']} {_load(point)}: {point['error']}", good=False)
        for point in result["points"]
        if point["error"]
    ]
    served = [
        f"{name}: {model['engine']}, {model['instances']} instances"
        for name, model in result["models"].items()
        if model["instances"]
    ]
    blocks.append(Text("; ".join(served)))
    return blocks


def _filled(
    head: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[list[str], list[list[str]]]:
    """Without the columns in which no row has anything."""
    keep = [i for i in range(len(head)) if any(row[i] != "–" for row in rows)]
    return [head[i] for i in keep], [[row[i] for i in keep] for row in rows]


def _work(step: Mapping[str, float]) -> float:
    return step["input_ms"] + step["infer_ms"] + step["output_ms"]


def _steps(result: Result) -> list[Block]:
    points = [p for p in result["points"] if p["steps"] and p["throughput"] is not None]
    if not points:
        return []
    names = _in_order(points)
    rows = []
    for point in points:
        steps = [point["steps"].get(name) for name in names]
        cells = ["–" if s is None else f"{s['queue_ms']:.1f} + {_work(s):.1f}" for s in steps]
        rec = point["steps"].get("rec", {})
        rows.append([point["protocol"], _load(point), *cells, number(rec.get("calls"))])
    head = ["protocol", "load", *names, "rec batches"]
    bars = [p for p in points if p["protocol"] == points[0]["protocol"] and p["concurrency"]]
    chart = bar_chart([_bar(point, names) for point in bars], "ms of one request")
    caption = f"{name_of(result)}, {points[0]['protocol']}: faint is waiting for an instance."
    figure = Figure("steps", caption, chart)
    return [*([figure] if bars else []), Table(head, rows, name_of(result))]


def _in_order(points: Sequence[Mapping[str, Any]]) -> list[str]:
    found = dict.fromkeys(name for point in points for name in point["steps"])
    known = [name for name in (*ORDER, *INSIDE) if name in found]
    return [*known, *(name for name in found if name not in known)]


def _bar(point: Mapping[str, Any], names: Sequence[str]) -> Bar:
    parts, inside = [], 0.0
    for colour, name in enumerate(name for name in names if name not in INSIDE):
        step = point["steps"].get(name)
        if step is not None:
            work = _work(step)
            parts.append(Part(f"{name}, waiting", step["queue_ms"], colour, faint=True))
            parts.append(Part(name, work, colour))
            inside += step["queue_ms"] + work
    parts.append(Part("outside the steps", max(0.0, point["mean_ms"] - inside), OUTSIDE))
    return Bar(f"{point['concurrency']} at once", parts, f"{number(point['mean_ms'])} ms")


def _scaling(results: Sequence[Result]) -> list[Section]:
    """Curves where the sweeps differ in cores or instances, bars where they differ otherwise."""
    if len(results) < 2:
        return []
    blocks: list[Block] = []
    axes: dict[str, Callable[[Result], int]] = {
        "cores": lambda result: result["cores"] or 0,
        "instances": instances,
    }
    for title, of in axes.items():
        dots = sorted((of(result), best(result), name_of(result)) for result in results)
        if len({x for x, _, _ in dots} - {0}) < 2:
            continue
        curve = [Dot(x, y, label) for x, y, label in dots if x]
        lines = [Line("seen", curve)]
        if title == "cores":
            ideal = curve[0].y / curve[0].x
            lines.append(
                Line(
                    "in proportion", [Dot(d.x, ideal * d.x) for d in (curve[0], curve[-1])], like=0
                )
            )
        svg = line_chart(lines, f"{title} of the server", "pictures a second")
        blocks.append(
            Figure(f"scaling-{title}", f"Best throughput with the number of {title}.", svg)
        )
    bars = [
        Bar(name_of(result), [Part("", best(result), 0)], number(best(result)))
        for result in results
    ]
    caption = "Best throughput of each way of serving."
    chart = bar_chart(bars, "pictures a second")
    blocks.append(Figure("ways", caption, chart))
    rows = [
        [
            name_of(result),
            number(result["cores"]),
            number(instances(result)),
            number(best(result)),
            f"{best(result) / max(1e-9, best(results[0])):.2f}",
        ]
        for result in results
    ]
    head = ["way", "cores", "instances of the networks", "pictures/s", "times the first"]
    blocks.append(Table(head, rows))
    return [Section("Scaling", blocks)]


def instances(result: Result) -> int:
    """Instances of the two networks together."""
    models = result["models"]
    return sum(models[name]["instances"] for name in ("det", "rec") if name in models)
