"""The result of a sweep: one point for each load and protocol."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ppocr_bench.machine import describe_lines
from ppocr_bench.perf_analyzer import Measured
from ppocr_bench.report import table
from ppocr_bench.server_statistics import Step
from ppocr_bench.usage import Usage

LATENCIES = ("mean", "p50", "p80", "p90", "p99")
CLIENT_HEAD = [
    *("protocol", "load", "pictures/s"),
    *(f"{name} ms" for name in LATENCIES),
    *("requests", "failed", "cores", "PSS MiB", "GPU"),
]


@dataclass(frozen=True)
class Point:
    """One load on one protocol.

    Attributes:
        protocol: "grpc" or "http".
        concurrency: requests under way at any time, None for a rate.
        rate: requests sent in a second, None for a concurrency.
        measured: what the client saw; None where it failed.
        failures: requests that the server refused or failed.
        error: why it failed.
        steps: what each model did for a picture.
        usage: of the server.
        client_cores: processor seconds that perf_analyzer used in a second.
    """

    protocol: str
    concurrency: int | None
    rate: float | None
    measured: Measured | None
    failures: int
    error: str | None
    steps: dict[str, Step]
    usage: Usage
    client_cores: float

    @property
    def load(self) -> str:
        """For people."""
        return f"{self.concurrency}" if self.rate is None else f"{self.rate:g}/s"

    def to_dict(self) -> dict[str, Any]:
        """Flat, but for the steps; what was not measured is null."""
        values = asdict(self)
        measured = values.pop("measured") or dict.fromkeys(Measured.__annotations__)
        return {**values, **measured, **values.pop("usage")}


@dataclass(frozen=True)
class Sweep:
    """The result.

    Attributes:
        machine: what it was measured on.
        label: the user's name for this way of serving.
        cores: that the server was held to, None where it was not ours to hold.
        models: how each is served: engine, instances, parameters.
        pictures: names, sent in turn.
        perf_analyzer: its version.
        window_seconds: of one measurement window.
        points: in the order in which they were measured.
    """

    machine: dict[str, Any]
    label: str
    cores: int | None
    models: dict[str, dict[str, Any]]
    pictures: list[str]
    perf_analyzer: str
    window_seconds: float
    points: list[Point]

    @property
    def ok(self) -> bool:
        """Every request of every point was answered."""
        return not any(point.error or point.failures for point in self.points)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        shallow = {name: value for name, value in vars(self).items() if name != "points"}
        return {"ok": self.ok, **shallow, "points": [point.to_dict() for point in self.points]}

    def lines(self) -> list[str]:
        """Two tables, a row a point: what the client saw, and where the time went."""
        shown = [
            *describe_lines(self.machine),
            f"{self.label}: {', '.join(self.pictures)} in turn; "
            f"perf_analyzer {self.perf_analyzer}, windows of {self.window_seconds:g} s or more",
            *table(CLIENT_HEAD, [_client_row(point) for point in self.points]),
            "",
            "milliseconds a picture, waiting + working; `rec` works inside `recognize`, for "
            "several batches at the same time",
        ]
        steps = list(dict.fromkeys(name for point in self.points for name in point.steps))
        shown += table(
            ["protocol", "load", *steps, "rec batches"],
            [_step_row(point, steps) for point in self.points],
        )
        shown += [f"{p.protocol} {p.load}: FAILED: {p.error}" for p in self.points if p.error]
        unstable = [f"{p.protocol} {p.load}" for p in self.points if _unstable(p)]
        if unstable:
            shown.append(f"windows did not agree, figures are of three anyway: {unstable}")
        return shown


def _unstable(point: Point) -> bool:
    return point.measured is not None and point.rate is None and not point.measured.stable


def _client_row(point: Point) -> list[str]:
    measured, usage = point.measured, point.usage
    if measured is None:
        figures = ["–"] * (2 + len(LATENCIES))
    else:
        times = (getattr(measured, f"{name}_ms") for name in LATENCIES)
        figures = [f"{measured.throughput:.2f}", *(f"{time:.1f}" for time in times)]
        figures.append(f"{measured.requests}")
    return [
        point.protocol,
        point.load,
        *figures,
        f"{point.failures}",
        "–" if usage.cores is None else f"{usage.cores:.2f}",
        "–" if usage.pss_mib is None else f"{usage.pss_mib:.0f}",
        "–" if usage.gpu_utilisation is None else f"{usage.gpu_utilisation:.0%}",
    ]


def _step_row(point: Point, names: list[str]) -> list[str]:
    cells = []
    for name in names:
        step = point.steps.get(name)
        work = 0.0 if step is None else step.input_ms + step.infer_ms + step.output_ms
        cells.append("–" if step is None else f"{step.queue_ms:.1f} + {work:.1f}")
    rec = point.steps.get("rec")
    return [point.protocol, point.load, *cells, "–" if rec is None else f"{rec.calls:.1f}"]
