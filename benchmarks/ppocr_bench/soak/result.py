"""What a soak has found, for people and for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from ppocr_bench.machine import describe_lines
from ppocr_bench.report import table
from ppocr_bench.soak.judge import BOUNDS, WARM_UP, Verdict, judge
from ppocr_bench.soak.look import Look

LATENCY = "latency"
SLICES = 60  # into which the time is cut for latencies


@dataclass(frozen=True)
class Soak:
    """The result.

    Attributes:
        machine: what it was measured on.
        url: which was asked.
        minutes: how long.
        clients: how many asked at the same time.
        pictures: their names.
        counts: requests by kind.
        faults: wrong answers, unexpected errors and lost processes, in words; the first ones.
        faulty: how many there were.
        looks: at the server's processes; none where they are not ours.
        latency: of each slice of the time, in times of the whole median of the same picture.
        verdicts: one of each figure.
    """

    machine: dict[str, Any]
    url: str
    minutes: float
    clients: int
    pictures: list[str]
    counts: dict[str, int]
    faults: list[str]
    faulty: int
    looks: list[Look]
    latency: list[float]
    verdicts: list[Verdict]

    @property
    def ok(self) -> bool:
        """Every answer was right and every figure stayed flat."""
        return not self.faulty and all(verdict.ok for verdict in self.verdicts)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        bounds = [{**asdict(bound), "says": str(bound)} for bound in BOUNDS]
        verdicts = [{**asdict(verdict), "ok": verdict.ok} for verdict in self.verdicts]
        return {"ok": self.ok, **asdict(self), "bounds": bounds, "verdicts": verdicts}

    def lines(self) -> list[str]:
        """One row for each figure, what went wrong, and the verdict."""
        rows = [
            [v.name, f"{v.first:.2f}", f"{v.last:.2f}", f"{v.allowed:.2f}", v.unit, said(v)]
            for v in self.verdicts
        ]
        head = ["figure", "first third", "last third", "allowed", "unit", ""]
        sent = ", ".join(f"{count} {kind}" for kind, count in self.counts.items())
        return [
            *describe_lines(self.machine),
            *table(head, rows),
            *self.faults,
            f"{'PASS' if self.ok else 'FAIL'}: {self.minutes:g} minutes, {self.clients} clients, "
            f"{sum(self.counts.values())} requests ({sent}), {self.faulty} faults; allowed are "
            f"{'; '.join(map(str, BOUNDS))} more at the end, after the first {WARM_UP:.0%}",
        ]


def said(verdict: Verdict) -> str:
    """Whether a figure stayed within its bound."""
    return "flat" if verdict.ok else "GROWS"


def relative_latencies(seen: Sequence[tuple[float, str, float]], slices: int) -> list[float]:
    """The median latency of each slice of the time, in times of each picture's own median.

    Args:
        seen: when an answer came, which picture's, and after how many seconds.
        slices: of even length; those without an answer are left out.
    """
    if not seen:
        return []
    own: dict[str, list[float]] = {}
    for _, name, seconds in seen:
        own.setdefault(name, []).append(seconds)
    usual = {name: median(seconds) for name, seconds in own.items()}
    begin, end = min(seen)[0], max(seen)[0]
    parts: list[list[float]] = [[] for _ in range(slices)]
    for at, name, seconds in seen:
        index = int((at - begin) / max(1e-9, end - begin) * slices)
        parts[min(index, slices - 1)].append(seconds / usual[name])
    return [median(part) for part in parts if part]


def verdicts(looks: Sequence[Look], latency: Sequence[float]) -> list[Verdict]:
    """One of each figure that was seen."""
    columns: Mapping[str, Sequence[float]] = {
        LATENCY: latency,
        **({name: [getattr(look, name) for look in looks] for name in LOOKED} if looks else {}),
    }
    return [judge(bound, columns[bound.name]) for bound in BOUNDS if bound.name in columns]


LOOKED = tuple(bound.name for bound in BOUNDS if bound.name != LATENCY)


def lost_processes(looks: Sequence[Look]) -> list[str]:
    """Processes that were there at the first look and are gone at a later one."""
    if not looks:
        return []
    gone: dict[int, float] = {}
    for look in looks[1:]:
        for pid in set(looks[0].processes) - set(look.processes):
            gone.setdefault(pid, look.seconds)
    return [
        f"process {pid} of the server ended within the first {seconds:.0f} s"
        for pid, seconds in gone.items()
    ]
