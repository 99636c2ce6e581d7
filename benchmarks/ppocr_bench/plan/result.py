"""A plan: what is needed, what it costs, how it will answer, and what fills up first."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ppocr_bench.plan.check import Compared
from ppocr_bench.plan.costs import Costs
from ppocr_bench.plan.hardware import Hardware
from ppocr_bench.plan.pipeline import Demand
from ppocr_bench.plan.sizing import Expected, Load
from ppocr_bench.report import table


@dataclass(frozen=True)
class Plan:
    """The result.

    Attributes:
        load: what was asked.
        costs: measured.
        hardware: for each replica.
        working: replicas that carry the load.
        spare: replicas beside them, of which so many may be lost.
        demands: of a picture, what fills up first comes first.
        shares: by step, seconds of work a picture.
        expected: latency on the working replicas.
        max_p99_ms: the limit, None for none.
        within: whether it is kept.
        checked: the simulation against a measured curve, empty if none was given.
        notes: what to know about the figures.
    """

    load: Load
    costs: Costs
    hardware: Hardware
    working: int
    spare: int
    demands: list[Demand]
    shares: dict[str, float]
    expected: Expected
    max_p99_ms: float | None
    within: bool
    checked: list[Compared]
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """The limit is kept, and the memory is enough as far as it is known."""
        return self.within and self.memory_gib <= self.hardware.memory_gib

    @property
    def replicas(self) -> int:
        """The spare ones included."""
        return self.working + self.spare

    @property
    def memory_gib(self) -> float:
        """Of one replica; 0 where it was not measured.

        A server has more instances on more cores: it is taken to need memory in proportion, which
        is more than it will, and never less than was measured.
        """
        growth = max(1.0, self.hardware.cores / self.costs.cores)
        return (self.costs.pss_mib or 0.0) * growth / 1024

    @property
    def price_of_a_million(self) -> float:
        """Pages, at this rate, the spare replicas paid for too."""
        return self.replicas * self.hardware.price_per_hour * 1e6 / (self.load.rate * 3600)

    def utilisation(self, demand: Demand) -> float:
        """Of one working replica, 0 – 1."""
        return self.load.rate / self.working / demand.limit

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        load = {name: value for name, value in vars(self.load).items() if name != "gaps"}
        return {
            "ok": self.ok,
            "load": {**load, "arrivals": "poisson" if self.load.gaps is None else "measured"},
            "hardware": asdict(self.hardware),
            "replicas": self.replicas,
            "working": self.working,
            "spare": self.spare,
            "cores": self.replicas * self.hardware.cores,
            "gpus": self.replicas * self.hardware.gpus,
            "memory_gib_a_replica": self.memory_gib or None,
            "price_of_a_million_pages": self.price_of_a_million,
            "expected": asdict(self.expected),
            "max_p99_ms": self.max_p99_ms,
            "bottlenecks": [
                {
                    "name": demand.name,
                    "limit": demand.limit,
                    "utilisation": self.utilisation(demand),
                }
                for demand in self.demands
            ],
            "seconds_a_picture": self.shares,
            "checked": [point.to_dict() for point in self.checked],
            "costs": asdict(self.costs),
            "notes": self.notes,
        }

    def lines(self) -> list[str]:
        """What is needed, what fills up, and the check."""
        numbers = ", ".join(f"{lines:g}" for lines in self.load.lines)
        memory = f"{self.memory_gib:.1f} GiB" if self.memory_gib else "not measured"
        kept = "" if self.within else ": NOT WITHIN THE LIMIT, on however many replicas"
        limit = "" if self.max_p99_ms is None else f" (wanted <= {self.max_p99_ms:g}){kept}"
        shown = [
            f"{self.load.rate:g} pictures/s of {numbers} lines, on {self.hardware.name}",
            f"costs: `{self.costs.verb}` on {self.costs.processor}, {self.costs.cores} cores; a "
            f"core of {self.hardware.name} is taken for {self.hardware.speed:g} times as fast",
            *(f"note: {note}" for note in self.notes),
            "",
            f"replicas: {self.replicas} ({self.working} + {self.spare} spare)",
            f"cores: {self.replicas * self.hardware.cores}, "
            f"GPUs: {self.replicas * self.hardware.gpus}",
            f"memory a replica: {memory} of {self.hardware.memory_gib:g} GiB"
            + ("" if self.memory_gib <= self.hardware.memory_gib else ": NOT ENOUGH"),
            f"price of a million pages: {self.price_of_a_million:.2f}, "
            f"at {self.hardware.price_per_hour:g} an hour (an example unless you have set it)",
            f"simulated: p50 {self.expected.p50_ms:.0f} ms, "
            f"p99 {self.expected.p99_ms:.0f} ms{limit}",
            "",
            "What fills up first, of one replica",
            *table(["", "there are", "limit, pictures/s", "used"], self._bottlenecks()),
            "",
            "Work of a picture",
            *table(["step", "ms", "share"], self._work()),
        ]
        return [*shown, *self._check()]

    def _bottlenecks(self) -> list[list[str]]:
        return [
            [d.name, str(d.number), f"{d.limit:.2f}", f"{self.utilisation(d):.0%}"]
            for d in self.demands
        ]

    def _work(self) -> list[list[str]]:
        total = sum(self.shares.values())
        return [
            [step, f"{seconds * 1e3:.1f}", f"{seconds / total:.0%}"]
            for step, seconds in self.shares.items()
            if seconds
        ]

    def _check(self) -> list[str]:
        if not self.checked:
            return ["", "the simulation was not checked: give a sweep's result with --check"]
        columns = [("pictures/s", "throughput"), ("p50 ms", "p50_ms"), ("p99 ms", "p99_ms")]
        head = [name for shown, _ in columns for name in (shown, "simulated", "off")]
        rows = [
            [f"{point.protocol}, {point.concurrency} at once"]
            + [
                cell
                for _, figure in columns
                for cell in (
                    f"{point.measured[figure]:.2f}",
                    f"{point.predicted[figure]:.2f}",
                    f"{point.off(figure):+.1f} %",
                )
            ]
            for point in self.checked
        ]
        return ["", "The simulation beside what was measured", *table(["", *head], rows)]
