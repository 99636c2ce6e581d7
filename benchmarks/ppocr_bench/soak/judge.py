"""Whether a server is at the end of its soak as it was at the beginning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ppocr_bench.errors import BenchError

#: The share of the time in which caches and arenas may fill, which is not judged.
WARM_UP = 0.25


@dataclass(frozen=True)
class Bound:
    """How much more of something there may be at the end than at the beginning.

    Attributes:
        name: as `Look` has it, or "latency".
        unit: for people.
        share: of the first value.
        more: beside that, in the unit.
    """

    name: str
    unit: str
    share: float
    more: float

    def allowed(self, first: float) -> float:
        """The last value that is still flat."""
        return first * (1 + self.share) + self.more

    def __str__(self) -> str:
        parts = [f"{self.share:.0%}"] if self.share else []
        parts += [f"{self.more:g} {self.unit}".strip()] if self.more else []
        return f"{self.name.removesuffix('_mib')} {' and '.join(parts) or '0'}"


BOUNDS = (
    Bound("memory_mib", "MiB", 0.05, 64),
    # A region grows by 16 MiB the first time it holds as much at once, which may be late.
    Bound("shared_mib", "MiB", 0.05, 64),
    Bound("regions", "", 0, 0),
    Bound("files", "", 0, 12),
    Bound("threads", "", 0, 6),
    Bound("latency", "", 0.5, 0),
)


@dataclass(frozen=True)
class Verdict:
    """One figure at the beginning and at the end: medians of the first and the last third."""

    name: str
    unit: str
    first: float
    last: float
    allowed: float

    @property
    def ok(self) -> bool:
        """Whether it stayed flat."""
        return self.last <= self.allowed


def judge(bound: Bound, values: Sequence[float]) -> Verdict:
    """Compare the first with the last third of what comes after the warm-up.

    Args:
        bound: how far they may lie apart.
        values: in the order of time, at even distances.

    Raises:
        BenchError: there are too few to compare.
    """
    kept = values[round(WARM_UP * len(values)) :]
    third = len(kept) // 3
    if not third:
        raise BenchError(
            f"only {len(values)} values of {bound.name} were seen, which is too few to judge; "
            "allow more --minutes"
        )
    first, last = median(kept[:third]), median(kept[-third:])
    return Verdict(bound.name, bound.unit, first, last, bound.allowed(first))
