"""What the peers were measured at, and how far ours is ahead of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from statistics import fmean, median, quantiles
from typing import Any

from ppocr_bench.machine import describe_lines
from ppocr_bench.peers.targets import Found, judge
from ppocr_bench.report import table


@dataclass(frozen=True)
class Row:
    """One peer under one load.

    Attributes:
        workload: which pictures.
        peer: its name.
        clients: requests under way at any time, as asked for.
        rounds: pictures read in a second, in each round.
        latencies: seconds of every request of all rounds, by picture.
        pss_mib: the largest proportional set size seen of all its processes together.
    """

    workload: str
    peer: str
    clients: int
    rounds: list[float]
    latencies: list[list[float]]
    pss_mib: float

    @cached_property
    def pictures_per_second(self) -> float:
        """The median of the rounds."""
        return median(self.rounds)

    @cached_property
    def seconds(self) -> float:
        """What a picture takes: the mean over the pictures of the median of each."""
        return fmean(median(taken) for taken in self.latencies)

    @cached_property
    def tail(self) -> float:
        """p99 over p50 of the picture at which it is largest."""
        return max(percentile(taken, 99) / median(taken) for taken in self.latencies)

    def percentile_ms(self, percent: int) -> float:
        """Of all requests, whichever the picture."""
        return percentile([time for taken in self.latencies for time in taken], percent) * 1e3

    def to_dict(self) -> dict[str, Any]:
        """The figures, without every single time."""
        return {
            "workload": self.workload,
            "peer": self.peer,
            "clients": self.clients,
            "pictures_per_second": self.pictures_per_second,
            "rounds": self.rounds,
            "requests": sum(map(len, self.latencies)),
            "p50_ms": self.percentile_ms(50),
            "p99_ms": self.percentile_ms(99),
            "seconds_a_picture": self.seconds,
            "p99_over_p50": self.tail,
            "pss_mib": self.pss_mib,
        }


@dataclass(frozen=True)
class Reading:
    """What a peer reads on the pictures of a workload, beside what ours reads.

    Attributes:
        lines: how many.
        equal: of our lines, those it reads with the same text at the same place.
        ours: our lines.
        cer: edits from our texts to its own, spaces aside, in characters of ours.
    """

    workload: str
    peer: str
    lines: int
    equal: int
    ours: int
    cer: float


@dataclass(frozen=True)
class Peers:
    """The result.

    Attributes:
        machine: what it was measured on.
        labels: engine of each repository that was served, by its label.
        settings: what each peer was set to.
        versions: of what each peer reads with.
        workloads: names of the pictures of each.
        rows, readings: the figures.
        notes: peers that are missing, and why.
        seconds: that all of it took.
    """

    machine: dict[str, Any]
    labels: dict[str, str]
    settings: dict[str, list[str]]
    versions: dict[str, dict[str, str]]
    workloads: dict[str, list[str]]
    rows: list[Row]
    readings: list[Reading]
    notes: list[str]
    seconds: float

    @property
    def ok(self) -> bool:
        """Measuring is all there is to do; targets are information."""
        return True

    def find(self, workload: str, peer: str, clients: int) -> Row | None:
        """The row of that name, None where it was not measured."""
        keys = (workload, peer, clients)
        return next((r for r in self.rows if (r.workload, r.peer, r.clients) == keys), None)

    def ratios(self, row: Row) -> dict[str, float]:
        """By label, how often what a peer reads ours reads in the same time; medians of rounds."""
        served = {label: self.find(row.workload, ours(label), row.clients) for label in self.labels}
        return {
            label: found.pictures_per_second / row.pictures_per_second
            for label, found in served.items()
            if found is not None
        }

    @cached_property
    def found(self) -> list[Found]:
        """What became of the targets."""
        return judge(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return {
            "machine": self.machine,
            "labels": self.labels,
            "settings": self.settings,
            "versions": self.versions,
            "workloads": self.workloads,
            "rows": [{**row.to_dict(), "ratio": self.ratios(row)} for row in self.rows],
            "readings": [asdict(reading) for reading in self.readings],
            "targets": [found.to_dict() for found in self.found],
            "notes": self.notes,
            "seconds": self.seconds,
        }

    def lines(self) -> list[str]:
        """A table for each workload, what was read, the targets, the settings and the notes."""
        shown = describe_lines(self.machine)
        for workload, pictures in self.workloads.items():
            shown += ["", f"{workload}: {', '.join(pictures)}", *self._table(workload)]
        shown += ["", "What each reads, beside ours", *self._readings()]
        if self.found:
            shown += ["", "Targets (2 cores; for information)", *_targets(self.found)]
        shown += ["", "Settings"]
        for peer, settings in self.settings.items():
            versions = ", ".join(f"{k} {v}" for k, v in self.versions.get(peer, {}).items())
            shown += [f"{peer}: {setting}" for setting in settings] + [f"  {versions}"]
        shown += [f"note: {note}" for note in self.notes]
        return [*shown, f"measured in {self.seconds / 60:.1f} minutes"]

    def _table(self, workload: str) -> list[str]:
        head = ["peer", "clients", "pictures/s", "rounds", "p50 ms", "p99 ms", "PSS MiB"]
        head += [f"{label} is" for label in self.labels]
        rows = []
        for row in self.rows:
            if row.workload != workload:
                continue
            ratios = self.ratios(row)
            rows.append(
                [
                    row.peer,
                    str(row.clients),
                    f"{row.pictures_per_second:.2f}",
                    f"{min(row.rounds):.2f}–{max(row.rounds):.2f}",
                    f"{row.percentile_ms(50):.0f}",
                    f"{row.percentile_ms(99):.0f}",
                    f"{row.pss_mib:.0f}",
                    *(f"{ratios[label]:.2f}x" if label in ratios else "" for label in self.labels),
                ]
            )
        return table(head, rows)

    def _readings(self) -> list[str]:
        rows = [
            [r.peer, r.workload, str(r.lines), f"{r.equal} of {r.ours}", f"{r.cer:.2%}"]
            for r in self.readings
        ]
        return table(["peer", "workload", "lines", "equal to ours", "CER to ours"], rows)


def ours(label: str) -> str:
    """The name of our server with the repository of that label."""
    return f"ours ({label})"


def percentile(times: Sequence[float], percent: int) -> float:
    """With linear interpolation; of a single time it is that."""
    if len(times) < 2:
        return times[0]
    return quantiles(times, n=100, method="inclusive")[percent - 1]


def _targets(found: Sequence[Found]) -> list[str]:
    rows = [
        [f.text, f.workload, f"{f.value:.2f}", f.limit, "met" if f.met else "missed"] for f in found
    ]
    return table(["target", "workload", "found", "wanted", ""], rows)
