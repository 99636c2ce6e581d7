"""What an overload has shown, for people and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from ppocr_bench.machine import describe_lines
from ppocr_bench.overload.load import REFUSALS, SERVED, Window
from ppocr_bench.report import table

#: Of the peak, that is to be left when far more is asked for.
KEPT = 0.9
#: Beside the time that the requests let in before need at the peak: what a page more takes, and
#: what a busy machine puts on top.
SLACK_SECONDS, SLACK = 3.0, 1.25


@dataclass(frozen=True)
class Load:
    """One window of one load.

    Attributes:
        kind: "peak" or "overload".
        offered: requests a second that were sent.
        served: answers a second with a result.
        refused: a second, with UNAVAILABLE or RESOURCE_EXHAUSTED.
        failures: how many ended otherwise, by gRPC status.
        served_ms: median.
        served_p99_ms: of a hundred, the second longest.
        refused_ms: median; None where nothing was refused.
        refused_p99_ms: as above.
        cpu_ms: processor time of the server for each answer with a result, what the refusals cost
            included; None where its processes are not ours.
    """

    kind: str
    offered: float
    served: float
    refused: float
    failures: dict[str, int]
    served_ms: float | None
    served_p99_ms: float | None
    refused_ms: float | None
    refused_p99_ms: float | None
    cpu_ms: float | None


def load_of(kind: str, window: Window, cpu_seconds: float | None) -> Load:
    """A window in figures; the processor time is that of all its answers."""
    results = sum(answer.status == SERVED for answer in window.answers)
    served = [answer.seconds * 1e3 for answer in window.inside(SERVED)]
    refused = [answer.seconds * 1e3 for answer in window.inside(*REFUSALS)]
    return Load(
        kind=kind,
        offered=window.offered_per_second,
        served=window.served_per_second,
        refused=len(refused) / (window.end - window.begin),
        failures=window.failures(),
        served_ms=_of_hundred(served, 50),
        served_p99_ms=_of_hundred(served, 99),
        refused_ms=_of_hundred(refused, 50),
        refused_p99_ms=_of_hundred(refused, 99),
        cpu_ms=cpu_seconds * 1e3 / results if cpu_seconds is not None and results else None,
    )


def _of_hundred(values: Sequence[float], rank: int) -> float | None:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, rank * len(ranked) // 100)] if ranked else None


@dataclass(frozen=True)
class Recovery:
    """After the end of one overload.

    Attributes:
        seconds: until a single request was answered, everything before it included.
        owed: requests that were let in and not yet answered at the end.
    """

    seconds: float
    owed: int


@dataclass(frozen=True)
class Overload:
    """The result.

    Attributes:
        machine: what it was measured on.
        url: which was asked.
        picture: its name.
        times: the peak that was offered.
        loads: peak and overload in turn.
        recoveries: of each round.
        same: whether all of these answers were the one got before.
    """

    machine: dict[str, Any]
    url: str
    picture: str
    times: float
    loads: list[Load]
    recoveries: list[Recovery]
    same: bool

    @property
    def kept(self) -> float:
        """Throughput under overload, as a share of the peaks around it: the median round."""
        peaks = [load.served for load in self.loads if load.kind == "peak"]
        over = [load.served for load in self.loads if load.kind == "overload"]
        around = [(before + after) / 2 for before, after in pairwise(peaks)]
        return median(load / peak for load, peak in zip(over, around, strict=True))

    @property
    def work(self) -> float | None:
        """Processor time of a page under overload, in times of that at the peak; medians.

        Others on the machine change it far less than they change the throughput.
        """
        peak, over = (
            [load.cpu_ms for load in self.loads if load.kind == kind and load.cpu_ms is not None]
            for kind in ("peak", "overload")
        )
        return median(over) / median(peak) if peak and over else None

    def late(self, recovery: Recovery) -> bool:
        """Whether a recovery took longer than reading what was let in before, at the peak."""
        peak = median(load.served for load in self.loads if load.kind == "peak")
        return recovery.seconds > SLACK * recovery.owed / peak + SLACK_SECONDS

    @property
    def ok(self) -> bool:
        """Throughput kept, refused in words that mean it, and back at once with right answers."""
        failures = any(load.failures for load in self.loads)
        late = any(map(self.late, self.recoveries))
        return self.kept >= KEPT and not failures and not late and self.same

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return {"ok": self.ok, "kept": self.kept, "work": self.work, **asdict(self)}

    def lines(self) -> list[str]:
        """One row for each load, and the verdict."""
        head = ["load", "offered/s", "served/s", "refused/s", "served ms", "p99"]
        head += ["refused ms", "p99", "cpu ms/page", "failures"]
        rows = [
            [
                load.kind,
                *(f"{value:.1f}" for value in (load.offered, load.served, load.refused)),
                *map(_shown, (load.served_ms, load.served_p99_ms)),
                *map(_shown, (load.refused_ms, load.refused_p99_ms, load.cpu_ms)),
                ", ".join(f"{n} {status}" for status, n in load.failures.items()) or "none",
            ]
            for load in self.loads
        ]
        return [
            *describe_lines(self.machine),
            *table(head, rows),
            *self._work_line(),
            f"{'PASS' if self.ok else 'FAIL'}: at {self.times:g} times the peak {self.kept:.0%} of "
            f"it are served (median round, at least {KEPT:.0%} are wanted); {self._recovery()}, "
            f"{'as before' if self.same else 'OTHERWISE THAN BEFORE'}",
        ]

    def _recovery(self) -> str:
        longest = max(self.recoveries, key=lambda recovery: recovery.seconds)
        late = ", TOO LATE" if any(map(self.late, self.recoveries)) else ""
        return (
            f"a single request is answered {longest.seconds:.1f} s after the load, behind "
            f"{longest.owed} that had been let in{late}"
        )

    def _work_line(self) -> list[str]:
        if self.work is None:
            return []
        return [f"a page costs the server {self.work:.2f} times the processor time of the peak's"]


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
